"""Dagster's definitions, made from what steward says of itself."""

import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_steward.approvals import approvals_sensor
from dagster_steward.catalogue import Catalogue, CatalogueError, Job, Task, catalogue_of
from dagster_steward.fanout import SHARD_RETRIES, FanoutOptions, fanout_job
from dagster_steward.program import Program, StewardError
from dagster_steward.running import TICK_TAG, run_steward

logger = logging.getLogger("dagster_steward")

_RETRY_ON_FAILURE_TAG = "dagster/retry_on_asset_or_op_failure"


@dataclass(frozen=True)
class _Names:
    job: str
    schedule: str
    cron: str | None = None


#: What teams call these jobs; and when they are due where nobody says otherwise.
_NAMES = {
    "cleanup": _Names("cleanup_job", "hourly_cleanup_schedule", "0 * * * *"),
    "backup": _Names("backup_job", "daily_backup_schedule", "0 0 * * *"),
    "analyze-query-plans": _Names("analyze_query_plans_job", "daily_query_plan_schedule", "30 6 * * *"),
    "rotate-secrets": _Names("rotate_secrets_job", "monthly_secret_rotation_schedule", "0 0 1 * *"),
    "rotate-logs": _Names("rotate_logs_job", "daily_log_rotation_schedule", "0 1 * * *"),
    "update-dependencies": _Names("update_dependencies_job", "weekly_dependency_update_schedule", "0 5 * * 1"),
}


def _names_of(job: str) -> _Names:
    plain = job.replace("-", "_")
    return _NAMES.get(job) or _Names(f"{plain}_job", f"{plain}_schedule")


def cron_of_interval(seconds: int) -> str | None:
    """The cron line of an interval that a clock's minutes, hours or days can be divided by; else None."""
    minutes, rest = divmod(seconds, 60)
    if rest or minutes == 0:
        return None
    if minutes < 60:
        return f"*/{minutes} * * * *" if 60 % minutes == 0 else None
    hours, rest = divmod(minutes, 60)
    if rest:
        return None
    if hours < 24:
        return f"0 */{hours} * * *" if 24 % hours == 0 else None
    return "0 0 * * *" if hours == 24 else None


@dataclass(frozen=True)
class _Options:
    program: Program
    key_prefix: tuple[str, ...]
    group: str
    tags: Mapping[str, str]
    owners: tuple[str, ...]
    hooks: Set[dg.HookDefinition]
    retry_policy: dg.RetryPolicy | None
    schedules: Mapping[str, str | None]
    fanout_executor: dg.ExecutorDefinition
    fanout_pool: str
    fanout_retry_policy: dg.RetryPolicy
    approvals_seconds: int

    def key(self, job: Job, task: Task) -> dg.AssetKey:
        return dg.AssetKey([*self.key_prefix, job.name, task.name])


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _spec(job: Job, task: Task, options: _Options) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=options.key(job, task),
        description=" ".join(_sentence(words) for words in (task.title, task.why_not) if words),
        group_name=options.group,
        skippable=True,
        owners=list(options.owners),
        tags={**options.tags, "steward/kind": task.kind, "steward/state": task.state},
        kinds={"steward", task.kind},
        metadata={"needs": list(task.needs)} if task.needs else {},
    )


def _assets_of(job: Job, options: _Options) -> dg.AssetsDefinition:
    """One step for all tasks of the job that are ready, of which some may be chosen."""
    by_key = {options.key(job, task): task.name for task in job.ready}

    @dg.multi_asset(
        name=job.name.replace("-", "_"),
        specs=[_spec(job, task, options) for task in job.ready],
        # Not `check`: Dagster 1.11 compiles AssetCheckSpec with the names of whoever calls it first.
        check_specs=[
            dg.AssetCheckSpec(name=name, asset=options.key(job, task)) for task in job.ready for name in task.checks
        ],
        can_subset=True,
        retry_policy=options.retry_policy,
        op_tags={"steward/job": job.name},
    )
    def carry_out(context: dg.AssetExecutionContext) -> Iterator[Any]:
        chosen = [name for key, name in by_key.items() if key in context.selected_asset_keys]
        yield from run_steward(
            context,
            options.program,
            job.name,
            [] if len(chosen) == len(by_key) else chosen,
            options.key_prefix,
        )

    return carry_out


def _run_tags(job: Job, options: _Options) -> dict[str, str]:
    # An instance with run_retries would repeat what a safeguard has refused, and what waits for an approval. A step is
    # tried again by its retry policy, which steward can stop; a run whose process died is repeated all the same.
    return {_RETRY_ON_FAILURE_TAG: "false", **options.tags, "steward/job": job.name}


def _job_of(job: Job, options: _Options) -> Any:
    return dg.define_asset_job(
        name=_names_of(job.name).job,
        description=_sentence(job.title),
        selection=dg.AssetSelection.assets(*(options.key(job, task) for task in job.ready)),
        # One step: a process of its own for it would be three more seconds.
        executor_def=dg.in_process_executor,
        tags=_run_tags(job, options),
        hooks=set(options.hooks),
    )


def _fanout_of(job: Job, options: _Options) -> dg.JobDefinition | None:
    """The same work in shards; of jobs that purge anything."""
    # What an archive forgets has no shards, and its name is not one that a person would give.
    purges = tuple(task.name for task in job.ready if task.kind == "purge" and "." not in task.name)
    if job.name != "cleanup" or not purges:
        return None
    keys = {task.name: options.key(job, task) for task in job.tasks}
    return fanout_job(
        "cleanup_fanout_job",
        FanoutOptions(
            program=options.program,
            job=job.name,
            purges=purges,
            asset_key=lambda task: keys[task],
            executor=options.fanout_executor,
            pool=options.fanout_pool,
            retry_policy=options.fanout_retry_policy,
            tags=_run_tags(job, options),
            hooks=options.hooks,
        ),
    )


def _cron_of(job: Job, options: _Options) -> str | None:
    if job.name in options.schedules:
        return options.schedules[job.name]
    if job.owner != "dagster":
        return _names_of(job.name).cron
    return job.cron or (cron_of_interval(job.every_seconds) if job.every_seconds else None)


def _what_is_in_the_way(job: str, tick: str, program: Program) -> str | None:
    """Why the tick is not to start anything, as steward's configuration and its ledger have it; None where it is."""
    try:
        told = program.ask("schedule", job, "--tick", tick)
        return None if told["starts"] else f"{job}: {told['reason']}"
    except (StewardError, KeyError):
        return None  # a run says better what is wrong


def _schedule_of(job: Job, target: Any, options: _Options) -> dg.ScheduleDefinition | None:
    cron = _cron_of(job, options)
    if cron is None:
        return None
    is_ours = job.owner == "dagster"
    description = f"Starts {job.name}."
    if not is_ours:
        description += (
            f" In steward's configuration its scheduler is {job.owner}: with"
            f" `jobs: {{{job.name}: {{scheduler: dagster}}}}` there it is this schedule alone."
        )

    @dg.schedule(
        name=_names_of(job.name).schedule,
        target=target,
        cron_schedule=cron,
        execution_timezone=job.time_zone,
        description=description,
        # One owner for each schedule: what steward fires itself begins as stopped here.
        default_status=(dg.DefaultScheduleStatus.RUNNING if is_ours else dg.DefaultScheduleStatus.STOPPED),
    )
    def fire(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        due = context.scheduled_execution_time.astimezone(timezone.utc)
        tick = due.strftime("%Y-%m-%dT%H:%M:%SZ")
        obstacle = _what_is_in_the_way(job.name, tick, options.program)
        if obstacle is not None:
            return dg.SkipReason(obstacle)
        return dg.RunRequest(run_key=f"{job.name} {tick}", tags={TICK_TAG: tick})

    return fire


def _definitions_of(catalogue: Catalogue, chosen: Sequence[str] | None, options: _Options) -> dg.Definitions:
    assets: list[Any] = []
    jobs: list[Any] = []
    schedules: list[Any] = []
    fanouts: list[dg.JobDefinition] = []
    ours: dict[str, Any] = {}
    for job in catalogue.jobs:
        if chosen is not None and job.name not in chosen:
            continue
        # There to be seen, and nothing that could be started.
        assets += [_spec(job, task, options) for task in job.tasks if not task.is_ready]
        if not job.ready:
            continue
        assets.append(_assets_of(job, options))
        jobs.append(_job_of(job, options))
        schedule = _schedule_of(job, jobs[-1], options)
        if schedule is not None:
            schedules.append(schedule)
        fanout = _fanout_of(job, options)
        if fanout is not None:
            fanouts.append(fanout)
        if job.owner == "dagster":  # what steward fires itself, its own daemon goes on with
            ours[job.name] = jobs[-1]
    metadata: dict[str, Any] = {"steward/version": catalogue.version}
    if catalogue.environment:
        metadata["steward/environment"] = catalogue.environment
    if catalogue.dashboard:
        metadata["steward/dashboard"] = dg.MetadataValue.url(catalogue.dashboard)
    if catalogue.stale:
        metadata["steward/stale"] = catalogue.stale
    sensors = [approvals_sensor(options.program, ours, options.approvals_seconds)] if ours else []
    return dg.Definitions(
        assets=assets, jobs=[*jobs, *fanouts], schedules=schedules, sensors=sensors, metadata=metadata
    )


def _nothing_but_why(error: CatalogueError, options: _Options) -> dg.Definitions:
    spec = dg.AssetSpec(
        key=dg.AssetKey([*options.key_prefix, "catalogue"]),
        description=f"steward could not be asked what jobs there are: {error}",
        group_name=options.group,
        tags={"steward/state": "unavailable"},
    )
    return dg.Definitions(assets=[spec], metadata={"steward/error": str(error)})


def steward_definitions(
    config: str | Path | None = None,
    *,
    binary: str = "steward",
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    jobs: Sequence[str] | None = None,
    schedules: Mapping[str, str | None] | None = None,
    key_prefix: Sequence[str] = ("steward",),
    group_name: str = "steward",
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] = (),
    hooks: Set[dg.HookDefinition] = frozenset(),
    retry_policy: dg.RetryPolicy | None = None,
    fanout_executor: dg.ExecutorDefinition | None = None,
    fanout_pool: str = "steward_shards",
    fanout_retry_policy: dg.RetryPolicy | None = None,
    approvals_seconds: int = 30,
    cache: str | Path | None = None,
) -> dg.Definitions:
    """Make jobs, schedules, assets and checks of steward's catalogue. Never raises for what is wrong with steward.

    Args:
        config: Its configuration file; None: what STEWARD_CONFIG and the other variables say.
        binary: The program.
        env: Variables that it gets besides Dagster's own.
        cwd: Where it works.
        jobs: These alone, by steward's names: ``cleanup``, ``backup``, ``rotate-logs``. None: all.
        schedules: Other cron lines, by job; None for one: no schedule.
        key_prefix: What assets' keys begin with; the job and the task follow.
        group_name: The assets' group.
        tags: For jobs and assets.
        owners: Of the assets, as Dagster has them: ``team:storage``, an address.
        hooks: For the jobs: each step's success or failure.
        retry_policy: For the one step that a job has.
        fanout_executor: Where the shards of ``cleanup_fanout_job`` run: ``k8s_job_executor`` of dagster-k8s, say. None:
            the multiprocess executor, on one machine.
        fanout_pool: The concurrency pool of the shards, whose limit is the instance's to say.
        fanout_retry_policy: For each shard; None: four times, after 20, 40, 80 and 160 seconds.
        approvals_seconds: How often the sensor looks for runs that were approved.
        cache: The file with the copy of the last catalogue; None: below ``~/.cache/dagster-steward``.
    """
    options = _Options(
        program=Program(
            binary=binary,
            config=str(config) if config is not None else None,
            env=dict(env or {}),
            cwd=str(cwd) if cwd is not None else None,
        ),
        key_prefix=tuple(key_prefix),
        group=group_name,
        tags=dict(tags or {}),
        owners=tuple(owners),
        hooks=hooks,
        retry_policy=retry_policy,
        schedules=dict(schedules or {}),
        fanout_executor=fanout_executor or dg.multiprocess_executor,
        fanout_pool=fanout_pool,
        fanout_retry_policy=fanout_retry_policy or SHARD_RETRIES,
        approvals_seconds=approvals_seconds,
    )
    try:
        catalogue = catalogue_of(options.program, Path(cache) if cache is not None else None)
    except CatalogueError as error:
        logger.error("%s", error)
        return _nothing_but_why(error, options)
    if catalogue.stale:
        logger.warning("steward's jobs are those of its last answer: %s", catalogue.stale)
    return _definitions_of(catalogue, jobs, options)

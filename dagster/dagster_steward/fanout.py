"""A task's work in shards, each a step of its own: on other processes of this machine, or in pods.

``hand_out_shards`` has one ``carry_out_shard[purge_signals_1]`` behind it for each shard, and these ``sum_up_shards``.
The plan is made once, of the whole; steward's ledger keeps it. A shard that dies is tried again alone, and does what is
left; nothing is done twice. The last step adds up what all have done, and checks it against the plan.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypedDict

import dagster as dg
from pydantic import Field

from dagster_steward.outputs import event_log_io_manager
from dagster_steward.program import Program, StewardError
from dagster_steward.running import FINAL_EXIT_CODES, run_shard

#: How a shard is tried again where nobody says otherwise. The lock that a pod which was killed had on a bucket is over
#: after two minutes and a quarter: the third try comes behind that.
SHARD_RETRIES = dg.RetryPolicy(max_retries=4, delay=20, backoff=dg.Backoff.EXPONENTIAL)

#: The check of a task's asset that the last step makes: as a run of the whole makes it.
CHECK = "plan_equals_run"


class Fanout(dg.Config):
    """What a run of the job is to fan out."""

    # A default, and no factory of one: what is to be had is then there to be seen, and changed, in Dagster's launchpad.
    tasks: list[str] = Field(default=[], description="Tasks by name; none: all that purge.")
    shards: int = Field(default=8, ge=1, description="How many shards at the most, of each task.")
    allow_removal: list[str] = Field(default=[], description="Tasks whose whole is let past its brakes, for this run.")


class HandedOut(TypedDict):
    """A task whose plan was cut into shards; or why it was not."""

    task: str
    digest: str
    refused: str


class Shard(TypedDict):
    """One part of a plan that was handed out."""

    task: str
    digest: str
    shard: int


class CarriedOut(TypedDict):
    """The run of steward's that has carried out a shard."""

    task: str
    shard: int
    run: str | None


@dataclass(frozen=True)
class FanoutOptions:
    """How a job's shards are carried out."""

    program: Program
    job: str
    purges: tuple[str, ...]
    asset_key: Callable[[str], dg.AssetKey]
    executor: dg.ExecutorDefinition
    pool: str
    retry_policy: dg.RetryPolicy
    tags: dict[str, str] = field(default_factory=dict)
    hooks: Set[dg.HookDefinition] = frozenset()


def _hand_out(
    context: dg.OpExecutionContext, config: Fanout, options: FanoutOptions
) -> tuple[list[HandedOut], list[Shard]]:
    handed_out: list[HandedOut] = []
    shards: list[Shard] = []
    codes: set[int | None] = set()
    for task in config.tasks or options.purges:
        words = ["shards", f"{options.job}/{task}", "--count", str(config.shards)]
        if task in config.allow_removal:
            words.append("--allow-removal")
        try:
            plan = options.program.ask(*words, timeout=None)
        except StewardError as error:
            context.log.error("%s: %s", task, error)
            codes.add(error.exit_code)
            handed_out.append({"task": task, "digest": "", "refused": error.words})
            continue
        digest = str(plan["digest"])
        numbers = [int(one["shard"]) for one in plan["shards"]]
        why_one = f": {plan['one_because']}" if plan.get("one_because") else ""
        context.log.info(
            f"{task}: {plan['planned']['items']:,} items in {len(numbers)} shard{'s' * (len(numbers) != 1)}{why_one}; "
            f"plan {digest[:12]}"
        )
        handed_out.append({"task": task, "digest": digest, "refused": ""})
        shards += [{"task": task, "digest": digest, "shard": number} for number in numbers]
    if not shards:
        raise dg.Failure(
            "; ".join(f"{one['task']}: {one['refused']}" for one in handed_out),
            allow_retries=not codes <= FINAL_EXIT_CODES,
        )
    return handed_out, shards


def mapping_keys(shards: Sequence[Shard]) -> list[str]:
    """What the steps of shards are called: ``purge_signals_1``. Dagster takes letters, digits and ``_``."""
    keys: list[str] = []
    for one in shards:
        key = re.sub(r"[^A-Za-z0-9_]", "_", f"{one['task']}_{one['shard']}")
        keys.append(f"{key}_{len(keys)}" if key in keys else key)
    return keys


def _table(summed: Any) -> str:
    lines = ["| shard | status | planned | done | runs |", "|---|---|---|---|---|"]
    lines += [
        f"| {one['shard']} | {one['status']} | {one['planned']['items']} | {one['done']['items']} "
        f"| {', '.join(one['runs'])} |"
        for one in summed["shards"]
    ]
    return "\n".join(lines)


def _reported(key: dg.AssetKey, summed: Any) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """What has become of a task, as a run of the whole reports it."""
    figures: dict[str, Any] = {
        "items": summed["done"]["items"],
        "planned_items": summed["planned"]["items"],
        "left_on_the_way": summed["left_on_the_way"],
        "steward_plan": summed["digest"],
    }
    if summed["complete"]:
        metadata: dict[str, Any] = {
            **figures,
            "shards": len(summed["shards"]),
            "target": summed["target"],
            "cutoff": summed["cutoff"],
            "plan": dg.MetadataValue.md(_table(summed)),
        }
        if summed["done"]["bytes"] is not None:
            metadata["bytes"] = summed["done"]["bytes"]
        yield dg.AssetMaterialization(asset_key=key, metadata=metadata)
    yield dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=CHECK,
        passed=bool(summed["equals_plan"]),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=figures,
    )


def _sum_up(handed_out: Sequence[HandedOut], options: FanoutOptions) -> Iterator[Any]:
    """Events are yielded, and not logged: those that a step logs before it fails are lost."""
    wrong: list[str] = []
    done: dict[str, int] = {}
    for one in handed_out:
        task = one["task"]
        if one["refused"]:
            wrong.append(f"{task}: {one['refused']}")
            continue
        try:
            # Exit code 1: not all of it is done.
            words = ("shards", f"{options.job}/{task}", "--plan", one["digest"])
            summed = options.program.ask(*words, timeout=None, fine=(0, 1))
        except StewardError as error:
            wrong.append(f"{task}: {error.words}")
            continue
        yield from _reported(options.asset_key(task), summed)
        done[task] = summed["done"]["items"]
        if not summed["complete"]:
            states = ", ".join(f"{shard['shard']} {shard['status']}" for shard in summed["shards"])
            wrong.append(f"{task}: not all shards have succeeded ({states})")
    if wrong:
        raise dg.Failure("; ".join(wrong), allow_retries=False)
    yield dg.Output(done)


def fanout_job(name: str, options: FanoutOptions) -> dg.JobDefinition:
    """The job whose steps are shards."""

    @dg.op(
        name="hand_out_shards",
        description="Plans each task as a whole, and cuts the plan into shards.",
        out={"shards": dg.DynamicOut(dict), "handed_out": dg.Out(list)},
    )
    def hand_out_shards(
        context: dg.OpExecutionContext, config: Fanout
    ) -> Iterator[dg.DynamicOutput[Shard] | dg.Output[list[HandedOut]]]:
        handed_out, shards = _hand_out(context, config, options)
        for key, shard in zip(mapping_keys(shards), shards, strict=True):
            yield dg.DynamicOutput(shard, mapping_key=key, output_name="shards")
        yield dg.Output(handed_out, "handed_out")

    @dg.op(
        name="carry_out_shard",
        description="Carries out one shard: as a run of steward's of its own.",
        pool=options.pool,
        retry_policy=options.retry_policy,
        ins={"shard": dg.In(dict)},
        out=dg.Out(dict),
        tags={"steward/job": options.job},
    )
    def carry_out_shard(context: dg.OpExecutionContext, shard: Shard) -> CarriedOut:
        task, number = shard["task"], shard["shard"]
        run = run_shard(context, options.program, options.job, task, shard["digest"], number)
        context.add_output_metadata({"steward_run": run or "", "task": task, "shard": number})
        return {"task": task, "shard": number, "run": run}

    @dg.op(
        name="sum_up_shards",
        description="Adds up what all shards have done, and checks it against the plan of the whole.",
        ins={"handed_out": dg.In(list), "carried_out": dg.In(list)},
        out=dg.Out(dict),
    )
    def sum_up_shards(
        context: dg.OpExecutionContext, handed_out: list[HandedOut], carried_out: list[CarriedOut]
    ) -> Iterator[Any]:
        context.log.info("%d shards were carried out", len(carried_out))
        yield from _sum_up(handed_out, options)

    @dg.job(
        name=name,
        description=f"{options.job}, with each task's work in shards that run side by side.",
        executor_def=options.executor,
        # Steps may be on machines that share no folder.
        resource_defs={"io_manager": event_log_io_manager},
        tags=options.tags,
        hooks=options.hooks,
    )
    def fan_out() -> None:
        shards, handed_out = hand_out_shards()
        sum_up_shards(handed_out, shards.map(carry_out_shard).collect())

    return fan_out

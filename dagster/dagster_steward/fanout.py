"""A task's work in shards, each a step of its own: on other processes of this machine, or in pods.

``hand_out_shards`` has one ``carry_out_shard[purge_signals_1]`` behind it for each shard, and these ``sum_up_shards``.
The plan is made once, of the whole; steward's ledger keeps it. A shard that dies is tried again alone, and does what is
left; nothing is done twice. The last step adds up what all have done, and checks it against the plan.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_steward.outputs import event_log_io_manager
from dagster_steward.running import FINAL_EXIT_CODES, Program, run_shard

#: How a shard is tried again where nobody says otherwise. The lock that a pod which was killed had on a bucket is over
#: after two minutes and a quarter: the third try comes behind that.
SHARD_RETRIES = dg.RetryPolicy(max_retries=4, delay=20, backoff=dg.Backoff.EXPONENTIAL)

#: The check of a task's asset that the last step makes: as a run of the whole makes it.
CHECK = "plan_equals_run"


class Fanout(dg.Config):
    """What a run of the job is to fan out."""

    #: Tasks by name; empty: all that purge.
    tasks: list[str] = Field(default_factory=list)
    #: How many shards at the most, of each task.
    shards: int = 8
    #: Tasks whose whole is let past its brakes, for this run.
    allow_removal: list[str] = Field(default_factory=list)


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


def _answer(program: Program, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the one document that steward prints with ``--json``."""
    answer = subprocess.run(
        program.command(*words, "--json"),
        env={**os.environ, **program.env, "STEWARD_TRIGGER": "dagster"},
        cwd=program.cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        document = json.loads(answer.stdout)
    except ValueError as error:
        why = answer.stderr.strip() or answer.stdout.strip() or "without a word"
        raise dg.Failure(f"steward {' '.join(words)} ended with {answer.returncode}: {why}") from error
    return answer.returncode, document


def _said(document: dict[str, Any]) -> str:
    error = document.get("error") or {}
    return ": ".join(part for part in (error.get("message"), error.get("hint")) if part)


def _hand_out(context: dg.OpExecutionContext, config: Fanout, options: FanoutOptions) -> list[dict[str, Any]]:
    handed_out: list[dict[str, Any]] = []
    for task in config.tasks or options.purges:
        words = ["shards", f"{options.job}/{task}", "--count", str(config.shards)]
        if task in config.allow_removal:
            words.append("--allow-removal")
        code, document = _answer(options.program, *words)
        if code == 0:
            context.log.info(
                "%s: %d items in %d shards, plan %s",
                task,
                document["planned"]["items"],
                len(document["shards"]),
                document["digest"][:12],
            )
            handed_out.append(document)
            continue
        context.log.error("%s: %s", task, _said(document))
        handed_out.append({"task": task, "refused": _said(document), "exit_code": code, "shards": []})
    if not any(one["shards"] for one in handed_out):
        final = all(one["exit_code"] in FINAL_EXIT_CODES for one in handed_out)
        raise dg.Failure("; ".join(f"{one['task']}: {one['refused']}" for one in handed_out), allow_retries=not final)
    return handed_out


def _plan_table(summed: dict[str, Any]) -> str:
    lines = ["| shard | status | planned | done | runs |", "|---|---|---|---|---|"]
    lines += [
        f"| {one['shard']} | {one['status']} | {one['planned']['items']} | {one['done']['items']} "
        f"| {', '.join(one['runs'])} |"
        for one in summed["shards"]
    ]
    return "\n".join(lines)


def _report(context: dg.OpExecutionContext, task: str, summed: dict[str, Any], options: FanoutOptions) -> None:
    done, planned = summed["done"], summed["planned"]
    metadata: dict[str, Any] = {
        "items": done["items"],
        "planned_items": planned["items"],
        "left_on_the_way": summed["left_on_the_way"],
        "shards": len(summed["shards"]),
        "target": summed["target"],
        "cutoff": summed["cutoff"],
        "steward_plan": summed["digest"],
        "plan": dg.MetadataValue.md(_plan_table(summed)),
    }
    if done["bytes"] is not None:
        metadata["bytes"] = done["bytes"]
    key = options.asset_key(task)
    if summed["complete"]:
        context.log_event(dg.AssetMaterialization(asset_key=key, metadata=metadata))
    # Dagster takes it, though its annotation does not say so.
    check: Any = dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=CHECK,
        passed=bool(summed["equals_plan"]),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={name: metadata[name] for name in ("items", "planned_items", "left_on_the_way", "steward_plan")},
    )
    context.log_event(check)


def _sum_up(
    context: dg.OpExecutionContext, handed_out: Sequence[dict[str, Any]], options: FanoutOptions
) -> dict[str, Any]:
    wrong = [f"{one['task']}: {one['refused']}" for one in handed_out if "refused" in one]
    done: dict[str, Any] = {}
    for one in handed_out:
        if "refused" in one:
            continue
        task = one["task"]
        _, summed = _answer(options.program, "shards", f"{options.job}/{task}", "--plan", one["digest"])
        if "error" in summed:
            raise dg.Failure(f"{task}: {_said(summed)}")
        _report(context, task, summed, options)
        done[task] = summed["done"]["items"]
        if not summed["complete"]:
            states = ", ".join(f"{shard['shard']} {shard['status']}" for shard in summed["shards"])
            wrong.append(f"{task}: not all shards have succeeded ({states})")
    if wrong:
        raise dg.Failure("; ".join(wrong), allow_retries=False)
    return done


def fanout_job(name: str, options: FanoutOptions, tags: dict[str, str]) -> dg.JobDefinition:
    """The job whose steps are shards."""

    @dg.op(
        name="hand_out_shards",
        description="Plans each task as a whole, and cuts the plan into shards.",
        out={"shards": dg.DynamicOut(dict), "handed_out": dg.Out(list)},
    )
    def hand_out_shards(context: dg.OpExecutionContext, config: Fanout) -> Iterator[Any]:
        handed_out = _hand_out(context, config, options)
        for one in handed_out:
            for shard in one["shards"]:
                yield dg.DynamicOutput(
                    {"task": one["task"], "digest": one["digest"], "shard": shard["shard"]},
                    mapping_key=f"{one['task']}_{shard['shard']}".replace("-", "_").replace(".", "_"),
                    output_name="shards",
                )
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
    def carry_out_shard(context: dg.OpExecutionContext, shard: dict[str, Any]) -> dict[str, Any]:
        run = run_shard(context, options.program, options.job, shard["task"], shard["digest"], shard["shard"])
        context.add_output_metadata({"steward_run": run or "", "task": shard["task"], "shard": shard["shard"]})
        return {**shard, "run": run}

    @dg.op(
        name="sum_up_shards",
        description="Adds up what all shards have done, and checks it against the plan of the whole.",
        ins={"handed_out": dg.In(list), "carried_out": dg.In(list)},
        out=dg.Out(dict),
    )
    def sum_up_shards(
        context: dg.OpExecutionContext, handed_out: list[dict[str, Any]], carried_out: list[dict[str, Any]]
    ) -> dict[str, Any]:
        context.log.info("%d shards were carried out", len(carried_out))
        return _sum_up(context, handed_out, options)

    @dg.job(
        name=name,
        description=f"{options.job}, with each task's work in shards that run side by side.",
        executor_def=options.executor,
        # Steps may be on machines that share no folder.
        resource_defs={"io_manager": event_log_io_manager},
        tags=tags,
    )
    def fan_out() -> None:
        shards, handed_out = hand_out_shards()
        sum_up_shards(handed_out, shards.map(carry_out_shard).collect())

    return fan_out

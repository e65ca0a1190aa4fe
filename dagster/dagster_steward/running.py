"""A run of steward as a step of Dagster's: started, heard through Pipes, and stopped where Dagster stops."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_steward.program import Program, StewardError

#: How long a run may take to stop after a cancel: it finishes the batch at hand. Dagster itself grants 20 s.
STOPPING_SECONDS = 20.0
#: How long messages may be on their way after the program has ended.
CLOSING_SECONDS = 10.0
#: Exit codes after which the same thing would happen again: bad usage, and what a safeguard refused.
FINAL_EXIT_CODES = frozenset({2, 3})

RUN_TAG = "steward/run"
TICK_TAG = "steward/tick"
APPROVAL_TAG = "steward/approval"
_PARENT_TAG = "dagster/parent_run_id"


def _is_unused(program: Program, approval: str) -> bool:
    try:
        return bool(program.ask("approvals", "show", approval)["state"] == "approved")
    except (StewardError, KeyError):
        return True  # the run itself says better what is wrong


def what_it_is_for(program: Program, run: dg.DagsterRun, retry_number: int) -> list[str]:
    """The flags that say so: the run that a person has approved, or the tick of a schedule.

    What repeats a run, by a policy or a person, is a run of its own: the first one has had its tick, and its approval,
    unless it came to nothing before steward took that up.
    """
    repeats = retry_number > 0 or _PARENT_TAG in run.tags
    approval = run.tags.get(APPROVAL_TAG)
    if approval is not None:
        return [] if repeats and not _is_unused(program, approval) else ["--approval", approval]
    return ["--tick", run.tags[TICK_TAG]] if TICK_TAG in run.tags and not repeats else []


def _said(session: dg.PipesSession, event: str) -> Mapping[str, Any]:
    """The last message of steward's own of that kind."""
    for message in reversed(list(session.get_custom_messages())):
        steward = message.get("steward") if isinstance(message, Mapping) else None
        if isinstance(steward, Mapping) and steward.get("event") == event:
            return steward
    return {}


def _await_last_words(session: dg.PipesSession) -> None:
    # Dagster's reader of files stops at their end once it is told to, and may be told just between its last look and
    # its question whether to stop: what was written last would be lost. So it is told when it has heard all.
    deadline = time.monotonic() + CLOSING_SECONDS
    handler = session.message_handler
    while handler.received_opened_message and not handler.received_closed_message and time.monotonic() < deadline:
        time.sleep(0.01)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to stop; where that does not help, insist."""
    for how, patience in (
        (signal.SIGINT, STOPPING_SECONDS),
        (signal.SIGINT, 5.0),  # the second one ends it at once; the next run finishes what it left
        (signal.SIGKILL, 5.0),
    ):
        process.send_signal(how)
        try:
            process.wait(timeout=patience)
            return
        except subprocess.TimeoutExpired:
            continue


def _failure(job: str, code: int, ended: Mapping[str, Any]) -> dg.Failure:
    run, status = ended.get("run"), ended.get("status")
    metadata: dict[str, Any] = {"exit_code": code}
    if run is None:
        return dg.Failure(f"steward run {job} ended with {code}", metadata, code not in FINAL_EXIT_CODES)
    metadata["steward_run"] = str(run)
    wrong = [
        f"{one['task']} {one['status']}"
        for one in ended.get("tasks", ())
        if one["status"] in ("failed", "refused", "cancelled", "waiting")
    ]
    said = f"steward run {run} of {job}: {status}" + (f" ({', '.join(wrong)})" if wrong else "")
    if status == "waiting":
        said += f"; it waits for an approval: steward approvals show {run}"
    return dg.Failure(said, metadata, code not in FINAL_EXIT_CODES)


def _carry_out(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    program: Program,
    words: Sequence[str],
    extras: Mapping[str, Any],
    heard: Callable[[Any, dg.PipesSession], None],
) -> tuple[int, dg.PipesSession]:
    """Start steward, hear it to its end, and stop it where Dagster stops: its exit code, and what it has said.

    ``heard`` is called once it has ended, also where this step was interrupted.
    """
    with dg.open_pipes_session(
        context=context,
        context_injector=dg.PipesTempFileContextInjector(),
        message_reader=dg.PipesTempFileMessageReader(),
        extras=dict(extras),
    ) as session:
        # In a session of its own: a Ctrl-C at a terminal reaches Dagster, which asks steward to stop. Both at once
        # would be two signals, and the second means at once.
        process = subprocess.Popen(
            program.command(*words),
            env=program.environment(session.get_bootstrap_env_vars()),
            cwd=program.cwd,
            start_new_session=True,
        )
        try:
            code = process.wait()
        except BaseException:
            context.log.info("interrupted: steward is asked to stop after the batch at hand")
            _stop(process)
            raise
        finally:
            _await_last_words(session)
            heard(context, session)
    return code, session


def _tag_with_run(context: dg.AssetExecutionContext, session: dg.PipesSession) -> None:
    run = _said(session, "began").get("run")
    if run is not None:
        context.instance.add_run_tags(context.run.run_id, {RUN_TAG: str(run)})


def run_steward(
    context: dg.AssetExecutionContext,
    program: Program,
    job: str,
    tasks: Sequence[str],
    asset_prefix: Sequence[str],
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Carry out a job, or these tasks of it, and give what steward reports.

    What has succeeded is given also where the run as a whole has not; then it ends in a Failure.
    """
    name = f"{job}/{','.join(tasks)}" if tasks else job
    flags = what_it_is_for(program, context.run, context.retry_number)
    # What was approved has its tasks from the run that has asked.
    words = ["run", job if "--approval" in flags else name, *flags]
    code, session = _carry_out(context, program, words, {"asset_prefix": list(asset_prefix)}, _tag_with_run)
    yield from session.get_reported_results()
    if code != 0:
        raise _failure(job, code, _said(session, "ended"))


def run_shard(
    context: dg.OpExecutionContext, program: Program, job: str, task: str, digest: str, shard: int
) -> str | None:
    """Carry out one shard of a plan that was handed out; gives steward's run."""
    words = ["run", f"{job}/{task}", "--plan", digest, "--shard", str(shard)]
    code, session = _carry_out(context, program, words, {}, lambda _context, _session: None)
    if code != 0:
        raise _failure(f"{job}/{task}, shard {shard},", code, _said(session, "ended"))
    run = _said(session, "began").get("run")
    return str(run) if run is not None else None

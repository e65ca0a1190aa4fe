"""The sensor that goes on with runs which waited for an approval, once a person has given it."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg

from dagster_steward.program import Program, StewardError
from dagster_steward.running import APPROVAL_TAG

#: The sensor's name.
APPROVALS_SENSOR = "steward_approvals_sensor"
#: For how long what was rejected, or has expired, is told of.
TOLD_FOR = timedelta(days=7)
#: How many runs of Dagster's are started for one approval, where each dies before steward has taken it up.
STARTS = 3


def _second(moment: datetime) -> str:
    """As steward writes moments, up to the second: texts that can be compared."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


class _Look:
    """One look at all questions of some jobs."""

    def __init__(self, context: dg.SensorEvaluationContext, program: Program, jobs: Mapping[str, str]) -> None:
        self._context, self._program, self._jobs = context, program, jobs
        now = datetime.now(timezone.utc)
        self._now, self._since = _second(now), _second(now - TOLD_FOR)
        self.requests: list[dg.RunRequest] = []
        self.said: list[str] = []

    def at(self, job: str) -> None:
        """What has become of the job's questions."""
        try:
            answer = self._program.ask("approvals", "list", "--all", "--job", job)
            for approval in answer["approvals"]:
                if approval["state"] == "approved":
                    self._begin(job, str(approval["run"]))
                else:
                    self._tell(job, approval)
        except StewardError as error:
            self.said.append(str(error))

    def _tell(self, job: str, approval: Mapping[str, Any]) -> None:
        state, decided = approval["state"], approval["decided"]
        if state == "used":
            return
        if state == "waiting" and approval["expires"][:19] <= self._now:
            # The ledger has it as waiting until a daemon of steward's sees to it.
            state, decided = "expired", approval["expires"]
        if decided and decided[:19] < self._since:
            return
        by = f" by {approval['decided_by']}" if approval["decided_by"] and state != "expired" else ""
        why = f": {approval['reason']}" if approval["reason"] else ""
        self.said.append(f"run {approval['run']} of {job}: {state}{by}{why}")

    def _begin(self, job: str, run: str) -> None:
        """Asks for a run that carries out what was approved.

        Dagster makes one run of one key, and steward's approval is used once, whoever comes. The next key is for where
        that run has ended and the approval is still there: steward was never started, or could not write its ledger.
        """
        starts = self._context.instance.get_runs(filters=dg.RunsFilter(tags={APPROVAL_TAG: run}))
        under_way = next((one.run_id for one in starts if not one.is_finished), None)
        if under_way is not None:
            self.said.append(f"run {run} of {job}: approved, and Dagster's run {under_way} begins with it")
        elif len(starts) >= STARTS:
            self.said.append(
                f"run {run} of {job}: approved, and {len(starts)} runs of Dagster's have ended before steward has taken"
                f" it up: steward run {job} --approval {run}"
            )
        elif (other := self._at_work(job)) is not None:
            # It would find its targets locked, and the approval would be used up.
            self.said.append(f"run {run} of {job}: approved, and begins when run {other} has ended")
        else:
            key = f"approval {run}" + (f" {len(starts) + 1}" if starts else "")
            self.requests.append(dg.RunRequest(job_name=self._jobs[job], run_key=key, tags={APPROVAL_TAG: run}))

    def _at_work(self, job: str) -> str | None:
        runs = self._program.ask("runs", "--job", job)["runs"]
        return next((str(one["run"]) for one in runs if one["status"] == "running"), None)


def approvals_sensor(program: Program, jobs: Mapping[str, Any], seconds: int) -> dg.SensorDefinition:
    """Made of the jobs whose runs it is to go on with, by steward's names."""

    @dg.sensor(
        name=APPROVALS_SENSOR,
        jobs=list(jobs.values()),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run of steward's that waited, once it is approved; and once.",
    )
    def look(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        found = _Look(context, program, {name: job.name for name, job in jobs.items()})
        for job in jobs:
            found.at(job)
        if not found.requests:
            return dg.SkipReason("; ".join(found.said) or "nothing waits for an approval")
        for line in found.said:
            context.log.info(line)
        return found.requests

    return look

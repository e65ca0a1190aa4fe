"""A whole Dagster, as people have it: webserver, daemon and code locations, asked over GraphQL."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import dagster as dg
import pytest
from dagster_graphql import DagsterGraphQLClient

from tests.conftest import Shop, await_that, hears_interrupts

DEFINITIONS = """
from dagster_steward import steward_definitions

# Each minute, once somebody has started it where it is steward's own in steward's configuration.
defs = steward_definitions(
    {config!r},
    binary={binary!r},
    env={env!r},
    cache={cache!r},
    schedules={{"cleanup": "* * * * *", "backup": "* * * * *", "rotate-logs": "* * * * *"}},
    key_prefix=[{prefix!r}],
    approvals_seconds=1,
)
"""

# As teams have it that want crashed runs repeated.
INSTANCE = """
telemetry: {enabled: false}
run_retries: {enabled: true, max_retries: 2}
"""

START_SCHEDULE = """
mutation ($selector: ScheduleSelector!) {
  startSchedule(scheduleSelector: $selector) { __typename ... on PythonError { message } }
}
"""
STOP_SCHEDULE = """
mutation ($id: String!) { stopRunningSchedule(id: $id) { __typename ... on PythonError { message } } }
"""
REEXECUTE = """
mutation ($parent: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $parent, strategy: ALL_STEPS}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
SCHEDULE_TICKS = """
query ($selector: ScheduleSelector!) {
  scheduleOrError(scheduleSelector: $selector) {
    ... on Schedule { scheduleState { id ticks(limit: 20) { status skipReason runIds timestamp } } }
  }
}
"""
SENSOR_TICKS = """
query ($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    ... on Sensor { sensorState { ticks(limit: 20) { status skipReason runIds timestamp } } }
  }
}
"""
MATERIALISATIONS = """
query ($key: AssetKeyInput!) {
  assetOrError(assetKey: $key) {
    ... on Asset {
      assetMaterializations(limit: 5) {
        runId
        metadataEntries { label ... on IntMetadataEntry { intValue } ... on MarkdownMetadataEntry { mdStr } }
      }
    }
  }
}
"""

#: Steward's own to fire, and not started here; the same, started; Dagster's, under a blackout and with approvals.
OWN, TICKING, ASKING = "own.py", "ticking.py", "asking.py"
BLACKOUT = 'scheduler: dagster, blackout: {from: "2020-01-01", to: "2999-01-01"}, approval: '


class Served:
    """A Dagster upon some shops."""

    def __init__(self, shops: dict[str, Shop], folder: Path) -> None:
        self.shops = shops
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text(INSTANCE)
        for location, shop in shops.items():
            (folder / location).write_text(
                DEFINITIONS.format(
                    config=str(shop.config),
                    binary=shop.binary,
                    env=shop.env,
                    cache=str(shop.root / "catalogue.json"),
                    prefix=Path(location).stem,
                )
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{port}"
        self.log = folder / "log"
        words = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1", "-p", str(port)]
        for location in shops:
            words += ["-f", location]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                env={**os.environ, "DAGSTER_HOME": str(self.home), "PYTHONPATH": str(Path(__file__).parent.parent)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=hears_interrupts,
            )
        await_that(self.is_up, f"Dagster is up: {self.log}")
        self.client = DagsterGraphQLClient("127.0.0.1", port_number=port)

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urlopen(f"{self.origin}/server_info", timeout=2):
                return True
        except (URLError, OSError):
            return False

    def ask(self, query: str, variables: dict[str, Any]) -> Any:
        return self.client._execute(query, variables)

    def launch(self, location: str, job: str = "cleanup_job") -> str:
        return self.client.submit_job_execution(
            job, repository_location_name=location, repository_name="__repository__"
        )

    def status(self, run: str) -> str:
        return self.client.get_run_status(run).value

    def ended(self, run: str) -> str:
        return str(
            await_that(
                lambda: (found := self.status(run)) in ("SUCCESS", "FAILURE", "CANCELED") and found,
                f"the run {run} has ended: {self.log}",
            )
        )

    def schedule(self, location: str, name: str = "hourly_cleanup_schedule") -> Any:
        """How it stands; its ticks the newest first."""
        answer = self.ask(SCHEDULE_TICKS, {"selector": schedule_of(location, name)})
        return answer["scheduleOrError"]["scheduleState"]

    def sensor_ticks(self, location: str) -> list[Any]:
        """The newest first."""
        selector = {**repository_of(location), "sensorName": "steward_approvals_sensor"}
        answer = self.ask(SENSOR_TICKS, {"selector": selector})
        return list(answer["sensorOrError"]["sensorState"]["ticks"])

    def sensor_says(self, location: str, what: str) -> None:
        """Waits until it does."""
        await_that(
            lambda: any(what in (tick["skipReason"] or "") for tick in self.sensor_ticks(location)[:2]),
            f"the sensor says: {what}; {self.sensor_ticks(location)[:2]}",
        )

    def runs_with(self, tags: dict[str, str]) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs(filters=dg.RunsFilter(tags=tags)))

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def repository_of(location: str) -> dict[str, str]:
    return {"repositoryName": "__repository__", "repositoryLocationName": location}


def schedule_of(location: str, name: str) -> dict[str, str]:
    return {**repository_of(location), "scheduleName": name}


#: Of steward's jobs: Dagster's, and its schedule.
JOBS = {
    "cleanup": ("cleanup_job", "hourly_cleanup_schedule"),
    "backup": ("backup_job", "daily_backup_schedule"),
    "rotate-logs": ("rotate_logs_job", "daily_log_rotation_schedule"),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    shops: dict[str, Shop] = {}
    own = "schedule: '0 3 * * *'"
    for location, cleanup in {OWN: own, TICKING: own, ASKING: BLACKOUT + "required"}.items():
        folder = root / Path(location).stem
        folder.mkdir()
        shops[location] = Shop(folder, os.environ["STEWARD_PROGRAM"])
        shops[location].configure(cleanup)
        if location != ASKING:
            shops[location].add_other_jobs(backup="scheduler: steward")
    dagster = Served(shops, root)
    for _, schedule in JOBS.values():
        started = dagster.ask(START_SCHEDULE, {"selector": schedule_of(TICKING, schedule)})
        assert started["startSchedule"]["__typename"] == "ScheduleStateResult"
    yield dagster
    dagster.end()


def test_a_run_from_the_browser_arrives_with_its_materialisations(served: Served) -> None:
    shop = served.shops[OWN]
    run = served.launch(OWN)
    assert served.ended(run) == "SUCCESS", served.log.read_text()
    assert shop.logs() == ["new.log"]
    key = {"path": ["own", "cleanup", "purge-logs"]}
    asset = served.ask(MATERIALISATIONS, {"key": key})["assetOrError"]
    (made,) = asset["assetMaterializations"]
    assert made["runId"] == run
    entries = {entry["label"]: entry for entry in made["metadataEntries"]}
    assert entries["items"]["intValue"] == 1
    assert "| planned | 1 item" in entries["plan"]["mdStr"]
    assert shop.runs()[0]["dagster_run"] == run


def test_a_run_that_is_terminated_is_cancelled_on_both_sides(served: Served) -> None:
    shop = served.shops[OWN]
    shop.add_old_signal()
    left = shop.rows("signals")
    other = sqlite3.connect(shop.root / "app.db", isolation_level=None)
    other.execute("begin immediate")  # steward waits for it
    run = served.launch(OWN)
    await_that(lambda: any(one["dagster_run"] == run for one in shop.runs()), "steward is at work")
    served.client.terminate_run(run)
    assert served.ended(run) == "CANCELED"
    await_that(lambda: shop.runs()[0]["status"] == "cancelled", "steward's run is, too")
    other.execute("rollback")
    assert shop.rows("signals") == left
    # And a person who repeats it has it done.
    again = served.ask(REEXECUTE, {"parent": run})["launchRunReexecution"]
    assert served.ended(again["run"]["runId"]) == "SUCCESS"
    assert shop.rows("signals") == left - 1


@pytest.mark.parametrize("job", ["backup_job", "rotate_logs_job", "cleanup_fanout_job"])
def test_each_job_runs_from_the_browser(served: Served, job: str) -> None:
    shop = served.shops[OWN]
    shop.add_old_signal()
    run = served.launch(OWN, job)
    assert served.ended(run) == "SUCCESS", served.log.read_text()
    if job == "cleanup_fanout_job":
        assert shop.rows("signals") == 1


@pytest.mark.parametrize("job", JOBS)
def test_a_schedule_fires_a_tick_that_steward_knows(served: Served, job: str) -> None:
    shop = served.shops[TICKING]

    def fired() -> Any:
        ticks = shop.steward("schedule", job, "--past")["ticks"]
        return [tick for tick in ticks if tick["outcome"] == "fired"]

    tick = await_that(fired, "a tick has fired", 150)[-1]
    stopped = served.ask(STOP_SCHEDULE, {"id": served.schedule(TICKING, JOBS[job][1])["id"]})["stopRunningSchedule"]
    assert stopped["__typename"] == "ScheduleStateResult", stopped
    (of_tick,) = [run for run in served.runs_with({"steward/tick": tick["tick"]}) if run.tags["steward/job"] == job]
    assert served.ended(of_tick.run_id) == "SUCCESS", served.log.read_text()
    assert tick["daemon"] == f"dagster run {of_tick.run_id}"


def asking(served: Served) -> tuple[str, str]:
    """A run of Dagster's that has asked, and steward's run that waits."""
    shop = served.shops[ASKING]
    shop.add_old_signal()
    dagsters = served.launch(ASKING)
    assert served.ended(dagsters) == "FAILURE"
    (run,) = [one for one in shop.runs() if one["status"] == "waiting"]
    return dagsters, str(run["run"])


def test_the_sensor_starts_what_was_approved_once_and_it_is_carried_out_once(served: Served) -> None:
    shop = served.shops[ASKING]
    first, run = asking(served)
    left = shop.rows("signals")
    served.sensor_says(ASKING, f"run {run} of cleanup: waiting")
    shop.steward("approvals", "approve", run)
    tags = {"steward/approval": run}
    (second,) = await_that(lambda: served.runs_with(tags), "the sensor has started a run")
    assert served.ended(second.run_id) == "SUCCESS", served.log.read_text()
    assert left > 1 == shop.rows("signals")
    (carried_out,) = shop.runs()
    assert (carried_out["run"], carried_out["status"]) == (run, "succeeded")
    assert carried_out["dagster_run"] == second.run_id
    assert {one.run_id for one in served.runs_with({"steward/run": run})} == {first, second.run_id}
    # It looks every second, and goes on doing so.
    last = served.sensor_ticks(ASKING)[0]["timestamp"]
    await_that(
        lambda: sum(tick["timestamp"] > last for tick in served.sensor_ticks(ASKING)) >= 2, "the sensor looks again"
    )
    assert [one.run_id for one in served.runs_with(tags)] == [second.run_id]
    # A run that asks has failed in Dagster, which repeats runs here; but not those.
    assert served.runs_with({"dagster/parent_run_id": first}) == []


def test_the_sensor_says_who_has_rejected_a_run_and_why(served: Served) -> None:
    shop = served.shops[ASKING]
    _, run = asking(served)
    left = shop.rows("signals")
    shop.steward("approvals", "reject", run, "--reason", "the import ran twice")
    (who,) = [one["decided_by"] for one in shop.steward("approvals", "list", "--all")["approvals"] if one["run"] == run]
    served.sensor_says(ASKING, f"run {run} of cleanup: rejected by {who}: the import ran twice")
    assert served.runs_with({"steward/approval": run}) == []
    assert shop.rows("signals") == left


def test_the_sensor_says_that_nobody_has_answered_in_time(served: Served) -> None:
    shop = served.shops[ASKING]
    shop.configure(BLACKOUT + "{when: required, expires_in: 5s}")
    _, run = asking(served)
    left = shop.rows("signals")
    served.sensor_says(ASKING, f"run {run} of cleanup: expired")
    assert served.runs_with({"steward/approval": run}) == []
    assert shop.rows("signals") == left


def test_a_tick_in_a_blackout_starts_nothing_and_says_so(served: Served) -> None:
    tick = await_that(lambda: served.schedule(ASKING)["ticks"], "a tick has come", 150)[-1]
    said = "cleanup: blackout 2020-01-01 to 2999-01-01, until 2999-01-02T00:00:00Z"
    assert (tick["status"], tick["skipReason"], tick["runIds"]) == ("SKIPPED", said, [])
    assert served.shops[ASKING].steward("schedule", "cleanup", "--past")["ticks"] == []

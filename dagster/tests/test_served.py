"""A whole Dagster, as people have it: webserver, daemon and code location, asked over GraphQL."""

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

# Each minute, once somebody has started it: in steward's configuration it is steward's own.
defs = steward_definitions(
    {config!r}, binary={binary!r}, env={env!r}, cache={cache!r}, schedules={{"cleanup": "* * * * *"}}
)
"""

START_SCHEDULE = """
mutation ($selector: ScheduleSelector!) {
  startSchedule(scheduleSelector: $selector) { __typename ... on PythonError { message } }
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


class Served:
    """A Dagster upon a shop."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop = shop
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        (folder / "definitions.py").write_text(
            DEFINITIONS.format(
                config=str(shop.config), binary=shop.binary, env=shop.env, cache=str(folder / "catalogue.json")
            )
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{port}"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("dagster")),
                    "dev",
                    "-f",
                    "definitions.py",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                ],
                cwd=folder,
                env={**os.environ, "DAGSTER_HOME": str(self.home), "PYTHONPATH": str(Path(__file__).parent.parent)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=hears_interrupts,
            )
        await_that(self.is_up, f"Dagster is up: {self.log}")
        self.client = DagsterGraphQLClient("127.0.0.1", port_number=port)
        self.location = "definitions.py"

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urlopen(f"{self.origin}/server_info", timeout=2):
                return True
        except (URLError, OSError):
            return False

    def ask(self, query: str, variables: dict[str, Any]) -> Any:
        return self.client._execute(query, variables)

    def launch(self) -> str:
        return self.client.submit_job_execution(
            "cleanup_job", repository_location_name=self.location, repository_name="__repository__"
        )

    def status(self, run: str) -> str:
        return self.client.get_run_status(run).value

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    (root / "shop").mkdir()
    shop = Shop(root / "shop", os.environ["STEWARD_PROGRAM"])
    shop.configure("schedule: '0 3 * * *'")
    dagster = Served(shop, root)
    yield dagster
    dagster.end()


def test_a_run_from_the_browser_arrives_with_its_materialisations(served: Served) -> None:
    run = served.launch()
    await_that(lambda: served.status(run) in ("SUCCESS", "FAILURE"), "the run has ended")
    assert served.status(run) == "SUCCESS", served.log.read_text()
    assert served.shop.logs() == ["new.log"]
    key = {"path": ["steward", "cleanup", "purge-logs"]}
    asset = served.ask(MATERIALISATIONS, {"key": key})["assetOrError"]
    (made,) = asset["assetMaterializations"]
    assert made["runId"] == run
    entries = {entry["label"]: entry for entry in made["metadataEntries"]}
    assert entries["items"]["intValue"] == 1
    assert "| planned | 1 item" in entries["plan"]["mdStr"]
    assert served.shop.runs()[0]["dagster_run"] == run


def test_a_run_that_is_terminated_is_cancelled_on_both_sides(served: Served) -> None:
    with sqlite3.connect(served.shop.root / "app.db") as database:
        database.execute("insert into signals (created_at) values ('2020-01-01T00:00:00Z')")
    other = sqlite3.connect(served.shop.root / "app.db", isolation_level=None)
    other.execute("begin immediate")  # steward waits for it
    run = served.launch()
    await_that(lambda: served.shop.runs()[0]["dagster_run"] == run, "steward is at work")
    served.client.terminate_run(run)
    await_that(lambda: served.status(run) == "CANCELED", "Dagster's run is cancelled")
    assert await_that(lambda: served.shop.runs()[0]["status"] == "cancelled", "steward's run is, too")
    other.execute("rollback")
    assert served.shop.rows("signals") == 2


def test_a_schedule_fires_a_tick_that_steward_knows(served: Served) -> None:
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": served.location,
        "scheduleName": "hourly_cleanup_schedule",
    }
    assert served.ask(START_SCHEDULE, {"selector": selector})["startSchedule"]["__typename"] == "ScheduleStateResult"

    def fired() -> Any:
        ticks = served.shop.steward("schedule", "cleanup", "--past")["ticks"]
        return [tick for tick in ticks if tick["outcome"] == "fired"]

    tick = await_that(fired, "a tick has fired", 150)[0]
    with dg.DagsterInstance.from_config(str(served.home)) as instance:
        (of_tick,) = instance.get_runs(filters=dg.RunsFilter(tags={"steward/tick": tick["tick"]}))
        await_that(lambda: served.status(of_tick.run_id) == "SUCCESS", "its run has succeeded")
    assert tick["daemon"] == f"dagster run {of_tick.run_id}"

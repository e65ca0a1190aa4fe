"""A shop for steward to look after: a database, log files, a configuration; all in one folder."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_steward import steward_definitions

OLD, NEW = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"

CONFIGURATION = """
version: 1
databases:
  app: sqlite:///{root}/app.db
stores:
  cold: file://{root}/cold
cleanup:
  archive-orders: {{kind: rows, table: orders, age_column: created_at, age: 12 months, archive: cold}}
  purge-signals: {{kind: rows, table: signals, age_column: created_at, age: 30 days}}
  purge-logs: {{kind: files, folder: {root}/logs, age: 30 days}}
jobs:
  cleanup: {{{cleanup}}}
"""


OTHER_JOBS = """
  backup: {{{backup}}}
backup:
  nightly: {{database: app, store: cold, proof: {{every: 7 days}}, keep: {{daily: 14}}}}
rotate-logs:
  web: {{folder: {root}/logs}}
"""


class Installation:
    """The program, a configuration, and a state directory of its own."""

    def __init__(self, root: Path, binary: str, env: dict[str, str] | None = None) -> None:
        self.root = root
        self.binary = binary
        self.config = root / "steward.yaml"
        self.env = {"STEWARD_STATE_DIR": str(root / "state"), "STEWARD_CONFIG": "", **(env or {})}

    def steward(self, *words: str) -> Any:
        """What it answers, whatever its exit code."""
        answer = subprocess.run(
            [self.binary, "--config", str(self.config), *words, "--json"],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        return json.loads(answer.stdout)

    def runs(self) -> list[Any]:
        """Newest first."""
        return list(self.steward("runs")["runs"])

    def definitions(self, **options: Any) -> dg.Definitions:
        return steward_definitions(
            self.config,
            **{
                "binary": self.binary,
                "env": self.env,
                "cache": self.root / "cache" / "catalogue.json",
                **options,
            },
        )


class Shop(Installation):
    """Where steward works, and what is left there."""

    def __init__(self, root: Path, binary: str) -> None:
        super().__init__(root, binary)
        (root / "logs").mkdir()
        with sqlite3.connect(root / "app.db") as database:
            for table in ("orders", "signals"):
                database.execute(f"create table {table} (id integer primary key, created_at text not null)")
                database.executemany(f"insert into {table} (created_at) values (?)", [(OLD,), (OLD,), (NEW,)])
        for name, days in (("old.log", 40), ("new.log", 1)):
            self.log(name, days)
        self.configure()

    def configure(self, cleanup: str = "scheduler: dagster") -> None:
        self.config.write_text(CONFIGURATION.format(root=self.root, cleanup=cleanup))

    def add_other_jobs(self, backup: str = "scheduler: dagster") -> None:
        """A backup, and logs that are rotated."""
        self.config.write_text(self.config.read_text().rstrip() + OTHER_JOBS.format(root=self.root, backup=backup))

    def log(self, name: str, days: float) -> None:
        path = self.root / "logs" / name
        path.write_text("x" * 10)
        at = time.time() - days * 86400
        os.utime(path, (at, at))

    def add_old_signal(self) -> None:
        with sqlite3.connect(self.root / "app.db") as database:
            database.execute("insert into signals (created_at) values (?)", [OLD])

    def rows(self, table: str) -> int:
        with sqlite3.connect(self.root / "app.db") as database:
            return int(database.execute(f"select count(*) from {table}").fetchone()[0])

    def logs(self) -> list[str]:
        return sorted(path.name for path in (self.root / "logs").iterdir())


@pytest.fixture
def binary() -> str:
    path = Path(os.environ["STEWARD_PROGRAM"])
    assert path.is_file(), f"{path} is not built"
    return str(path)


@pytest.fixture
def shop(tmp_path: Path, binary: str) -> Shop:
    return Shop(tmp_path, binary)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def hears_interrupts() -> None:
    """For a child before it begins: a shell that starts tests in the background has SIGINT ignored in all of them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def await_that(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Ask again and again; what is not so in time fails the test."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"it never came: {what}")

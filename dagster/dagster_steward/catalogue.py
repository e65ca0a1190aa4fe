"""What jobs steward has, as ``steward catalogue --json`` tells it, with a copy for when it cannot.

A code location that does not load takes all of its jobs along. So what was read last is kept in a file, and stands in
where the program is gone, does not answer or says something that is no catalogue.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dagster_steward.program import Program, StewardError

#: The format of catalogue that this package reads.
FORMAT = 1


class CatalogueError(StewardError):
    """steward could not be asked what jobs there are, with the reason."""


@dataclass(frozen=True)
class Task:
    """One task of a job, such as ``purge-signals``."""

    name: str
    title: str
    kind: str
    state: str
    needs: tuple[str, ...] = ()
    off_by: str | None = None
    checks: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether a run of its job would carry it out."""
        return self.state == "ready"

    @property
    def why_not(self) -> str:
        """What is to be done so that it is ready, in a few words; empty where it is."""
        if self.state == "off":
            return f"off by {self.off_by}"
        if self.state == "not_configured":
            return "not configured" + (f": set {', '.join(self.needs)}" if self.needs else "")
        return ""


@dataclass(frozen=True)
class Job:
    """A job with its tasks, and when it is due."""

    name: str
    title: str
    owner: str
    cron: str | None
    every_seconds: int | None
    time_zone: str
    tasks: tuple[Task, ...] = ()

    @property
    def ready(self) -> tuple[Task, ...]:
        """Those of its tasks that a run would carry out."""
        return tuple(task for task in self.tasks if task.is_ready)


@dataclass(frozen=True)
class Catalogue:
    """All jobs of a configuration."""

    version: str
    environment: str
    dashboard: str | None
    jobs: tuple[Job, ...] = ()
    #: Why this is the copy of an earlier answer, and not an answer; empty where it is one.
    stale: str = field(default="", compare=False)


def _task(document: Mapping[str, Any]) -> Task:
    return Task(
        name=str(document["task"]),
        title=str(document["title"]),
        kind=str(document["kind"]),
        state=str(document["state"]),
        needs=tuple(str(name) for name in document.get("needs") or ()),
        off_by=document.get("off_by"),
        checks=tuple(str(name) for name in document.get("checks") or ()),
    )


def _job(document: Mapping[str, Any]) -> Job:
    schedule = document["schedule"]
    return Job(
        name=str(document["job"]),
        title=str(document["title"]),
        owner=str(schedule["owner"]),
        cron=schedule["cron"],
        every_seconds=schedule["every_seconds"],
        time_zone=str(schedule["time_zone"]),
        tasks=tuple(_task(task) for task in document["tasks"]),
    )


def parse_catalogue(text: str) -> Catalogue:
    """Read the document of ``steward catalogue --json``."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise CatalogueError(
                f"the catalogue has format {document['format']}, and this dagster-steward reads {FORMAT}: "
                "install the one that goes with this steward"
            )
        return Catalogue(
            version=str(document["version"]),
            environment=str(document["environment"]),
            dashboard=document["dashboard"],
            jobs=tuple(_job(job) for job in document["jobs"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogueError(f"what steward answered is no catalogue: {error!r}") from error


def default_cache(binary: str, config: str | None) -> Path:
    """The file of the copy, for this program and configuration."""
    of = hashlib.sha256(f"{binary}\0{config or ''}".encode()).hexdigest()[:16]
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "dagster-steward" / f"catalogue-{of}.json"


def _keep(cache: Path, text: str) -> None:
    """Replace the copy whole. Without one all goes well today."""
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache.parent, prefix=cache.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(cache)


def catalogue_of(program: Program, cache: Path | None = None, timeout: float = 30) -> Catalogue:
    """As ``read_catalogue``, of a program."""
    cache = cache or default_cache(program.binary, program.config)
    try:
        text = program.answer("catalogue", timeout=timeout)
        catalogue = parse_catalogue(text)
    except StewardError as error:
        try:
            copy = parse_catalogue(cache.read_text(encoding="utf-8"))
        except (OSError, StewardError):
            raise CatalogueError(str(error), error.exit_code, error.words) from error
        return replace(copy, stale=str(error))
    _keep(cache, text)
    return catalogue


def read_catalogue(
    binary: str = "steward",
    config: str | None = None,
    env: Mapping[str, str] | None = None,
    cache: Path | None = None,
    timeout: float = 30,
) -> Catalogue:
    """Ask steward for its catalogue; where it cannot say, give the copy of its last answer.

    Raises:
        CatalogueError: There is neither an answer nor a copy.
    """
    return catalogue_of(Program(binary, config, env or {}), cache, timeout)

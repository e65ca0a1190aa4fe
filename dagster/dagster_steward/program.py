"""steward as a program: how it is started, and how it is asked."""

import contextlib
import json
import os
import subprocess
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any


class StewardError(Exception):
    """steward could not be asked, or answers with an error."""

    def __init__(self, what: str, exit_code: int | None = None, words: str = "") -> None:
        super().__init__(what)
        #: None: it did not come to an end by itself.
        self.exit_code = exit_code
        #: What it says of it itself, with its hint; else the same as the whole.
        self.words = words or what


def _error_in(text: str) -> str:
    """The error that a document tells of; empty where it is none, or tells of none."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        error = json.loads(text)["error"]
        return ": ".join(str(part) for part in (error.get("message"), error.get("hint")) if part)
    return ""


@dataclass(frozen=True)
class Program:
    """How steward is started."""

    binary: str = "steward"
    config: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None

    def command(self, *words: str) -> list[str]:
        """Its command line."""
        return [self.binary, *(["--config", self.config] if self.config else []), *words]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of this process, with those that were given."""
        return {**os.environ, **self.env, **(more or {})}

    def answer(self, *words: str, timeout: float | None = 30, fine: Container[int] = (0,)) -> str:
        """What it prints with ``--json``.

        Args:
            words: The command.
            timeout: How long it may take.
            fine: Exit codes of an answer; one that tells of an error is none all the same.

        Raises:
            StewardError: It was not there, not in time, or has ended otherwise.
        """
        command = self.command(*words, "--json")
        try:
            done = subprocess.run(
                command,
                env=self.environment({"STEWARD_TRIGGER": "dagster"}),
                cwd=self.cwd,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except OSError as error:
            raise StewardError(f"{self.binary} could not be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise StewardError(f"{' '.join(command)} gave no answer within {timeout:g} s") from error
        told = _error_in(done.stdout)
        if done.returncode in fine and not told:
            return done.stdout
        why = told or done.stderr.strip() or "without a word"
        raise StewardError(f"{' '.join(command)} ended with {done.returncode}: {why}", done.returncode, told)

    def ask(self, *words: str, timeout: float | None = 30, fine: Container[int] = (0,)) -> Any:
        """The same, as the document that it is.

        Raises:
            StewardError: As ``answer``; or it is none.
        """
        text = self.answer(*words, timeout=timeout, fine=fine)
        try:
            return json.loads(text)
        except ValueError as error:
            raise StewardError(f"what {' '.join(self.command(*words))} answered is not JSON") from error

"""Steward's Pipes library, heard by Dagster itself.

The same questions as the community's conformance suite asks, and some more: what comes to Dagster, through each way in
which a context and messages can travel. The program is build/pipes_tests.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader
from dagster_pipes import encode_param

EXTRAS: list[dict[str, Any]] = [
    {},
    {"foo": "bar"},
    {"foo": "bar", "baz": 1, "qux": [1, 2, 3], "quux": {"a": 1, "b": 2.5}, "corge": None},
    {"text": 'äöü \N{GRINNING FACE} " \\ \n\t/', "long": "x" * 200_000},
]

PAYLOADS: list[Any] = [
    {"foo": "bar"},
    {"quux": {"a": 1, "b": None}, "qux": [1, [2, {"c": True}]]},
    1,
    -(2**53),
    1.5,
    "foo",
    "\N{GRINNING FACE} two\nlines",
    [1, 2, 3],
    True,
    None,
]

METADATA = {
    "bool_true": dg.MetadataValue.bool(True),
    "bool_false": dg.MetadataValue.bool(False),
    "float": dg.MetadataValue.float(0.1),
    "int": dg.MetadataValue.int(1),
    "url": dg.MetadataValue.url("https://dagster.io"),
    "path": dg.MetadataValue.path("/dev/null"),
    "null": dg.MetadataValue.null(),
    "md": dg.MetadataValue.md("**markdown**"),
    "json": dg.MetadataValue.json({"quux": {"a": 1, "b": 2}, "corge": None, "qux": [1, 2, 3], "foo": "bar", "baz": 1}),
    "text": dg.MetadataValue.text("hello"),
    "asset": dg.MetadataValue.asset(dg.AssetKey(["foo", "bar"])),
    "dagster_run": dg.MetadataValue.dagster_run("db892d7f-0031-4747-973d-22e8b9095d9d"),
    "notebook": dg.MetadataValue.notebook("notebook.ipynb"),
}


@pytest.fixture(params=["environment", "file", "bucket"])
def injector(request: pytest.FixtureRequest, bucket: Any) -> Any:
    if request.param == "environment":
        return dg.PipesEnvContextInjector()
    if request.param == "file":
        return dg.PipesTempFileContextInjector()
    return PipesS3ContextInjector(client=bucket.client, bucket=bucket.name)


@pytest.fixture(params=["file", "file and output", "bucket"])
def reader(request: pytest.FixtureRequest, bucket: Any) -> Any:
    if request.param == "bucket":
        return PipesS3MessageReader(client=bucket.client, bucket=bucket.name)
    return dg.PipesTempFileMessageReader(include_stdio_in_messages=request.param != "file")


def wait_for_the_end_of(session: dg.PipesSession) -> None:
    """Dagster's reader of files stops at the end of the file once it is told to, and may be told between its last look
    at the file and its question whether to stop: then it misses what was written last (seen with 1.13.27)."""
    deadline = time.monotonic() + 20
    while not session.message_handler.received_closed_message and time.monotonic() < deadline:
        if isinstance(session.message_handler._message_reader, PipesS3MessageReader):
            return
        time.sleep(0.01)


@pytest.fixture
def run(program: str, bucket: Any) -> Any:
    """Starts the program in a step of Dagster's with one asset, and gives what it said."""

    def start(
        test: str,
        *flags: str,
        injector: Any = None,
        reader: Any = None,
        extras: dict[str, Any] | None = None,
        raise_on_error: bool = True,
    ) -> Any:
        heard: list[Any] = []

        @dg.asset(check_specs=[dg.AssetCheckSpec(name="my_check", asset="my_asset")], name="my_asset")
        def my_asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
            with dg.open_pipes_session(
                context=context,
                context_injector=injector or dg.PipesTempFileContextInjector(),
                message_reader=reader or dg.PipesTempFileMessageReader(),
                extras=extras,
            ) as said:
                command = [program, "--test-name", test, "--job-name", context.run.job_name, *flags]
                environment = {**os.environ, **bucket.environment, **said.get_bootstrap_env_vars()}
                ended = subprocess.run(command, env=environment, timeout=60, check=False)
                wait_for_the_end_of(said)
            heard.append(said)
            yield from said.get_results()
            if not any(isinstance(one, dg.AssetCheckResult) for one in said.get_results()):
                yield dg.AssetCheckResult(check_name="my_check", passed=True)
            if ended.returncode != 0:
                raise dg.Failure(f"exit code {ended.returncode}")

        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize([my_asset], instance=instance, raise_on_error=raise_on_error)
            logs = instance.all_logs(result.run_id)
        return result, (heard[0] if heard else None), logs

    return start


def a_file(folder: Path, document: Any) -> str:
    path = folder / "document.json"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize("extras", EXTRAS, ids=range(len(EXTRAS)))
def test_context_and_messages_travel_every_way(
    run: Any, injector: Any, reader: Any, extras: dict[str, Any], tmp_path: Path
) -> None:
    result, said, _ = run(
        "test_components",
        "--extras",
        a_file(tmp_path, extras),
        injector=injector,
        reader=reader,
        extras=extras,
    )
    assert result.success
    assert list(said.get_custom_messages()) == ["Hello from external process!"]


def test_each_level_of_a_log_arrives_as_that_level(run: Any) -> None:
    _, _, logs = run("test_message_log")
    levels = {
        entry.user_message: entry.level
        for entry in logs
        if entry.user_message.endswith(" message") and not entry.is_dagster_event
    }
    assert levels == {
        "Debug message": 10,
        "Info message": 20,
        "Warning message": 30,
        "Error message": 40,
        "Critical message": 50,
    }


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_any_json_is_a_custom_message(run: Any, payload: Any, tmp_path: Path) -> None:
    flag = a_file(tmp_path, {"payload": payload})
    _, said, _ = run("test_message_report_custom_message", "--custom-payload", flag)
    assert list(said.get_custom_messages()) == [payload]


@pytest.mark.parametrize("version", [None, "alpha"])
@pytest.mark.parametrize("key", [None, "my_asset"])
def test_a_materialisation_has_each_type_of_metadata(
    run: Any, version: str | None, key: str | None, tmp_path: Path
) -> None:
    wanted = {name: value for name, value in (("dataVersion", version), ("assetKey", key)) if value}
    _, said, _ = run(
        "test_message_report_asset_materialization",
        "--report-asset-materialization",
        a_file(tmp_path, wanted),
    )
    (materialized,) = [one for one in said.get_results() if isinstance(one, dg.MaterializeResult)]
    assert materialized.asset_key == dg.AssetKey("my_asset")
    assert (materialized.data_version and materialized.data_version.value) == version
    assert materialized.metadata == METADATA


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize("severity", ["WARN", "ERROR"])
def test_a_check_has_its_verdict_and_severity(run: Any, passed: bool, severity: str, tmp_path: Path) -> None:
    wanted = {"passed": passed, "severity": severity, "checkName": "my_check"}
    _, said, _ = run("test_message_report_asset_check", "--report-asset-check", a_file(tmp_path, wanted))
    (check,) = [one for one in said.get_results() if isinstance(one, dg.AssetCheckResult)]
    assert (check.passed, check.severity.value) == (passed, severity)
    assert check.metadata == METADATA


def test_an_exception_arrives_with_its_stack_and_its_cause(run: Any) -> None:
    result, _, logs = run("test_error_reporting", raise_on_error=False)
    assert not result.success
    (error,) = [
        entry.dagster_event.engine_event_data.error for entry in logs if "closed with exception" in entry.user_message
    ]
    assert (error.cls_name, error.message) == ("Error", "Very bad error has happened!")
    assert error.stack == ["in run\n", "in main\n"]
    assert (error.cause.cls_name, error.cause.message) == ("Cause", "the cause of it")


def by_hand(program: str, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "--test-name", "test_message_log", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


CONTEXT = encode_param({"data": {"run_id": "r", "extras": {}, "asset_keys": None}})


def methods(text: str) -> list[str]:
    return [json.loads(line)["method"] for line in text.splitlines()]


WHOLE_LOG = ["opened", *["log"] * 5, "closed"]


@pytest.mark.parametrize("key", ["stdio", "buffered_stdio"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_messages_go_to_a_stream(program: str, key: str, stream: str) -> None:
    ended = by_hand(
        program,
        environment={
            "DAGSTER_PIPES_CONTEXT": CONTEXT,
            "DAGSTER_PIPES_MESSAGES": encode_param({key: stream}),
        },
    )
    assert ended.returncode == 0
    assert methods(getattr(ended, stream)) == WHOLE_LOG
    assert (ended.stderr if stream == "stdout" else ended.stdout) == ""


def test_parameters_may_come_on_the_command_line(program: str) -> None:
    messages = encode_param({"stdio": "stdout"})
    ended = by_hand(
        program,
        "--dagster-pipes-context",
        CONTEXT,
        f"--dagster-pipes-messages={messages}",
        environment={},
    )
    assert methods(ended.stdout) == WHOLE_LOG


def test_a_file_is_appended_to_in_whole_lines(program: str, tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text("before\n")
    environment = {
        "DAGSTER_PIPES_CONTEXT": CONTEXT,
        "DAGSTER_PIPES_MESSAGES": encode_param({"path": str(path)}),
    }
    trace = tmp_path / "trace"
    subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-e",
            "trace=write",
            "-s",
            "100000",
            "-o",
            trace,
            program,
            "--test-name",
            "test_message_log",
        ],
        env={"PATH": os.environ["PATH"], **environment},
        timeout=60,
        check=True,
    )
    assert path.read_text().splitlines()[0] == "before"
    assert methods(path.read_text().removeprefix("before\n")) == WHOLE_LOG
    writes = [line for line in trace.read_text().splitlines() if "__dagster_pipes_version" in line]
    assert len(writes) == len(WHOLE_LOG)
    assert all(line.count(r"\n") == 1 for line in writes)


def test_chunks_in_a_bucket_begin_with_one(program: str, bucket: Any) -> None:
    messages = encode_param({"bucket": bucket.name, "key_prefix": "by-hand"})
    ended = by_hand(
        program,
        environment={
            **bucket.environment,
            "DAGSTER_PIPES_CONTEXT": CONTEXT,
            "DAGSTER_PIPES_MESSAGES": messages,
        },
    )
    assert ended.returncode == 0, ended.stderr
    assert [key for key in bucket.stored() if key.startswith("by-hand")] == ["by-hand/1.json"]
    body = bucket.client.get_object(Bucket=bucket.name, Key="by-hand/1.json")["Body"].read()
    assert methods(body.decode()) == WHOLE_LOG

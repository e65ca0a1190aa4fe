"""A job whose steps are shards, upon a real PostgreSQL and a real S3 server, by the multiprocess executor."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_steward.fanout import Shard, mapping_keys
from dagster_steward.outputs import event_log_io_manager
from tests.conftest import Installation, await_that

DEFINITIONS = """
import dagster as dg
from dagster_steward import steward_definitions

defs = steward_definitions(
    {config!r},
    binary={binary!r},
    env={env!r},
    cache={cache!r},
    fanout_retry_policy=dg.RetryPolicy(max_retries={retries}, delay=1),
)


def fanout():
    return defs.resolve_job_def("cleanup_fanout_job")
"""

#: As a person who presses "From failure".
FROM_FAILURE = """
import dagster as dg
import definitions

with dg.DagsterInstance.get() as instance:
    (failed,) = instance.get_runs(limit=1)
    result = dg.execute_job(
        dg.reconstructable(definitions.fanout),
        instance=instance,
        reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, instance),
    )
    assert result.success
"""

CONFIGURATION = """
version: 1
databases:
  app: {url}
stores:
  shots: "s3://{bucket}"
cleanup:
  purge-signals: {{kind: rows, table: signals, age_column: at, age: 30 days}}
  expire-objects: {{kind: objects, store: shots, age: 90 days}}
jobs:
  cleanup: {{scheduler: dagster}}
"""

#: The first time that it is to carry out the first shard of objects it is killed, in the middle or before.
KILLED_ONCE = """#!/bin/sh
case "$*" in
*expire-objects*"--shard 1"*)
  if mkdir {mark!r} 2>/dev/null; then
    {binary!r} "$@" & child=$!
    sleep 0.05
    kill -KILL $child
    kill -KILL $$
  fi ;;
esac
exec {binary!r} "$@"
"""


#: A step is forked from a process that has loaded Dagster already, and starts sooner.
QUICK_STEPS = {"execution": {"config": {"start_method": {"forkserver": {"preload_modules": ["dagster_steward"]}}}}}


#: The first shard fails for as long as the mark is there.
BROKEN = """#!/bin/sh
case "$*" in *"--shard 1"*) [ ! -e {mark!r} ] || exit 1 ;; esac
exec {binary!r} "$@"
"""


class Shop(Installation):
    """A database and a bucket of its own, and a Dagster."""

    def __init__(self, root: Path, binary: str) -> None:
        super().__init__(
            root,
            binary,
            {
                "AWS_ENDPOINT_URL": os.environ["STEWARD_TEST_S3_VERSITY"],
                "AWS_ACCESS_KEY_ID": os.environ["STEWARD_TEST_S3_ACCESS_KEY"],
                "AWS_SECRET_ACCESS_KEY": os.environ["STEWARD_TEST_S3_SECRET_KEY"],
                "AWS_REGION": "us-east-1",
            },
        )
        self.bucket = f"fanout-{uuid.uuid4().hex[:12]}"
        admin = os.environ["STEWARD_TEST_POSTGRES"]
        name = self.bucket.replace("-", "_")
        self.admin, self.name = admin, name
        self.url = admin.replace("/postgres?", f"/{name}?")
        assert self.url != admin, f'STEWARD_TEST_POSTGRES names no database "postgres": {admin}'
        self.sql(f"create database {name}", admin)
        self.folder = Path(os.environ["STEWARD_TEST_S3_VERSITY_DATA"]) / self.bucket
        self.folder.mkdir()
        self.config.write_text(CONFIGURATION.format(url=self.url, bucket=self.bucket))
        self.home = root / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text(
            "telemetry: {enabled: false}\nconcurrency: {pools: {default_limit: 2, granularity: op}}\n"
        )

    def sql(self, statement: str, url: str | None = None) -> str:
        words = ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", url or self.url, "-c", statement]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    def rows(self, old: int, new: int) -> None:
        self.sql(
            "create table signals (id bigint primary key, at timestamptz not null);"
            "insert into signals select i, now() - "
            f"case when i <= {old} then interval '40 days' else interval '1 day' end"
            f" from generate_series(1, {old + new}) i; analyze signals"
        )

    def objects(self, old: int, new: int) -> None:
        at = time.time() - 100 * 86400
        for number in range(old + new):
            path = self.folder / f"{number % 7}" / f"{number:04d}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text("object")
            if number < old:
                os.utime(path, (at, at))

    def left(self) -> int:
        return sum(1 for path in self.folder.rglob("*.csv"))

    def wrapped(self, script: str) -> str:
        """A program in the place of steward."""
        wrapper = self.root / "wrapper"
        wrapper.write_text(script.format(binary=self.binary, mark=str(self.root / "mark")))
        wrapper.chmod(0o755)
        return str(wrapper)

    def start(self, config: dict[str, Any], binary: str | None = None, retries: int = 3) -> "subprocess.Popen[bytes]":
        """Dagster, as one step after another of the job needs it."""
        definitions = self.root / "definitions.py"
        definitions.write_text(
            DEFINITIONS.format(
                config=str(self.config),
                binary=binary or self.binary,
                env=self.env,
                cache=str(self.root / "catalogue.json"),
                retries=retries,
            )
        )
        run_config = self.root / "run.yaml"
        run_config.write_text(json.dumps({"ops": {"hand_out_shards": {"config": config}}, **QUICK_STEPS}))
        dagster = str(Path(sys.executable).with_name("dagster"))
        with (self.root / "log").open("w") as log:
            return subprocess.Popen(
                [dagster, "job", "execute", "-f", str(definitions), "-j", "cleanup_fanout_job", "-c", str(run_config)],
                cwd=self.root,
                env=self.dagster_env(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def dagster_env(self) -> dict[str, str]:
        return {**os.environ, "DAGSTER_HOME": str(self.home), "PYTHONPATH": str(Path(__file__).parent.parent)}

    def fan_out(self, config: dict[str, Any], binary: str | None = None, retries: int = 3) -> int:
        return self.start(config, binary, retries).wait(timeout=300)

    def go_on_from_failure(self) -> None:
        subprocess.run([sys.executable, "-c", FROM_FAILURE], cwd=self.root, env=self.dagster_env(), check=True)

    def events(self) -> list[dg.DagsterEvent]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            (run, *_) = instance.get_runs(limit=1)
            logs = instance.all_logs(run.run_id)
        return [entry.dagster_event for entry in logs if entry.dagster_event is not None]

    def log(self) -> str:
        return (self.root / "log").read_text()


@pytest.fixture
def shop(tmp_path: Path, binary: str) -> Iterator[Shop]:
    made = Shop(tmp_path, binary)
    yield made
    made.sql(f"drop database {made.name} with (force)", made.admin)


def retried(events: list[dg.DagsterEvent]) -> list[str]:
    return [str(event.step_key) for event in events if event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]


def materialised(events: list[dg.DagsterEvent]) -> dict[str, Any]:
    return {
        event.asset_key.path[-1]: event.step_materialization_data.materialization.metadata
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key
    }


def checked(events: list[dg.DagsterEvent]) -> dict[str, bool]:
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    found = [event.asset_check_evaluation_data for event in events if event.event_type == kind]
    return {f"{one.asset_key.path[-1]}: {one.check_name}": one.passed for one in found}


def process_of_shard(shop: Shop, shard: int) -> int | None:
    """The pid of steward at work on that shard of this shop's rows."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        wanted = [b"cleanup/purge-signals", b"--shard", str(shard).encode()]
        if str(shop.config).encode() in words and all(word in words for word in wanted):
            return int(entry.name)
    return None


def test_a_shard_of_rows_that_is_killed_is_tried_again_alone_and_nothing_is_done_twice(shop: Shop) -> None:
    shop.rows(old=60_000, new=10_000)
    # Somebody has a row at the end of the first shard: it comes to that after its first batches, and waits.
    words = ["psql", "-qX", shop.url, "-c", "begin; select 1 from signals where id = 20000 for update", "-c"]
    with subprocess.Popen([*words, "select pg_sleep(600)"], stdout=subprocess.DEVNULL) as other:
        await_that(
            lambda: shop.sql("select count(*) from pg_locks where mode = 'RowShareLock'") != "0", "the row is held"
        )
        dagster = shop.start({"tasks": ["purge-signals"], "shards": 3})
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        await_that(lambda: shop.sql(waiting) != "0", "the first shard waits")
        pid = process_of_shard(shop, 1)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        holder = "query like '%pg_sleep%' and pid <> pg_backend_pid()"
        shop.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where {holder}")
        other.wait(timeout=60)
    assert dagster.wait(timeout=300) == 0, shop.log()
    assert shop.sql("select count(*), min(id) from signals") == "10000|60001"
    events = shop.events()
    assert retried(events) == ["carry_out_shard[purge_signals_1]"]
    made = materialised(events)["purge-signals"]
    assert (made["items"].value, made["planned_items"].value, made["shards"].value) == (60_000, 60_000, 3)
    assert checked(events) == {"purge-signals: plan_equals_run": True}
    summed = shop.steward("shards", "cleanup/purge-signals", "--plan", made["steward_plan"].value)
    assert [len(shard["runs"]) for shard in summed["shards"]] == [2, 1, 1]
    assert summed["done"]["items"] == 60_000


def test_a_shard_of_objects_that_is_killed_is_tried_again_alone_and_all_is_gone_that_was_planned(shop: Shop) -> None:
    shop.objects(old=210, new=35)
    assert shop.fan_out({"tasks": ["expire-objects"], "shards": 3}, shop.wrapped(KILLED_ONCE)) == 0, shop.log()
    assert shop.left() == 35
    events = shop.events()
    assert retried(events) == ["carry_out_shard[expire_objects_1]"]
    made = materialised(events)["expire-objects"]
    assert (made["items"].value, made["bytes"].value, made["shards"].value) == (210, 1260, 3)
    assert checked(events) == {"expire-objects: plan_equals_run": True}


def test_a_run_that_failed_goes_on_from_its_failure_with_the_shards_that_are_missing_alone(shop: Shop) -> None:
    shop.rows(old=300, new=100)
    mark = shop.root / "mark"
    mark.touch()
    wrapper = shop.wrapped(BROKEN)
    assert shop.fan_out({"tasks": ["purge-signals"], "shards": 2}, wrapper, retries=0) != 0
    left = int(shop.sql("select count(*) from signals"))
    assert 100 < left < 400, "the second shard is done"
    assert materialised(shop.events()) == {}
    mark.unlink()
    shop.go_on_from_failure()
    assert shop.sql("select count(*) from signals") == "100"
    events = shop.events()
    begun = {event.step_key for event in events if event.event_type == dg.DagsterEventType.STEP_START}
    assert begun == {"carry_out_shard[purge_signals_1]", "sum_up_shards"}
    made = materialised(events)["purge-signals"]
    assert (made["items"].value, made["planned_items"].value) == (300, 300)
    assert [run["shard"] for run in shop.runs()] == [1, 2], "the newest first"


def test_all_that_purges_is_fanned_out_and_no_more_at_once_than_the_pool_has_room_for(shop: Shop) -> None:
    shop.rows(old=400, new=5)
    shop.objects(old=40, new=5)
    assert shop.fan_out({"shards": 2}) == 0, shop.log()
    assert (shop.sql("select count(*) from signals"), shop.left()) == ("5", 5)
    assert set(materialised(shop.events())) == {"purge-signals", "expire-objects"}
    moments: list[tuple[str, int]] = []
    for run in shop.runs():
        moments += [(run["started"], 1), (run["ended"], -1)]
    assert len(moments) == 8
    under_way = most = 0
    for _, change in sorted(moments):
        under_way += change
        most = max(most, under_way)
    assert most <= 2


def test_what_could_be_handed_out_is_done_and_reported_though_the_run_fails_for_another_task(shop: Shop) -> None:
    shop.rows(old=2_000, new=1)
    shop.objects(old=20, new=5)
    assert shop.fan_out({"shards": 1}) != 0
    assert (shop.sql("select count(*) from signals"), shop.left()) == ("2001", 5)
    events = shop.events()
    assert set(materialised(events)) == {"expire-objects"}
    assert checked(events) == {"expire-objects: plan_equals_run": True}
    (failure,) = [event for event in events if event.is_step_failure]
    assert failure.step_key == "sum_up_shards"
    said = failure.step_failure_data.user_failure_data
    assert said is not None
    assert (said.description or "").startswith("purge-signals: ")


def test_what_a_brake_stops_is_handed_to_nobody_and_not_tried_again(shop: Shop) -> None:
    shop.rows(old=2_000, new=1)
    assert shop.fan_out({"tasks": ["purge-signals"]}) != 0
    assert shop.sql("select count(*) from signals") == "2001"
    events = shop.events()
    assert retried(events) == []
    (failure,) = [event for event in events if event.is_step_failure]
    assert failure.step_key == "hand_out_shards"
    said = failure.step_failure_data.user_failure_data
    assert said is not None
    assert (said.description or "").startswith("purge-signals: ")
    assert "would remove 2,000 of 2,001 items" in (said.description or "")
    assert shop.runs() == []


def test_shards_of_tasks_whose_names_are_alike_have_steps_of_their_own() -> None:
    shards: list[Shard] = [
        {"task": task, "digest": "d", "shard": shard} for task in ("old-rows", "old.rows") for shard in (1, 2)
    ]
    assert mapping_keys(shards) == ["old_rows_1", "old_rows_2", "old_rows_1_2", "old_rows_2_3"]


def test_steps_hand_on_what_they_know_through_the_event_log_alone() -> None:
    @dg.op(out=dg.DynamicOut(dict))
    def several() -> Iterator[dg.DynamicOutput[dict[str, int]]]:
        for number in range(3):
            yield dg.DynamicOutput({"number": number}, mapping_key=f"n{number}")

    @dg.op
    def twice(one: dict) -> int:  # type: ignore[type-arg]
        return int(one["number"]) * 2

    @dg.op
    def together(all_of_them: list) -> list:  # type: ignore[type-arg]
        return sorted(all_of_them)

    @dg.job(resource_defs={"io_manager": event_log_io_manager})
    def handing_on() -> None:
        together(several().map(twice).collect())

    with dg.DagsterInstance.ephemeral() as instance:
        result = handing_on.execute_in_process(instance=instance)
        assert result.output_for_node("together") == [0, 2, 4]

"""Jobs of steward's, carried out by Dagster's executor upon a shop."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.conftest import Shop, await_that, hears_interrupts

KEY = ("steward", "cleanup")


def run_job(shop: Shop, instance: dg.DagsterInstance, tags: dict[str, str] | None = None, **options: Any) -> Any:
    job = shop.definitions(**options).resolve_job_def("cleanup_job")
    return job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)


def materialised(result: Any) -> dict[str, Any]:
    return {
        event.asset_key.path[-1]: event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    }


def checked(result: Any) -> dict[str, bool]:
    return {f"{one.asset_key.path[-1]}: {one.check_name}": one.passed for one in result.get_asset_check_evaluations()}


def test_a_run_does_the_work_and_every_task_is_an_asset(shop: Shop, instance: dg.DagsterInstance) -> None:
    result = run_job(shop, instance)
    assert result.success
    assert (shop.rows("orders"), shop.rows("signals"), shop.logs()) == (1, 1, ["new.log"])
    found = materialised(result)
    assert set(found) == {"archive-orders", "purge-signals", "purge-logs"}
    logs = found["purge-logs"].metadata
    assert (logs["items"].value, logs["bytes"].value, logs["final"].value) == (1, 10, True)
    assert "| planned | 1 item" in logs["plan"].value
    assert checked(result) == {
        "archive-orders: plan_equals_run": True,
        "archive-orders: archive_verified": True,
        "purge-signals: plan_equals_run": True,
        "purge-logs: plan_equals_run": True,
    }


def test_a_backup_is_an_asset_whose_age_and_proof_are_checked(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.add_other_jobs()
    definitions = shop.definitions()
    (schedule,) = [one for one in definitions.schedules or () if one.name == "daily_backup_schedule"]
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert (schedule.cron_schedule, schedule.default_status.value) == ("0 0 * * *", "RUNNING")
    result = definitions.resolve_job_def("backup_job").execute_in_process(instance=instance)
    assert set(materialised(result)) == {"nightly", "nightly.proof", "nightly.expire"}
    assert checked(result)["nightly: backup_proved_and_fresh"]
    assert all(checked(result).values())


def test_rotated_logs_are_an_asset_too(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.add_other_jobs()
    result = shop.definitions().resolve_job_def("rotate_logs_job").execute_in_process(instance=instance)
    assert set(materialised(result)) == {"web", "web.archive"}
    assert len(list((shop.root / "logs" / "archive").iterdir())) == 2
    assert all(checked(result).values())


def test_each_names_the_others_run(shop: Shop, instance: dg.DagsterInstance) -> None:
    result = run_job(shop, instance)
    (run,) = shop.runs()
    assert run["dagster_run"] == result.run_id
    assert run["trigger"] == "dagster"
    stored = instance.get_run_by_id(result.run_id)
    assert stored is not None
    assert stored.tags["steward/run"] == run["run"]
    assert materialised(result)["purge-logs"].metadata["steward_run"].value == run["run"]


def test_some_of_its_assets_are_some_of_its_tasks(shop: Shop, instance: dg.DagsterInstance) -> None:
    job = shop.definitions().resolve_job_def("cleanup_job")
    result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey([*KEY, "purge-logs"])])
    assert set(materialised(result)) == {"purge-logs"}
    assert (shop.rows("signals"), shop.logs()) == (3, ["new.log"])
    assert shop.runs()[0]["scope"] == ["purge-logs"]


def test_a_task_that_fails_fails_the_run_and_the_others_are_materialised(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    with sqlite3.connect(shop.root / "app.db") as database:
        database.execute("drop table signals")
    result = run_job(shop, instance)
    assert not result.success
    assert set(materialised(result)) == {"archive-orders", "purge-logs"}
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert said.endswith("of cleanup: partial (purge-signals failed)")
    logs = instance.all_logs(result.run_id)
    (error,) = [
        entry.dagster_event.engine_event_data.error
        for entry in logs
        if entry.dagster_event and "closed with exception" in entry.user_message
    ]
    assert error and error.cause and "signals" in error.cause.message


def test_hooks_hear_of_a_run_that_fails(shop: Shop, instance: dg.DagsterInstance) -> None:
    heard: list[str] = []

    @dg.failure_hook
    def tell(context: dg.HookContext) -> None:
        heard.append(f"{context.job_name}: {context.op_exception}")

    shop.steward("freeze", "--reason", "an audit")
    assert not run_job(shop, instance, hooks={tell}).success
    (told,) = heard
    assert told.startswith("cleanup_job: ")


def test_its_assets_have_checks_of_their_freshness_as_any_have(shop: Shop, instance: dg.DagsterInstance) -> None:
    key = dg.AssetKey([*KEY, "purge-logs"])
    fresh = dg.build_last_update_freshness_checks(assets=[key], lower_bound_delta=timedelta(hours=2))
    definitions = dg.Definitions.merge(
        shop.definitions(),
        dg.Definitions(
            asset_checks=fresh,
            jobs=[dg.define_asset_job("freshness", selection=dg.AssetSelection.checks(*fresh))],
        ),
    )

    def verdict() -> bool:
        result = definitions.resolve_job_def("freshness").execute_in_process(instance=instance)
        (check,) = result.get_asset_check_evaluations()
        return check.passed

    assert not verdict(), "it has never been materialised"
    assert definitions.resolve_job_def("cleanup_job").execute_in_process(instance=instance).success
    assert verdict()


def test_what_a_safeguard_refuses_is_not_tried_again(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.steward("freeze", "--reason", "an audit")
    result = run_job(shop, instance, retry_policy=dg.RetryPolicy(max_retries=3))
    assert not result.success
    assert len(shop.runs()) == 1
    assert shop.rows("signals") == 3


def test_what_may_pass_is_tried_again(shop: Shop, instance: dg.DagsterInstance) -> None:
    with sqlite3.connect(shop.root / "app.db") as database:
        database.execute("drop table signals")
    assert not run_job(shop, instance, retry_policy=dg.RetryPolicy(max_retries=1)).success
    assert len(shop.runs()) == 2


def test_a_tick_is_carried_out_once(shop: Shop, instance: dg.DagsterInstance) -> None:
    tags = {"steward/tick": "2026-11-29T03:00:00Z"}
    assert run_job(shop, instance, tags).success
    shop.log("late.log", 40)
    again = run_job(shop, instance, tags)
    assert not again.success
    assert shop.logs() == ["late.log", "new.log"]
    logs = "\n".join(str(entry.dagster_event) for entry in instance.all_logs(again.run_id))
    assert "the tick 2026-11-29T03:00:00Z of cleanup has fired" in logs
    # A person who runs it once more knows.
    assert run_job(shop, instance, {**tags, "dagster/parent_run_id": "r"}).success
    assert shop.logs() == ["new.log"]


def test_a_retry_of_a_tick_is_carried_out(shop: Shop, instance: dg.DagsterInstance) -> None:
    with sqlite3.connect(shop.root / "app.db") as database:
        database.execute("drop table signals")
    policy = dg.RetryPolicy(max_retries=1)
    run_job(shop, instance, {"steward/tick": "2026-11-29T03:00:00Z"}, retry_policy=policy)
    assert [run["status"] for run in shop.runs()] == ["partial", "partial"]


def test_other_prefixes_are_stewards_too(shop: Shop, instance: dg.DagsterInstance) -> None:
    result = run_job(shop, instance, key_prefix=["ops", "a"])
    (event, *_) = result.get_asset_materialization_events()
    assert event.asset_key.path[:3] == ["ops", "a", "cleanup"]


def test_a_program_that_is_gone_fails_the_step_alone(shop: Shop, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    shop.definitions()
    result = run_job(shop, instance, binary=str(tmp_path / "nowhere"))
    assert not result.success


def test_a_job_that_is_at_work_elsewhere_is_not_started_beside_it(shop: Shop, instance: dg.DagsterInstance) -> None:
    with a_run_at_work(shop) as run:
        (schedule,) = shop.definitions().schedules or ()
        assert isinstance(schedule, dg.ScheduleDefinition)
        told = schedule(
            dg.build_schedule_context(
                instance=instance, scheduled_execution_time=datetime(2026, 11, 29, 3, tzinfo=timezone.utc)
            )
        )
        assert isinstance(told, dg.SkipReason)
        assert told.skip_message == f"cleanup: run {run} is under way"


@contextlib.contextmanager
def a_run_at_work(shop: Shop) -> Iterator[str]:
    """Started by hand; it waits for the database, and is cancelled at the end."""
    other = sqlite3.connect(shop.root / "app.db", isolation_level=None)
    other.execute("begin immediate")
    words = [shop.binary, "--config", str(shop.config), "run", "cleanup/purge-signals"]
    running = subprocess.Popen(words, env={**os.environ, **shop.env}, preexec_fn=hears_interrupts)
    try:
        yield await_that(
            lambda: next((one["run"] for one in shop.runs() if one["status"] == "running"), None), "steward is at work"
        )
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=120)
        other.execute("rollback")
        other.close()


def look(shop: Shop, instance: dg.DagsterInstance) -> tuple[list[Any], str]:
    """What the sensor asks for, and what it says."""
    (sensor,) = shop.definitions().sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    data = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    return list(data.run_requests or ()), data.skip_message or ""


def test_a_run_that_asks_goes_on_once_it_is_approved_and_once(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.configure("scheduler: dagster, approval: required")
    asked = run_job(shop, instance)
    assert not asked.success
    (run,) = shop.runs()
    assert run["status"] == "waiting"
    (failure,) = [event for event in asked.all_events if event.is_step_failure]
    assert f"steward approvals show {run['run']}" in failure.step_failure_data.user_failure_data.description
    requests, said = look(shop, instance)
    assert (requests, said) == ([], f"run {run['run']} of cleanup: waiting")

    shop.steward("approvals", "approve", run["run"])
    (request,), _ = look(shop, instance)
    (again,), _ = look(shop, instance)
    assert request.run_key == again.run_key == f"approval {run['run']}"
    done = run_job(shop, instance, dict(request.tags))
    assert done.success
    assert set(materialised(done)) == {"archive-orders", "purge-signals", "purge-logs"}
    assert shop.rows("signals") == 1
    (carried_out,) = shop.runs()
    assert carried_out["status"] == "succeeded"
    assert carried_out["trigger"] == "dagster"
    assert carried_out["dagster_run"] == done.run_id != asked.run_id, "the run of Dagster's that has carried it out"
    assert look(shop, instance) == ([], "nothing waits for an approval")
    # Whoever would start it a second time is told so.
    assert not run_job(shop, instance, dict(request.tags)).success
    assert len(shop.runs()) == 1


def approved(shop: Shop, instance: dg.DagsterInstance) -> str:
    """A run that has asked, and may go on."""
    shop.configure("scheduler: dagster, approval: required")
    run_job(shop, instance)
    run = str(shop.runs()[0]["run"])
    shop.steward("approvals", "approve", run)
    return run


def test_a_run_of_dagsters_that_died_before_it_began_is_followed_by_another(
    shop: Shop, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run = approved(shop, instance)
    keys: list[str] = []
    tags: dict[str, str] = {}
    for _ in range(3):
        (request,), _said = look(shop, instance)
        keys.append(request.run_key)
        tags = dict(request.tags)
        assert not run_job(shop, instance, tags, binary=str(tmp_path / "nowhere")).success
    assert keys == [f"approval {run}", f"approval {run} 2", f"approval {run} 3"]
    requests, said = look(shop, instance)
    assert requests == []
    assert said == (
        f"run {run} of cleanup: approved, and 3 runs of Dagster's have ended before steward has taken it up: "
        f"steward run cleanup --approval {run}"
    )
    # Whoever mends it and repeats one of these carries out what was approved.
    repetition = {**tags, "dagster/parent_run_id": "r"}
    assert run_job(shop, instance, repetition).success
    assert [one["run"] for one in shop.runs()] == [run]
    # And once it is done, a repetition is a run of its own, which asks.
    shop.add_old_signal()
    assert not run_job(shop, instance, repetition).success
    assert {one["status"] for one in shop.runs()} == {"succeeded", "waiting"}


def test_what_is_approved_waits_for_a_run_of_its_job_to_end(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.configure("scheduler: dagster, approval: required")
    run_job(shop, instance)
    (asked,) = shop.runs()
    shop.configure()
    with a_run_at_work(shop) as run:
        shop.steward("approvals", "approve", asked["run"])
        said = f"run {asked['run']} of cleanup: approved, and begins when run {run} has ended"
        assert look(shop, instance) == ([], said)
    (request,), _ = look(shop, instance)
    assert run_job(shop, instance, dict(request.tags)).success


def test_a_run_that_is_rejected_says_by_whom_and_why(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.configure("scheduler: dagster, approval: required")
    run_job(shop, instance)
    (run,) = shop.runs()
    shop.steward("approvals", "reject", run["run"], "--reason", "the import ran twice")
    requests, said = look(shop, instance)
    assert requests == []
    assert said.startswith(f"run {run['run']} of cleanup: rejected by ")
    assert said.endswith(": the import ran twice")
    assert shop.rows("signals") == 3


def test_a_sensor_whose_steward_is_gone_says_so_and_goes_on(shop: Shop, instance: dg.DagsterInstance) -> None:
    (sensor,) = shop.definitions().sensors or ()
    shop.config.unlink()
    data = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert not data.run_requests
    assert "steward.yaml" in (data.skip_message or "")


INTERRUPTED = """
import sys
import dagster as dg
sys.path.insert(0, {package!r})
from dagster_steward import steward_definitions

definitions = steward_definitions({config!r}, binary={binary!r}, env={env!r}, cache={cache!r})
with dg.DagsterInstance.local_temp({home!r}) as instance:
    result = definitions.resolve_job_def("cleanup_job").execute_in_process(
        instance=instance, raise_on_error=False
    )
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_dagster_that_stops_or_dies_leaves_nothing_running(shop: Shop, tmp_path: Path, how: signal.Signals) -> None:
    home = tmp_path / "home"
    home.mkdir()
    other = sqlite3.connect(shop.root / "app.db", isolation_level=None)
    other.execute("begin immediate")  # steward waits for it
    package = str(Path(__file__).parent.parent)
    script = INTERRUPTED.format(
        package=package,
        config=str(shop.config),
        binary=shop.binary,
        env=shop.env,
        cache=str(tmp_path / "cache.json"),
        home=str(home),
    )
    dagster = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ}, start_new_session=True, preexec_fn=hears_interrupts
    )
    await_that(lambda: any(run["status"] == "running" for run in shop.runs()), "steward is at work")
    dagster.send_signal(how)
    await_that(lambda: shop.runs()[0]["status"] == "cancelled", "steward's run is cancelled", 60)
    dagster.wait(timeout=60)
    other.execute("rollback")
    assert shop.rows("signals") == 3

"""What steward_definitions makes of a catalogue, and of none."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_steward import CatalogueError, read_catalogue
from dagster_steward.definitions import cron_of_interval
from tests.conftest import Shop


def specs_of(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def schedules_of(definitions: dg.Definitions) -> dict[str, Any]:
    return {one.name: one for one in definitions.schedules or ()}


def jobs_of(definitions: dg.Definitions) -> list[str]:
    return [one.name for one in definitions.jobs or ()]


def test_a_job_has_the_name_that_teams_know_and_an_asset_for_each_task(shop: Shop) -> None:
    definitions = shop.definitions()
    dg.Definitions.validate_loadable(definitions)
    assert jobs_of(definitions) == ["cleanup_job", "cleanup_fanout_job"]
    specs = specs_of(definitions)
    assert {
        "steward/cleanup/archive-orders",
        "steward/cleanup/purge-signals",
        "steward/cleanup/purge-logs",
    } <= set(specs)
    assert specs["steward/cleanup/archive-orders"].tags["steward/kind"] == "archive"


def test_a_job_that_is_dagsters_is_fired_hourly_from_the_start(shop: Shop) -> None:
    schedule = schedules_of(shop.definitions())["hourly_cleanup_schedule"]
    assert schedule.cron_schedule == "0 * * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_a_job_that_steward_fires_itself_has_a_schedule_that_is_stopped(shop: Shop) -> None:
    shop.configure("schedule: '30 2 * * *'")
    schedule = schedules_of(shop.definitions())["hourly_cleanup_schedule"]
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert "scheduler: dagster" in schedule.description


def test_the_schedule_and_its_zone_are_those_of_the_configuration(shop: Shop) -> None:
    shop.configure("scheduler: dagster, schedule: '30 2 * * *', time_zone: Europe/Berlin")
    schedule = schedules_of(shop.definitions())["hourly_cleanup_schedule"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 2 * * *", "Europe/Berlin")
    shop.configure("scheduler: dagster, schedule: {every: 6h}")
    assert schedules_of(shop.definitions())["hourly_cleanup_schedule"].cron_schedule == "0 */6 * * *"


def test_cron_lines_can_be_given_and_taken_away(shop: Shop) -> None:
    given = shop.definitions(schedules={"cleanup": "15 * * * *"})
    assert schedules_of(given)["hourly_cleanup_schedule"].cron_schedule == "15 * * * *"
    shop.configure("schedule: '30 2 * * *'")
    given = shop.definitions(schedules={"cleanup": "15 * * * *"})
    assert schedules_of(given)["hourly_cleanup_schedule"].default_status == dg.DefaultScheduleStatus.STOPPED
    shop.configure()
    assert schedules_of(shop.definitions(schedules={"cleanup": None})) == {}


@pytest.mark.parametrize(
    ("seconds", "cron"),
    [
        (60, "*/1 * * * *"),
        (900, "*/15 * * * *"),
        (3600, "0 */1 * * *"),
        (6 * 3600, "0 */6 * * *"),
        (86400, "0 0 * * *"),
        (7 * 60, None),
        (5 * 3600, None),
        (90, None),
        (5400, None),
        (2 * 86400, None),
    ],
)
def test_an_interval_is_a_cron_line_where_clocks_can_say_it(seconds: int, cron: str | None) -> None:
    assert cron_of_interval(seconds) == cron


def test_prefix_group_tags_and_owners_can_be_given(shop: Shop) -> None:
    specs = specs_of(
        shop.definitions(
            key_prefix=["ops", "steward"],
            group_name="tidy",
            tags={"tier": "1"},
            owners=["team:storage"],
        )
    )
    spec = specs["ops/steward/cleanup/purge-logs"]
    assert (spec.group_name, spec.tags["tier"], list(spec.owners)) == ("tidy", "1", ["team:storage"])


def test_jobs_can_be_chosen(shop: Shop) -> None:
    chosen = shop.definitions(jobs=["backup"])
    assert jobs_of(chosen) == []
    assert all(key.startswith("steward/backup/") for key in specs_of(chosen))


def test_what_is_not_configured_is_shown_as_that_and_cannot_be_started(tmp_path: Path, binary: str) -> None:
    from dagster_steward import steward_definitions

    (tmp_path / "logs").mkdir()
    definitions = steward_definitions(
        binary=binary,
        env={
            "STEWARD_STATE_DIR": str(tmp_path / "state"),
            "LOG_DIR": str(tmp_path / "logs"),
            "DATABASE_URL": "",
            "STEWARD_CONFIG": "",
            "S3_BUCKET": "",
        },
        cache=tmp_path / "cache.json",
    )
    dg.Definitions.validate_loadable(definitions)
    specs = specs_of(definitions)
    purge = specs["steward/cleanup/purge-signals"]
    assert purge.tags["steward/state"] == "not_configured"
    assert "DATABASE_URL" in (purge.description or "")
    graph = definitions.resolve_asset_graph()
    assert not graph.get(purge.key).is_executable
    assert graph.get(dg.AssetKey(["steward", "cleanup", "purge-logs"])).is_executable
    assert "backup_job" not in jobs_of(definitions)


def test_a_program_that_is_gone_changes_nothing_that_was_there(shop: Shop, tmp_path: Path) -> None:
    before = specs_of(shop.definitions())
    cache = shop.root / "cache" / "catalogue.json"
    for broken in (str(tmp_path / "nowhere"), "/bin/false", "/bin/true", "/bin/echo"):
        definitions = shop.definitions(binary=broken, cache=cache)
        dg.Definitions.validate_loadable(definitions)
        assert set(specs_of(definitions)) == set(before), broken
        assert definitions.metadata and "steward/stale" in definitions.metadata


def test_without_program_and_copy_the_location_loads_and_says_why(tmp_path: Path) -> None:
    from dagster_steward import steward_definitions

    definitions = steward_definitions(binary="/nowhere/steward", cache=tmp_path / "none.json")
    dg.Definitions.validate_loadable(definitions)
    (spec,) = specs_of(definitions).values()
    assert "/nowhere/steward could not be started: No such file" in (spec.description or "")


def test_a_changed_catalogue_shows_when_it_is_read_again(shop: Shop) -> None:
    shop.definitions()
    shop.config.write_text(shop.config.read_text().replace("purge-signals:", "purge-beeps:"))
    assert "steward/cleanup/purge-beeps" in specs_of(shop.definitions())


def test_a_configuration_that_is_wrong_is_said_in_stewards_words(shop: Shop, tmp_path: Path) -> None:
    shop.config.write_text("version: 1\nclenaup: {}\n")
    with pytest.raises(CatalogueError, match="unknown key"):
        read_catalogue(shop.binary, str(shop.config), shop.env, tmp_path / "none.json")


def test_a_catalogue_of_a_later_format_is_told_from_a_broken_one(tmp_path: Path) -> None:
    later = tmp_path / "steward"
    later.write_text("#!/bin/sh\necho '" + json.dumps({"format": 2}) + "'\n")
    later.chmod(0o755)
    with pytest.raises(CatalogueError, match="has format 2"):
        read_catalogue(str(later), cache=tmp_path / "none.json")


def test_a_schedule_names_its_tick_in_utc(shop: Shop, instance: dg.DagsterInstance) -> None:
    schedule = schedules_of(shop.definitions())["hourly_cleanup_schedule"]
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=datetime(2026, 11, 29, 3, tzinfo=timezone.utc)
    )
    request = schedule(context)
    assert request.run_key == "cleanup 2026-11-29T03:00:00Z"
    assert request.tags["steward/tick"] == "2026-11-29T03:00:00Z"


def evaluated(shop: Shop, instance: dg.DagsterInstance, tick: str = "2026-11-29T03:00:00+00:00") -> Any:
    """What becomes of a tick: what is asked for, or the reason why nothing is."""
    schedule = schedules_of(shop.definitions())["hourly_cleanup_schedule"]
    at = datetime.fromisoformat(tick)
    told = schedule(dg.build_schedule_context(instance=instance, scheduled_execution_time=at))
    return told.skip_message if isinstance(told, dg.SkipReason) else told


def test_a_job_that_is_paused_is_skipped_with_who_and_why(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.steward("pause", "backup", "--reason", "a move")
    assert isinstance(evaluated(shop, instance), dg.RunRequest)
    for job in ("cleanup", "all"):
        shop.steward("pause", job, "--reason", "an index is being built", "--until", "2999-01-01T00:00:00Z")
        said = evaluated(shop, instance)
        assert said.startswith("cleanup: paused until 2999-01-01T00:00:00Z by ")
        assert said.endswith(": an index is being built")
        shop.steward("resume", job)
    assert isinstance(evaluated(shop, instance), dg.RunRequest)
    shop.configure("scheduler: dagster, pause: moving the database")
    assert evaluated(shop, instance) == "cleanup: paused: moving the database"


def test_a_tick_in_a_blackout_is_skipped_with_its_window_and_until_when(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    window = '{from: "2020-02-03T01:00:00", to: "2020-02-03T05:00:00"}'
    shop.configure(f"scheduler: dagster, time_zone: Europe/Berlin, blackout: {window}")
    said = "cleanup: blackout 2020-02-03T01:00:00 to 2020-02-03T05:00:00, until 2020-02-03T04:00:00Z"
    assert evaluated(shop, instance, "2020-02-03T00:00:00+00:00") == said
    assert evaluated(shop, instance, "2020-02-03T03:00:00+00:00") == said
    for outside in ("2020-02-02T23:00:00+00:00", "2020-02-03T04:00:00+00:00"):
        assert isinstance(evaluated(shop, instance, outside), dg.RunRequest), outside


def test_a_tick_is_skipped_under_a_freeze_as_stewards_own_is(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.steward("freeze", "--reason", "an audit")
    assert evaluated(shop, instance).startswith("cleanup: nothing is removed until it is lifted: frozen by ")


def test_a_tick_is_skipped_while_a_run_waits_for_its_approval(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.configure("scheduler: dagster, approval: required")
    job = shop.definitions().resolve_job_def("cleanup_job")
    assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    (run,) = shop.runs()
    assert evaluated(shop, instance) == f"cleanup: run {run['run']} waits for an approval"
    shop.steward("approvals", "reject", run["run"], "--reason", "not today")
    assert isinstance(evaluated(shop, instance), dg.RunRequest)


def test_a_steward_that_cannot_say_what_is_in_the_way_leaves_that_to_the_run(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    schedule = schedules_of(shop.definitions())["hourly_cleanup_schedule"]
    shop.config.unlink()
    at = datetime(2026, 11, 29, 3, tzinfo=timezone.utc)
    told = schedule(dg.build_schedule_context(instance=instance, scheduled_execution_time=at))
    assert isinstance(told, dg.RunRequest)


def test_runs_are_not_repeated_for_what_a_step_has_said(shop: Shop) -> None:
    """Else an instance with run_retries would repeat what a safeguard has refused."""
    definitions = shop.definitions()
    for name in jobs_of(definitions):
        assert definitions.resolve_job_def(name).tags["dagster/retry_on_asset_or_op_failure"] == "false"
    given = shop.definitions(tags={"dagster/retry_on_asset_or_op_failure": "true"})
    assert given.resolve_job_def("cleanup_job").tags["dagster/retry_on_asset_or_op_failure"] == "true"

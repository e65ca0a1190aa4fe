"""With the real dagster-k8s, and no cluster: what is made of the definitions and values that go to Kubernetes."""

import os
import runpy
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s import K8sRunLauncher, k8s_job_executor

from tests.conftest import Shop

HELM = Path(__file__).parent.parent.parent / "deploy" / "helm"


def snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def test_shards_are_pods_by_the_executor_of_dagster_k8s(shop: Shop) -> None:
    definitions = shop.definitions(fanout_executor=k8s_job_executor)
    dg.Definitions.validate_loadable(definitions)
    assert definitions.resolve_job_def("cleanup_fanout_job").executor_def is k8s_job_executor
    assert definitions.resolve_job_def("cleanup_job").executor_def is not k8s_job_executor


def test_the_definitions_of_the_chart_load(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        **shop.env,
        "STEWARD_CONFIG": str(shop.config),
        "STEWARD_MAX_SHARDS": "16",
        "XDG_CACHE_HOME": str(shop.root),
        "PATH": f"{Path(shop.binary).parent}:{os.environ['PATH']}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    definitions = runpy.run_path(str(HELM / "steward" / "files" / "definitions.py"))["defs"]
    dg.Definitions.validate_loadable(definitions)
    fanout = definitions.resolve_job_def("cleanup_fanout_job")
    assert fanout.executor_def.name == "k8s"
    answer = fanout.executor_def.apply_config_mapping({"config": {}})
    assert answer.success, answer.errors
    assert answer.value["config"]["max_concurrent"] == 16


@pytest.fixture
def values() -> Any:
    return yaml.safe_load((HELM / "dagster-values.yaml").read_text())


def test_the_values_for_dagsters_chart_are_what_its_run_launcher_takes(values: Any) -> None:
    launcher = values["runLauncher"]
    assert launcher["type"] == K8sRunLauncher.__name__
    config = {snake(name): value for name, value in launcher["config"]["k8sRunLauncher"].items()}
    made_by_the_chart = {
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": "dagster-postgresql-secret",
        "service_account_name": "dagster",
    }
    schema: Any = K8sRunLauncher
    answer = process_config(resolve_to_config_type(schema.config_type()), {**config, **made_by_the_chart})
    assert answer.success, answer.errors


def test_the_instance_of_dagsters_chart_limits_how_many_shards_are_at_work(values: Any, tmp_path: Path) -> None:
    daemon = values["dagsterDaemon"]
    retries = {snake(name): value for name, value in daemon["runRetries"].items()}
    # The chart writes both into dagster.yaml, the second as it is.
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump({"run_retries": retries, **values["additionalInstanceConfig"]})
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert pools.default_pool_limit == 8
        assert pools.pool_granularity is not None
        assert pools.pool_granularity.value == "op"
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2

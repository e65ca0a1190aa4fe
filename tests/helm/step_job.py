"""The Job that dagster-k8s makes for a step, by its own code: of what DAGSTER_CONTAINER_CONTEXT says, on standard input.

No cluster is asked. Run by dagster/venv.sh's Python; prints the Job as JSON.
"""

import json
import sys

import kubernetes
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job

context = K8sContainerContext.create_from_config(json.load(sys.stdin))
config = DagsterK8sJobConfig(
    job_image="steward-dagster",
    dagster_home="/opt/dagster/dagster_home",
    instance_config_map="dagster-instance",
    postgres_password_secret="dagster-postgresql-secret",
)
job = construct_dagster_k8s_job(
    config,
    args=["dagster", "api", "execute_step"],
    job_name="dagster-step-1",
    pod_name="dagster-step-1",
    component="step_worker",
    user_defined_k8s_config=context.run_k8s_config,
    env_vars=[{"name": "DAGSTER_RUN_STEP_KEY", "value": "carry_out_shard[purge_signals_1]"}],
)
print(json.dumps(kubernetes.client.ApiClient().sanitize_for_serialization(job)))

"""steward in Dagster, its shards in pods of their own."""

import os

from dagster_k8s import k8s_job_executor
from dagster_steward import steward_definitions

defs = steward_definitions(
    fanout_executor=k8s_job_executor.configured(
        {
            # Of one run; over all runs the pool steward_shards of the instance is the limit.
            "max_concurrent": int(os.environ["STEWARD_MAX_SHARDS"]),
            # What this pod has from the chart (secrets, volumes, rights) its steps have too: by its container context.
        }
    ),
)

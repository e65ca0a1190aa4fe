"""How long a run with nothing to do takes, bare and through Dagster.

Writes a line for each way into a file, since standard output is the runs': name, seconds of each.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import dagster as dg
from dagster_graphql import DagsterGraphQLClient
from dagster_pipes import encode_param

from dagster_steward import steward_definitions

steward, work, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
config, figures = work / "steward.yaml", work / "figures"
environment = {"STEWARD_STATE_DIR": str(work / "state"), "STEWARD_CONFIG": ""}
command = [steward, "--config", str(config), "run", "cleanup"]


def measure(name: str, once: Callable[[], object]) -> None:
    once()  # what is made the first time is not measured
    taken = []
    for _ in range(repeats):
        began = time.monotonic()
        once()
        taken.append(time.monotonic() - began)
    with figures.open("a") as file:
        print(name, *(f"{seconds:.3f}" for seconds in taken), sep="\t", file=file)


def bare(more: dict[str, str] | None = None) -> None:
    subprocess.run(command, env={**os.environ, **environment, **(more or {})}, check=True, capture_output=True)


def speaking() -> None:
    context = encode_param({"data": {"run_id": "r", "extras": {}}})
    bare({"DAGSTER_PIPES_CONTEXT": context, "DAGSTER_PIPES_MESSAGES": encode_param({"path": str(work / "messages")})})


measure("child", bare)
measure("child that speaks Pipes", speaking)

options = {"binary": steward, "env": environment, "cache": str(work / "catalogue.json")}
job = steward_definitions(config, **options).resolve_job_def("cleanup_job")
with dg.DagsterInstance.ephemeral() as instance:
    measure("Dagster, in this process", lambda: job.execute_in_process(instance=instance))

home = work / "home"
home.mkdir()
(home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
(work / "definitions.py").write_text(
    f"from dagster_steward import steward_definitions\n\ndefs = steward_definitions({str(config)!r}, **{options!r})\n"
)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
served = subprocess.Popen(
    [str(Path(sys.executable).with_name("dagster")), "dev", "-f", "definitions.py", "-h", "127.0.0.1", "-p", str(port)],
    cwd=work,
    env={**os.environ, "DAGSTER_HOME": str(home)},
    stdout=(work / "log").open("w"),
    stderr=subprocess.STDOUT,
)
try:
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/server_info", timeout=2).close()
            break
        except OSError:
            if served.poll() is not None:
                sys.exit((work / "log").read_text())
            time.sleep(0.1)
    client = DagsterGraphQLClient("127.0.0.1", port_number=port)

    def launched() -> None:
        run = client.submit_job_execution(
            "cleanup_job", repository_location_name="definitions.py", repository_name="__repository__"
        )
        while (status := client.get_run_status(run).value) not in ("SUCCESS", "FAILURE"):
            time.sleep(0.05)
        assert status == "SUCCESS", status

    measure("Dagster, from the browser", launched)
finally:
    served.terminate()
    served.wait(timeout=60)

"""What is promised of the chart. check.py HELM FOLDER PYTHON; see check.sh. PYTHON is one that has dagster-k8s."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

HELM, FOLDER, DAGSTER = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
CHART = FOLDER / "steward"
VERSIONS = ("1.25", "1.31", "1.37")  # the oldest that the chart allows, and newer ones
wrong = []


def promise(holds, what):
    print(("ok    " if holds else "WRONG ") + what)
    if not holds:
        wrong.append(what)


def helm(*words):
    return subprocess.run([HELM, *words], capture_output=True, text=True, check=False)


def rendered(*flags, version="1.31"):
    answer = helm("template", "steward", str(CHART), "--namespace", "ops", "--kube-version", version + ".0", *flags)
    assert answer.returncode == 0, answer.stderr
    return [document for document in yaml.safe_load_all(answer.stdout) if document]


def of_kind(documents, kind):
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def pods_of(documents):
    for one in documents:
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield one["metadata"]["name"], spec["template"]["spec"]


def refused(*flags):
    answer = helm("template", "steward", str(CHART), "--kube-version", "1.31.0", *flags)
    return answer.stderr if answer.returncode != 0 else ""


cases = {path.stem.removesuffix("-values"): ("-f", str(path)) for path in sorted((CHART / "ci").glob("*-values.yaml"))}
promise({"single", "shared", "fanout"} <= set(cases), "ci/ has a file for each shape")
for name, flags in {"bare": (), **cases}.items():
    lint = helm("lint", "--strict", str(CHART), *flags)
    promise(lint.returncode == 0, f"{name}: helm lint --strict: {lint.stdout.strip().splitlines()[-1]}")
    for version in VERSIONS:
        documents = rendered(*flags, version=version)
        for document in documents:
            what = f"{name}: {document['kind']} {document['metadata']['name']} is what Kubernetes {version} takes"
            try:
                kubernetes_validate.validate(document, version, strict=True)
                promise(True, what)
            except kubernetes_validate.ValidationError as error:
                promise(False, f"{what}: {error.message}")
    for pod, spec in pods_of(rendered(*flags)):
        security = spec["securityContext"]
        promise(security["runAsNonRoot"] and security["runAsUser"] > 0, f"{name}: {pod} is not root")
        promise(spec["automountServiceAccountToken"] is False, f"{name}: {pod} has no token of the cluster")
        for container in spec["containers"]:
            own = container["securityContext"]
            promise(
                own["readOnlyRootFilesystem"]
                and not own["allowPrivilegeEscalation"]
                and own["capabilities"] == {"drop": ["ALL"]},
                f"{name}: {pod} has no right that it need not have",
            )
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            promise(mounted <= {volume["name"] for volume in spec["volumes"]}, f"{name}: {pod}'s mounts are volumes")
    text = json.dumps(rendered(*flags))
    promise('"kind": "Secret"' not in text, f"{name}: no secret is made of values")

single = rendered(*cases["single"])
serve = of_kind(single, "Deployment")["steward"]["spec"]["template"]["spec"]["containers"][0]
promise(serve["envFrom"] == [{"secretRef": {"name": "app-secrets"}}], "secrets come by reference")
promise(serve["args"][0] == "serve", "it is steward serve")
probes = {probe: serve[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
promise(list(probes.values()) == ["/healthz", "/healthz", "/readyz"], "probes ask what they are for")
promise(list(of_kind(single, "PersistentVolumeClaim")) == ["steward-state"], "the ledger is on a volume")
configuration = yaml.safe_load(of_kind(single, "ConfigMap")["steward"]["data"]["steward.yaml"])
promise("purge-signals" in configuration["cleanup"], "the configuration is the file that was given")

shared = rendered(*cases["shared"])
promise(not of_kind(shared, "PersistentVolumeClaim"), "with a ledger in PostgreSQL no volume is needed")
promise(of_kind(shared, "Deployment")["steward"]["spec"]["replicas"] == 2, "and several pods may be there")
promise(set(of_kind(shared, "CronJob")) == {"steward-healthcheck"}, "the health check is a job of its own")
promise(of_kind(shared, "NetworkPolicy")["steward"]["spec"]["policyTypes"] == ["Ingress", "Egress"], "a policy has both ways")

fanout = rendered(*cases["fanout"])
code = of_kind(fanout, "Deployment")["steward-dagster"]["spec"]["template"]["spec"]["containers"][0]
environment = {one["name"]: one for one in code["env"]}
definitions = of_kind(fanout, "ConfigMap")["steward-dagster"]["data"]["definitions.py"]
promise("k8s_job_executor" in definitions, "shards are pods by k8s_job_executor")
compile(definitions, "definitions.py", "exec")
# What Dagster itself makes of it for a step, and so for each shard.
answer = subprocess.run(
    [DAGSTER, str(Path(__file__).with_name("step_job.py"))],
    input=environment["DAGSTER_CONTAINER_CONTEXT"]["value"],
    capture_output=True,
    text=True,
    check=False,
)
promise(answer.returncode == 0, f"dagster-k8s takes what the chart says of a step's pod {answer.stderr}")
step = json.loads(answer.stdout)
for version in VERSIONS:
    try:
        kubernetes_validate.validate(step, version, strict=True)
        promise(True, f"a step's job is what Kubernetes {version} takes")
    except kubernetes_validate.ValidationError as error:
        promise(False, f"a step's job is what Kubernetes {version} takes: {error.message}")
pod = step["spec"]["template"]["spec"]
(container,) = pod["containers"]
of_code = {name: one for name, one in environment.items() if "DAGSTER" not in name}
promise(
    [one for one in container["env"] if "DAGSTER" not in one["name"]] == list(of_code.values()),
    "a step has the variables of the code location",
)
promise({"secretRef": {"name": "app-secrets"}} in container["envFrom"], "and its secrets, by reference")
promise(
    {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in code["volumeMounts"]}
    <= {one["name"] for one in pod["volumes"]},
    "and its volumes",
)
promise(
    container["securityContext"] == code["securityContext"] and pod["securityContext"]["runAsNonRoot"],
    "and no right that it need not have",
)
promise(pod["serviceAccountName"] == "steward", "and the account of the chart")
dagster = yaml.safe_load((FOLDER / "dagster-values.yaml").read_text())
(server,) = dagster["dagsterWebserver"]["workspace"]["servers"]
service = of_kind(fanout, "Service")["steward-dagster"]["spec"]["ports"][0]
promise((server["host"], server["port"]) == ("steward-dagster", service["port"]), "Dagster's chart finds the code location")
promise(dagster["runLauncher"]["type"] == "K8sRunLauncher", "runs are pods by K8sRunLauncher")

for flags, word in {
    ("--set", "replicas=2"): "ledger.existingSecret",
    ("--set", "replicas=2,ledger.existingSecret=l"): "ReadWriteOnce",
    ("--set", "state.persistent=false"): "lost with the pod",
    ("--set", "dagster.enabled=true"): "ledger.existingSecret",
    ("--set", "healthcheck.enabled=true"): "ledger.existingSecret",
    ("--set", "ingress.enabled=true"): "ingress.host",
    ("--set", "podSecurityContext.runAsNonRoot=false"): "runAsNonRoot",
    ("--set", "podSecurityContext.runAsUser=0"): "runAsUser",
    ("--set", "replica=2"): "replica",
    ("--set", "image.pullPolicy=Sometimes"): "pullPolicy",
}.items():
    promise(word in refused(*flags), f"{flags[1]} is refused, with a word of {word}")

schema = json.loads((CHART / "values.schema.json").read_text())
jsonschema.Draft7Validator.check_schema(schema)
values = yaml.safe_load((CHART / "values.yaml").read_text())


def undescribed(value, part, path=""):
    for key, inner in (value or {}).items():
        known = part.get("properties", {}).get(key)
        if known is None:
            if "properties" in part and part.get("additionalProperties") is False:
                yield path + key
        elif isinstance(inner, dict):
            yield from undescribed(inner, known, f"{path}{key}.")


promise(list(undescribed(values, schema)) == [], "each value is described by the schema")
if wrong:
    sys.exit(f"{len(wrong)} promises are not kept")

"""What deploy/ comes to: manifests as a cluster would get them, and the schemas of clusters."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"
CHART = DEPLOY / "helm/rotator"
OVERLAYS = sorted(path.name for path in (DEPLOY / "kubernetes/overlays").iterdir())
EXAMPLES = sorted(path.name for path in (CHART / "ci").iterdir())
#: From the first one with native sidecars to the newest that kubernetes-validate knows.
VERSIONS = ["1.29", "1.31", "1.33", "1.35", "1.36", "1.37"]
#: Its schema is the Prometheus operator's, not Kubernetes'.
FOREIGN = {"PodMonitor"}
RESTARTS = "components/restarts"
_SCHEMAS = files("kubernetes_validate") / "kubernetes-json-schema"


def needed(program):
    """The path of a program; without it, the case is skipped and the summary says so."""
    # What pip installed lies beside our Python, and need not be on PATH.
    beside = str(Path(sys.executable).parent)
    found = shutil.which(program) or shutil.which(program, path=beside)
    if found is None:
        pytest.skip(f"NOT TRIED: {program} is not on PATH")
    return found


@cache
def kustomized(overlay):
    """The documents of an overlay."""
    folder = DEPLOY / "kubernetes/overlays" / overlay
    return _documents([needed("kubectl"), "kustomize", folder])


@cache
def templated(example):
    """The documents of the chart with the values of one of its examples."""
    how = ["--namespace", "rotator", "--kube-version", "1.34.0", "--values", CHART / "ci" / example]
    return _documents([needed("helm"), "template", "release", CHART, *how])


def restarting(folder):
    """A Deployment with the right to restart a workload, from either engine that is on PATH."""
    there = os.path.relpath(DEPLOY / "kubernetes", folder)
    wish = {"resources": [f"{there}/overlays/deployment"], "components": [f"{there}/{RESTARTS}"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(wish))
    yield _documents([needed("kubectl"), "kustomize", folder])
    if helm := shutil.which("helm"):
        values = [
            "--values",
            CHART / "ci/deployment-values.yaml",
            "--set",
            "restarts={application}",
        ]
        yield _documents([helm, "template", "release", CHART, "--kube-version=1.34.0", *values])


def written():
    """Every document below deploy/kubernetes, as it is written, that is whole by itself."""
    found = {}
    for path in sorted((DEPLOY / "kubernetes").rglob("*.yaml")):
        if path.name not in {"kustomization.yaml", "rotator.yaml", "sidecar.yaml"}:
            name = str(path.relative_to(DEPLOY))
            found[name] = list(yaml.safe_load_all(path.read_text()))
    return found


def faults(document, version):
    """What a cluster of this version finds wrong with a document, unknown fields included."""
    if document["kind"] in FOREIGN:
        return []
    return [
        f"{document['kind']} at {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(document["apiVersion"], document["kind"], version).iter_errors(
            document
        )
    ]


def pods(documents):
    """The pod specifications within documents, as (kind, specification)."""
    for document in documents:
        spec = document.get("spec") or {}
        if document["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if document["kind"] == "Pod":
            yield "Pod", spec
        elif "template" in spec:
            yield document["kind"], spec["template"]["spec"]


def rotators(documents):
    """The containers that run rotator, as (its pod, it)."""
    for _, pod in pods(documents):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            if container["name"] == "rotator":
                yield pod, container


def refusals(pod):
    """What `restricted` Pod Security has against a pod (kubernetes.io, Pod Security Standards)."""
    shared = pod.get("securityContext") or {}
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    if any("hostPath" in volume for volume in pod.get("volumes", [])):
        yield "a hostPath"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = {**shared, **(container.get("securityContext") or {})}
        name = container["name"]
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"{name} may gain privileges"
        if (own.get("capabilities") or {}).get("drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if own.get("runAsNonRoot") is not True or own.get("runAsUser") == 0:
            yield f"{name} may be root"
        if (own.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
            yield f"{name} has no seccomp profile"


def _documents(command):
    told = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    assert "" == told.stderr
    return [document for document in yaml.safe_load_all(told.stdout) if document]


@cache
def _definitions(version):
    text = (_SCHEMAS / f"v{version}.0-local-strict" / "_definitions.json").read_text()
    found = Resource.from_contents(json.loads(text), default_specification=DRAFT202012)
    return Registry().with_resource("_definitions.json", found)


@cache
def _validator(api, kind, version):
    group, _, of_group = api.rpartition("/")
    group = f"{group.partition('.')[0]}-" if group else ""
    path = _SCHEMAS / f"v{version}.0-local-strict" / f"{kind.lower()}-{group}{of_group}.json"
    return jsonschema.Draft202012Validator(
        json.loads(path.read_text()), registry=_definitions(version)
    )

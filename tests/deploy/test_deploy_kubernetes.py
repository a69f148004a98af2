"""What clusters and reviewers would say of the manifests, from both kustomize and Helm."""

import re
import subprocess
from pathlib import Path

import deploy_stage as stage
import pytest
import yaml

from rotator import __version__
from rotator.settings import load, parse_duration

RIGHTS = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
RENDERED = [("kustomize", name) for name in stage.OVERLAYS]
RENDERED += [("helm", name) for name in stage.EXAMPLES]


def documents(rendered):
    engine, name = rendered
    return stage.kustomized(name) if engine == "kustomize" else stage.templated(name)


@pytest.fixture(params=RENDERED, ids="-".join)
def rendered(request):
    return documents(request.param)


@pytest.mark.parametrize("version", stage.VERSIONS)
def test_each_file_is_what_kubernetes_of_that_version_takes(version):
    assert [] == faults(stage.written().values(), version)


@pytest.mark.parametrize("version", stage.VERSIONS)
@pytest.mark.parametrize("engine", ["kustomize", "helm"])
def test_what_is_rendered_is_what_kubernetes_of_that_version_takes(engine, version):
    assert [] == faults([documents(each) for each in RENDERED if each[0] == engine], version)


def test_a_field_that_kubernetes_does_not_know_would_be_found():
    [budget] = stage.written()["kubernetes/overlays/deployment/disruption.yaml"]
    wrong = {**budget, "spec": {**budget["spec"], "minimumAvailable": 1}}

    assert 1 == len(stage.faults(wrong, stage.VERSIONS[0]))


def test_pods_keep_to_restricted_pod_security(rendered):
    found = [(kind, list(stage.refusals(pod))) for kind, pod in stage.pods(rendered)]

    assert [] == [(kind, said) for kind, said in found if said]
    assert found


def test_restricted_pod_security_would_refuse_what_it_must():
    careless = {"containers": [{"name": "app"}], "hostNetwork": True}

    assert 5 == len(list(stage.refusals(careless)))


def test_rotator_cannot_write_its_root_and_has_no_token_for_the_cluster(rendered):
    for pod, container in stage.rotators(rendered):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["automountServiceAccountToken"] is False
        assert "vault" in {
            source["serviceAccountToken"]["audience"]
            for volume in pod["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        }


def test_nothing_has_rights_in_the_cluster(rendered):
    assert set() == RIGHTS & {document["kind"] for document in rendered}


def test_where_a_policy_restarts_workloads_they_may_be_patched_by_name_and_nothing_else(
    tmp_path,
):
    for found in stage.restarting(tmp_path):
        assert {"Role", "RoleBinding"} == RIGHTS & {document["kind"] for document in found}
        [role] = [document for document in found if document["kind"] == "Role"]
        [rule] = role["rules"]
        assert (["application"], ["patch"]) == (rule["resourceNames"], rule["verbs"])
        assert [] == faults([found], stage.VERSIONS[-1])
        for pod, _ in stage.rotators(found):
            assert pod["automountServiceAccountToken"] is True


def test_the_configuration_in_it_is_one(rendered, tmp_path):
    settings = configuration(rendered, tmp_path)

    assert ["ci-pipeline"] == [policy.name for policy in settings.policies]


def test_a_key_that_is_minted_has_its_whole_grace_to_be_delivered(rendered, tmp_path):
    [policy] = configuration(rendered, tmp_path).policies
    grace = policy.grace.total_seconds()

    for pod, _ in stage.rotators(rendered):
        assert grace <= pod["terminationGracePeriodSeconds"]
    for document in rendered:
        if document["kind"] == "CronJob":
            job = document["spec"]["jobTemplate"]["spec"]
            assert grace + parse_duration("60s").total_seconds() < job["activeDeadlineSeconds"]


def test_whatever_is_mounted_is_a_volume_and_whatever_is_a_volume_is_mounted(rendered):
    for pod, container in stage.rotators(rendered):
        ours = {mount["name"] for mount in container["volumeMounts"]}
        theirs = {
            mount["name"]
            for other in pod["containers"]
            if other is not container
            for mount in other.get("volumeMounts", [])
        }
        assert ours | theirs == {volume["name"] for volume in pod["volumes"]}


def test_selectors_find_the_pods_they_are_for(rendered):
    workloads = [d for d in rendered if d["kind"] in {"Deployment", "CronJob"}]
    [labels] = [template(workload)["metadata"]["labels"] for workload in workloads]

    for document in rendered:
        spec = document.get("spec") or {}
        selector = spec.get("selector") or spec.get("podSelector")
        if selector:
            assert selector["matchLabels"].items() <= labels.items(), document["kind"]


@pytest.mark.parametrize("example", stage.EXAMPLES)
def test_the_chart_is_without_fault_to_helm(example):
    helm = stage.needed("helm")
    values = stage.CHART / "ci" / example

    told = subprocess.run(
        [helm, "lint", "--strict", stage.CHART, "--values", values],
        capture_output=True,
        check=False,
    )

    assert 0 == told.returncode, told.stdout


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("mode=statefulset", "mode"),
        ("replicas=3", "replicas"),
        ("http.port=80", "port"),
        ("image.digest=latest", "digest"),
        ("config.policies=null", "policies"),
        ("podMonitor.enabled=true", "needs http.tokenSecret"),
    ],
)
def test_the_chart_refuses_values_that_cannot_work(wrong, words):
    helm = stage.needed("helm")
    sound = ["--set-json", 'config.policies=[{"name":"ci"}]']
    command = [helm, "template", stage.CHART, "--kube-version=1.34.0", *sound, "--set", wrong]

    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 != told.returncode
    assert words in told.stderr


def test_the_chart_has_the_version_of_the_program():
    chart = yaml.safe_load((stage.CHART / "Chart.yaml").read_text())

    assert (__version__, __version__) == (chart["version"], chart["appVersion"])


def faults(groups, version):
    """What is wrong with the documents of these groups; many are in several of them."""
    different = {repr(document): document for group in groups for document in group}
    return [fault for each in different.values() for fault in stage.faults(each, version)]


def template(workload):
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]


def configuration(rendered, folder):
    """What rotator reads in these pods, whose mounts hold the files that it names."""
    [found] = [d for d in rendered if d["kind"] == "ConfigMap"]
    _, container = next(stage.rotators(rendered))
    environ = {variable["name"]: variable["value"] for variable in container.get("env", [])}
    texts = [found["data"]["rotator.yaml"], *environ.values()]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    for path in {path for text in texts for path in re.findall(r"/(?:run|etc)/[^\s\"}]+", text)}:
        assert str(Path(path).parent) in mounted
        (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (folder / path[1:]).write_text("of-sixteen-letters")
    file = folder / "rotator.yaml"
    file.write_text(texts[0].replace("/run/", f"{folder}/run/"))
    moved = {name: re.sub("/(run|etc)/", rf"{folder}/\1/", text) for name, text in environ.items()}
    return load([file], moved)

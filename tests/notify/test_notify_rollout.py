"""The hook ``kubernetes``, against a server that is asked exactly what an API server would be."""

import json
import ssl
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from notify_stage import NEWS, listening, reading

from rotator.errors import NotFound, NotPermitted, Rejected, Unavailable
from rotator.notify.rollout import Rollout, api_of
from rotator.notify.wire import Way

TOKEN = "eyJhbGciOiJSUzI1NiIsCANARY.eyJzdWIiOiJ4In0.c2ln"
OK = "200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def rollout(api, *workloads, namespace="apps", token=TOKEN, ca_cert=None):
    return Rollout(
        way=Way("notify kubernetes", timedelta(seconds=5), ca_cert),
        api=api,
        token=reading(token),
        namespace=namespace,
        workloads=workloads or ("deployment/web",),
    )


async def test_a_workload_is_patched_as_kubectl_does_it():
    async with listening(OK) as server:
        await rollout(server.url).tell(NEWS)

    (request,) = server.requests
    path = "/apis/apps/v1/namespaces/apps/deployments/web"
    assert f"PATCH {path}?fieldManager=arize-key-rotator HTTP/1.1" == request.line
    assert "application/strategic-merge-patch+json" == request.headers["content-type"]
    assert f"Bearer {TOKEN}" == request.headers["authorization"]
    annotations = {"arize-key-rotator/event": "9f4c2a7be1d05836:deployer"}
    assert {"spec": {"template": {"metadata": {"annotations": annotations}}}} == (
        json.loads(request.body)
    )


async def test_every_kind_of_workload_has_its_path():
    async with listening(OK, OK, OK) as server:
        await rollout(server.url, "deployment/web", "statefulset/db.main", "daemonset/agent").tell(
            NEWS
        )

    assert {
        "/apis/apps/v1/namespaces/apps/deployments/web",
        "/apis/apps/v1/namespaces/apps/statefulsets/db.main",
        "/apis/apps/v1/namespaces/apps/daemonsets/agent",
    } == {request.line.split()[1].partition("?")[0] for request in server.requests}


async def test_to_be_told_twice_changes_nothing_the_second_time():
    async with listening(OK, OK) as server:
        for _ in range(2):
            await rollout(server.url).tell(NEWS)

    assert 1 == len({request.body for request in server.requests})


@pytest.mark.parametrize(
    ("answer", "kind", "remedy"),
    [
        (
            "403 Forbidden\r\n",
            NotPermitted,
            "allow the service account `patch` on deployments web; see docs/notify.md",
        ),
        (
            "401 Unauthorized\r\n",
            NotPermitted,
            "allow the service account `patch` on deployments web; see docs/notify.md",
        ),
        ("404 Not Found\r\n", NotFound, "check its name"),
        ("500 Internal Server Error\r\n", Unavailable, ""),
        ("409 Conflict\r\n", Unavailable, ""),
    ],
)
async def test_what_is_refused_is_told_with_what_to_do(answer, kind, remedy):
    async with listening(answer) as server:
        with pytest.raises(kind) as caught:
            await rollout(server.url).tell(NEWS)

    status = answer.split()[0]
    assert f"deployment/web in apps: {server.url} answered {status}" == caught.value.message
    assert remedy == caught.value.remedy
    assert TOKEN not in str(caught.value)


async def test_one_that_fails_does_not_keep_the_others_from_it():
    async with listening("404 Not Found\r\n", OK, OK) as server:
        with pytest.raises(NotFound):
            await rollout(server.url, "deployment/a", "deployment/b", "deployment/c").tell(NEWS)

    assert 3 == len(server.requests)


async def test_the_namespace_is_that_of_the_pod_unless_given(tmp_path):
    file = tmp_path / "namespace"
    file.write_text("default\n", encoding="utf-8")
    async with listening(OK) as server:
        await rollout(server.url, namespace=file).tell(NEWS)

    assert "/namespaces/default/" in server.requests[0].line


async def test_outside_of_a_pod_the_namespace_must_be_given():
    with pytest.raises(NotFound) as caught:
        await rollout("http://127.0.0.1:1", namespace=Path("/nowhere/namespace")).tell(NEWS)

    assert "set `kubernetes.namespace`" == caught.value.remedy


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody else trusts."""
    folder = tmp_path_factory.mktemp("authority")
    pair = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=api", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", pair[0], "-out", pair[1]),
        ],
        check=True,
        capture_output=True,
    )
    return pair


async def test_the_authorities_of_the_pod_are_trusted_and_no_others(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority[1], authority[0])
    async with listening(OK, OK, ssl=context) as server:
        await rollout(server.url, ca_cert=authority[1]).tell(NEWS)
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await rollout(server.url).tell(NEWS)

    assert 1 == len(server.requests)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "https://kubernetes.default.svc"),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"},
            "https://10.0.0.1:6443",
        ),
        ({"KUBERNETES_SERVICE_HOST": "fd00::1"}, "https://[fd00::1]:443"),
    ],
)
def test_a_pod_is_told_where_the_api_server_is(environ, expected):
    assert expected == api_of(environ)


def test_what_only_a_pod_has_is_missed_outside_of_one(tmp_path):
    authorities = tmp_path / "ca.crt"
    somewhere = replace(rollout("https://k"), namespace=tmp_path / "namespace")

    assert rollout("https://k").obstacle() is None
    assert "set `kubernetes.namespace`" == somewhere.obstacle().remedy
    missing = rollout("https://k", ca_cert=authorities).obstacle()
    assert f"{authorities} cannot be used: No such file or directory" == missing.message
    authorities.write_text("no certificate", encoding="utf-8")
    assert isinstance(rollout("https://k", ca_cert=authorities).obstacle(), Rejected)

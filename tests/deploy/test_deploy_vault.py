"""deploy/vault on a real server: its policy is enough for a whole rotation, and nothing more."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import hvac.exceptions
import pytest
import yaml
from deploy_stage import DEPLOY, needed
from vault_servers import any_authority, cluster, service_account_token, started

from rotator.sandbox import real_vault
from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.arize_model import ArizeOptions
from rotator.sandbox.server import serving_in_thread

POLICY = (DEPLOY / "vault/rotator.hcl").read_text()
RULES = re.findall(r'^path "([^"]+)" \{\n  capabilities = (\[.*\])\n\}$', POLICY, re.MULTILINE)
#: Each capability of each path.
GRANTED = [(path, name) for path, names in RULES for name in json.loads(names)]
NOT_OURS = [
    ("get", "secret/data/apps/other/arize"),
    ("post", "secret/data/apps/other/arize"),
    ("delete", "secret/data/apps/ci/arize"),
    ("post", "secret/delete/apps/ci/arize"),
    ("put", "secret/destroy/apps/ci/arize"),
    ("get", "secret/metadata/apps/ci/arize"),
    ("delete", "secret/metadata/apps/ci/arize"),
    ("list", "secret/metadata/rotator"),
    ("delete", "secret/data/rotator/ci"),
    ("get", "secret/data/rotator/ci/below"),
    ("post", "auth/token/create"),
    ("get", "auth/token/accessors"),
    ("get", "sys/policies/acl/rotator"),
    ("put", "sys/policies/acl/rotator"),
    ("get", "sys/mounts"),
    ("get", "cubbyhole/anything"),
    ("get", "auth/approle/role/rotator"),
]


@pytest.fixture(scope="module")
def server():
    program = real_vault.program()
    if program is None:
        pytest.skip("NOT TRIED on a real server: neither vault nor bao is on PATH")
    with started("real") as running:
        yield running


@pytest.fixture
def setup(server):
    """Runs deploy/vault/setup.sh as an administrator would; answers what it printed."""

    def run(method, **variables):
        credentials = {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.token}
        environ = {"PATH": os.environ["PATH"], "VAULT": real_vault.program(), **credentials}
        return subprocess.run(
            [DEPLOY / "vault/setup.sh", method],
            env={**environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run


@pytest.fixture
def arize():
    """An account with one key that is due, and where it is."""
    state = live_state(ArizeOptions())
    state.due = state.seed_user_key("ci")[0]
    with serving_in_thread(arize_app(state)) as state.url:
        yield state


@pytest.fixture
def rotate(server, arize, tmp_path):
    """Runs the real program in an empty Vault, once, with this login; answers its events."""
    for folder in ("secret/metadata/rotator", "secret/metadata/apps/ci"):
        for name in _below(server, folder):
            server.call("delete", f"{folder}/{name}")

    def run(login):
        spool = {"spool": {"directory": str(tmp_path / "spool")}} if find_spec("nacl") else {}
        document = {
            "arize": {"base_url": arize.url, "api_key": {"env": "ARIZE_API_KEY"}},
            "vault": {"address": server.address, "auth": login},
            "policies": [
                {
                    "name": "ci",
                    "key": {"id": arize.due},
                    "rotate": {"max_age": "1ms", "min_interval": "1s"},
                    "deliver": {"path": "apps/ci/arize", "field": "api_key"},
                }
            ],
            **spool,
        }
        config = tmp_path / "rotator.yaml"
        config.write_text(yaml.safe_dump(document))
        told = subprocess.run(
            [sys.executable, "-m", "rotator", "run", "--once", "--config", config],
            env={"PATH": os.environ["PATH"], "ARIZE_API_KEY": arize.management_key},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "" == told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    return run


@pytest.fixture
def approle(server, setup, tmp_path):
    """The login of a host that deploy/vault/setup.sh let in."""
    setup("approle")
    role = "auth/approle/role/rotator"
    secret = tmp_path / "secret_id"
    secret.touch(0o600)
    secret.write_text(server.call("post", f"{role}/secret-id")["data"]["secret_id"])
    role_id = server.call("get", f"{role}/role-id")["data"]["role_id"]
    return {"method": "approle", "role_id": role_id, "secret_id": {"file": str(secret)}}


@pytest.fixture
def kubernetes(server, setup, tmp_path):
    """The login of a pod that deploy/vault/setup.sh let in, in a cluster that vouches for it."""
    setup("kubernetes", NAMESPACE="default")
    reviewer = service_account_token("reviewer").reveal()
    server.call(
        "post",
        "auth/kubernetes/config",
        kubernetes_host=cluster(),
        kubernetes_ca_cert=any_authority(),
        disable_local_ca_jwt=True,
        token_reviewer_jwt=reviewer,
    )
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(service_account_token("rotator", aud=["vault"]).reveal())
    return {"method": "kubernetes", "role": "rotator", "jwt": {"file": str(token)}}


@pytest.mark.parametrize("method", ["approle", "kubernetes"])
def test_the_policy_is_enough_for_a_whole_rotation(method, request, server, arize, rotate):
    events = rotate(request.getfixturevalue(method))

    assert "rotation.completed" in [event["event"] for event in events], [
        e.get("error") or e for e in events
    ]
    held = server.call("get", "secret/data/apps/ci/arize")["data"]["data"]["api_key"]
    assert arize.accepts(held)


@pytest.mark.parametrize(("path", "capability"), GRANTED)
def test_nothing_of_the_policy_can_be_left_out(path, capability, server, approle, rotate):
    # With a token that has to be prolonged before it lasts.
    server.call("post", "auth/approle/role/rotator", token_ttl="59s", token_max_ttl="1h")
    server.call("put", "sys/policies/acl/rotator", policy=without(path, capability))

    events = rotate(approle)

    assert "rotation.completed" not in [event["event"] for event in events]


@pytest.mark.parametrize(("method", "path"), NOT_OURS)
def test_whatever_else_is_denied(method, path, server, approle):
    secret_id = Path(approle["secret_id"]["file"]).read_text()
    login = {"role_id": approle["role_id"], "secret_id": secret_id}
    token = server.call("post", "auth/approle/login", **login)["auth"]["client_token"]
    ours = type(server)(server.address, token)

    with pytest.raises(hvac.exceptions.Forbidden):
        ours.call(method, path, data={})


def test_setting_up_again_does_no_harm(setup):
    assert setup("approle") == setup("approle")


def test_setup_says_how_it_is_used():
    told = subprocess.run(
        [DEPLOY / "vault/setup.sh"], env={"VAULT": "true"}, capture_output=True, check=False
    )

    assert (2, True) == (told.returncode, told.stderr.startswith(b"usage: "))


def test_terraform_says_the_same_as_the_commands():
    script = (DEPLOY / "vault/setup.sh").read_text()
    module = (DEPLOY / "vault/terraform/main.tf").read_text()

    assert 'file("${path.module}/../rotator.hcl")' in module
    for said, meant in (
        ("token_ttl=1h token_max_ttl=24h", r"token_ttl += 3600\n +token_max_ttl += 86400"),
        ("token_no_default_policy=true", r"token_no_default_policy += true"),
        ("secret_id_ttl=0", r"secret_id_ttl += 0"),
        ("audience=vault", r'audience += optional\(string, "vault"\)'),
    ):
        assert said in script
        assert re.search(meant, module)


def test_terraform_is_written_as_terraform_writes_it():
    told = subprocess.run(
        [needed("terraform"), f"-chdir={DEPLOY / 'vault/terraform'}", "fmt", "-check", "-diff"],
        capture_output=True,
        check=False,
    )

    assert (0, b"") == (told.returncode, told.stdout)


def without(path, capability):
    """The policy less one capability."""
    names = dict(RULES)[path]
    rest = json.dumps([name for name in json.loads(names) if name != capability])
    rule = f'path "{path}" {{\n  capabilities = '
    assert 1 == POLICY.count(rule + names)
    return POLICY.replace(rule + names, rule + rest)


def _below(server, path):
    """The names below a path, of which there may be none."""
    try:
        return server.call("list", path)["data"]["keys"]
    except hvac.exceptions.InvalidPath:
        return []

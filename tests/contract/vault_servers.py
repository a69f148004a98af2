"""The servers that the Vault cases run on, and what their administrator does there."""

import base64
import itertools
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import certifi
import hvac
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from rotator.sandbox import real_vault
from rotator.sandbox.server import serving_in_thread
from rotator.sandbox.vault import live_vault, vault_app
from rotator.secrets import Secret

_NUMBERS = itertools.count(1)


@dataclass
class Server:
    """A Vault as its administrator sees it; without ``unseal_key``, it is not ours to seal."""

    address: str
    token: str
    unseal_key: str | None = None
    namespace: str | None = None

    @cached_property
    def admin(self):
        return hvac.Client(self.address, token=self.token, namespace=self.namespace)

    def call(self, method, path, **body):
        return self.admin.adapter.request(method, f"/v1/{path}", json=body)

    def kv(self, version):
        """A new mount."""
        mount = unique("kv")
        self.call("post", f"sys/mounts/{mount}", type="kv", options={"version": str(version)})
        return mount

    def policy(self, **rules):
        """A new policy, from paths to capabilities."""
        name = unique("policy")
        text = "\n".join(
            f'path "{path}" {{ capabilities = {json.dumps(names)} }}'
            for path, names in rules.items()
        )
        self.call("put", f"sys/policies/acl/{name}", policy=text)
        return name

    def token_with(self, **wish):
        """A new token."""
        return Secret(self.call("post", "auth/token/create", **wish)["auth"]["client_token"])

    def approle(self, **wish):
        """A new mount of the method with one role: mount, role id, secret id."""
        mount = unique("approle")
        self.call("post", f"sys/auth/{mount}", type="approle")
        self.call("post", f"auth/{mount}/role/app", **wish)
        role_id = self.call("get", f"auth/{mount}/role/app/role-id")["data"]["role_id"]
        secret_id = self.call("post", f"auth/{mount}/role/app/secret-id")["data"]["secret_id"]
        return mount, role_id, Secret(secret_id)

    def kubernetes(self, account, **wish):
        """A new mount of the method whose one role is for ``account``."""
        mount = unique("kubernetes")
        self.call("post", f"sys/auth/{mount}", type="kubernetes")
        self.call(
            "post",
            f"auth/{mount}/config",
            kubernetes_host=cluster(),
            kubernetes_ca_cert=any_authority(),
            disable_local_ca_jwt=True,
            token_reviewer_jwt=service_account_token("reviewer").reveal(),
        )
        bound = {
            "bound_service_account_names": [account],
            "bound_service_account_namespaces": ["default"],
        }
        self.call("post", f"auth/{mount}/role/app", **bound, **wish)
        return mount

    def seal(self):
        self.call("put", "sys/seal")

    def unseal(self):
        self.call("put", "sys/unseal", key=self.unseal_key)


def unique(name):
    """A name that no other case uses, on a server that outlives this run as well."""
    return f"{name}-{os.getpid()}-{next(_NUMBERS)}"


def available():
    """The names of the servers there are: a real one that is not there is not a skipped one."""
    real = os.environ.get("ROTATOR_TEST_VAULT_ADDR") or real_vault.program()
    return ["stand-in", "real"] if real else ["stand-in"]


@contextmanager
def started(name):
    """The server called ``name``."""
    address = os.environ.get("ROTATOR_TEST_VAULT_ADDR")
    if name == "stand-in":
        state = live_vault()
        with serving_in_thread(vault_app(state)) as url:
            yield Server(url, "root", state.unseal_key)
    elif address:
        token = os.environ.get("ROTATOR_TEST_VAULT_TOKEN") or os.environ["VAULT_TOKEN"]
        yield Server(address, token, os.environ.get("ROTATOR_TEST_VAULT_UNSEAL_KEY"))
    else:
        with real_vault.running(real_vault.program()) as server:
            yield Server(server.address, server.token, server.unseal_key)


def service_account_token(account, **more):
    """What a kubelet puts into a pod, signed by nobody; ``more`` are claims as well."""
    claims = {
        **more,
        "iss": "kubernetes/serviceaccount",
        "sub": f"system:serviceaccount:default:{account}",
        "kubernetes.io/serviceaccount/namespace": "default",
        "kubernetes.io/serviceaccount/service-account.name": account,
        "kubernetes.io/serviceaccount/service-account.uid": f"uid-of-{account}",
        "kubernetes.io/serviceaccount/secret.name": f"token-of-{account}",
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    head, body = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return Secret(f"{head}.{body}.c2lnbmF0dXJl")


def any_authority():
    """Vault wants one, though the cluster is asked without TLS."""
    end = "-----END CERTIFICATE-----"
    first = Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0]
    return first[first.index("-----BEGIN") :] + end


_CLUSTER = {}


def cluster():
    """The address of a Kubernetes API that vouches for every token, until the process ends."""
    if not _CLUSTER:
        serving = serving_in_thread(Starlette(routes=[Route(_REVIEWS, _review, methods=["POST"])]))
        _CLUSTER.update(url=serving.__enter__(), serving=serving)
    return _CLUSTER["url"]


_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


async def _review(request):
    body = await request.json()
    payload = body["spec"]["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    user = {
        "username": claims["sub"],
        "uid": claims["kubernetes.io/serviceaccount/service-account.uid"],
        "groups": ["system:serviceaccounts"],
    }
    # Only the audiences that were asked for and that the token has; older servers ask for none.
    audiences = [
        name for name in body["spec"].get("audiences", []) if name in claims.get("aud", [])
    ]
    status = {"authenticated": True, "user": user, "audiences": audiences}
    return JSONResponse({**body, "status": status}, 201)

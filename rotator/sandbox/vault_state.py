"""A Vault without a network: namespaces, mounts, seal, and who may do what. Pure.

The time comes from an injected clock; there is no randomness. What cannot be seen through
rotator's adapter or hvac's calls for it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.sandbox.vault_faults import Faults
from rotator.sandbox.vault_kv import Answer, Call, Json, KvV1, KvV2
from rotator.sandbox.vault_tokens import AppRoles, KubernetesRoles, Policies, Token, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

#: Answered without a token, and while sealed.
_OPEN = {"sys/health", "sys/seal-status", "sys/unseal"}
_VERBS = {"GET": "read", "LIST": "list", "DELETE": "delete", "PATCH": "patch"}


@dataclass(slots=True)
class _Namespace:
    mounts: dict[str, KvV1 | KvV2] = field(default_factory=dict)
    auth: dict[str, AppRoles | KubernetesRoles] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``path`` is without ``/v1/``."""

    method: str
    path: str
    body: Json
    query: Mapping[str, str]
    token: str = ""
    namespace: str = ""


class VaultState:
    """Everything a stand-in knows, with KV version 2 at ``secret`` like a server in dev mode."""

    def __init__(self, clock: Callable[[], datetime], *, root_token: str = "root") -> None:  # noqa: S107 - a toy's
        self.unseal_key = "stand-in-unseal-key"
        self.sealed = False
        self.faults = Faults()
        self._clock = clock
        self._tokens = Tokens(root_token)
        self._namespaces = {"": _Namespace(mounts={"secret": KvV2()})}

    def answer(self, request: Request) -> tuple[int, Json | None]:
        """Status and body of the answer.

        Raises:
            Answer: It is not a success.
        """
        if self.sealed and request.path not in _OPEN:
            raise Answer(503, "Vault is sealed")
        space = self._namespaces.get(request.namespace.strip("/"))
        if space is None:
            raise Answer(404, "namespace not found")
        body = self._routed(space, request)
        return (204, None) if body is None else (200, {"warnings": None, "auth": None, **body})

    def _routed(self, space: _Namespace, request: Request) -> Json | None:
        first, _, rest = request.path.partition("/")
        if first == "auth" and not rest.startswith("token/"):
            return self._method(space, request, rest)
        if request.path in _OPEN:
            return self._about(request)
        token = self._tokens.find(request.token, self._clock())
        if token is None:
            raise Answer(403, "permission denied")
        if first == "sys" and rest.startswith("internal/ui/mounts/"):
            return self._mount(space, token, rest.removeprefix("internal/ui/mounts/"))
        self._permit(space, token, request)
        if first == "auth":
            return self._own_token(token, request)
        if first == "sys":
            return self._system(space, token, request)
        return self._secret(space, request)

    def _about(self, request: Request) -> Json:
        if request.path == "sys/unseal" and request.body.get("key") == self.unseal_key:
            self.sealed = False
        facts = {"initialized": True, "sealed": self.sealed, "standby": self.sealed}
        if request.path == "sys/health" and self.sealed:
            raise Answer(503, body=facts)
        return facts

    def _permit(self, space: _Namespace, token: Token, request: Request) -> None:
        granted = space.policies.capabilities(token, request.path)
        needed = _VERBS.get(request.method)
        if needed is None:
            engine, below = self._engine(space, request.path)
            needed = "create" if engine and not engine.holds(below) else "update"
        if not {"root", needed}.intersection(granted):
            raise Answer(403, "1 error occurred:\n\t* permission denied\n\n")

    def _secret(self, space: _Namespace, request: Request) -> Json | None:
        engine, below = self._engine(space, request.path)
        if engine is None:
            raise Answer(404, f'no handler for route "{request.path}". route entry not found.')
        data = engine.answer(
            Call(request.method, below, request.body, request.query, self._clock())
        )
        return None if data is None else {"data": data}

    @staticmethod
    def _engine(space: _Namespace, path: str) -> tuple[KvV1 | KvV2 | None, str]:
        for mount, engine in space.mounts.items():
            if path.startswith(f"{mount}/"):
                return engine, path.removeprefix(f"{mount}/")
        return None, path

    def _mount(self, space: _Namespace, token: Token, mount: str) -> Json:
        if mount == "sys":
            return {"data": {"type": "system", "path": "sys/", "options": None}}
        engine = space.mounts.get(mount)
        if engine is None or not space.policies.touches(token, mount):
            raise Answer(403, "preflight capability check returned 403")
        options = {"version": "2"} if isinstance(engine, KvV2) else None
        return {"data": {"type": "kv", "path": f"{mount}/", "options": options}}

    def _method(self, space: _Namespace, request: Request, rest: str) -> Json | None:
        mount, _, below = rest.partition("/")
        method, now = space.auth.get(mount), self._clock()
        if method is None or below != "login":
            token = self._tokens.find(request.token, now)
            if token is None or "root" not in token.policies:
                raise Answer(403, "permission denied")
        if method is None:
            raise Answer(404, f'no handler for route "auth/{rest}". route entry not found.')
        verb = "POST" if request.method == "PUT" else request.method
        return method.answer(verb, below, request.body, now)

    def _own_token(self, token: Token, request: Request) -> Json | None:
        now = self._clock()
        match request.path.removeprefix("auth/token/"):
            case "lookup-self":
                return {"data": token.facts(now)}
            case "renew-self":
                return {"auth": self._tokens.renew(token, now).auth(now)}
            case "create":
                names = request.body.get("policies") or token.policies
                return {"auth": self._tokens.make(request.body, names, now).auth(now)}
            case "revoke-self":
                self._tokens.revoke(token.id)
            case "revoke":
                self._tokens.revoke(str(request.body.get("token")))
            case _:
                raise Answer(404, "unsupported path")
        return None

    def _system(self, space: _Namespace, token: Token, request: Request) -> Json | None:
        match request.path.split("/")[1:]:
            case ["seal"]:
                self.sealed = True
            case ["capabilities-self"]:
                paths = request.body.get("paths", [])
                found = {path: space.policies.capabilities(token, path) for path in paths}
                return {"data": found, **found}
            case ["mounts", *path]:
                version = (request.body.get("options") or {}).get("version")
                space.mounts["/".join(path)] = KvV2() if version == "2" else KvV1()
            case ["auth", mount]:
                kinds = {"approle": AppRoles, "kubernetes": KubernetesRoles}
                space.auth[mount] = kinds[request.body["type"]](self._tokens)
            case ["policies", "acl", name]:
                space.policies.put(name, request.body["policy"])
            case ["namespaces", name]:
                self._namespaces[name] = _Namespace()
                return {"data": {"path": f"{name}/"}}
            case _:
                raise Answer(404, "unsupported path")
        return None

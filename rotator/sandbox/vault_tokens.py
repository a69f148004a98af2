"""Tokens, policies and logins of the Vault stand-in. Pure: the time comes as an argument."""

from __future__ import annotations

import base64
import itertools
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rotator.sandbox.vault_kv import Answer, Json

_LONGEST = timedelta(days=32)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BLOCK = re.compile(r'path\s+"([^"]+)"\s*\{[^}]*?capabilities\s*=\s*\[([^\]]*)\]')
_DEFAULT = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
"""


@dataclass(slots=True)
class Token:
    """A token; ``expires`` None is for the root token."""

    id: str
    policies: list[str]
    ttl: timedelta = timedelta(0)
    expires: datetime | None = None
    #: Renewal ends here.
    longest: datetime | None = None
    renewable: bool = False
    kind: str = "service"
    created: datetime | None = None
    #: ``explicit_max_ttl``, if it was made with one.
    bound: timedelta | None = None

    def left(self, now: datetime) -> int:
        """Whole seconds of life; 0 for the root token, as Vault writes it."""
        return int((self.expires - now).total_seconds()) if self.expires else 0

    def auth(self, now: datetime) -> Json:
        """As logins and renewals answer it."""
        lasting = round((self.expires - now).total_seconds()) if self.expires else 0
        return {
            "client_token": self.id,
            "policies": self.policies,
            "token_policies": self.policies,
            "lease_duration": lasting,
            "renewable": self.renewable,
            "token_type": self.kind,
        }

    def facts(self, now: datetime) -> Json:
        """As a look-up answers it."""
        return {
            "id": self.id,
            "policies": self.policies,
            "ttl": self.left(now),
            "expire_time": self.expires.isoformat() if self.expires else None,
            "creation_time": int(self.created.timestamp()) if self.created else 0,
            "creation_ttl": int(self.ttl.total_seconds()),
            "explicit_max_ttl": int(self.bound.total_seconds()) if self.bound else 0,
            "renewable": self.renewable,
            "type": self.kind,
        }


@dataclass(slots=True)
class Tokens:
    """All tokens of a stand-in."""

    root: str
    _all: dict[str, Token] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._all[self.root] = Token(self.root, ["root"])

    def new_id(self, prefix: str) -> str:
        """An identifier nobody had before."""
        return f"{prefix}.StandIn{next(self._numbers):016d}"

    def find(self, token: str, now: datetime) -> Token | None:
        """A token that lives."""
        found = self._all.get(token)
        return found if found and (found.expires is None or found.expires > now) else None

    def make(self, wish: Json, policies: list[str], now: datetime) -> Token:
        """A token as ``wish`` describes it, in the words of ``auth/token/create``."""
        explicit = seconds(wish.get("explicit_max_ttl"))
        bound = explicit or seconds(wish.get("max_ttl")) or _LONGEST
        ttl = min(seconds(wish.get("ttl")) or _LONGEST, bound)
        batch = wish.get("type") == "batch"
        names = policies if wish.get("no_default_policy") else [*policies, "default"]
        token = Token(
            self.new_id("b" if batch else "s"),
            sorted(set(names)),
            ttl=ttl,
            expires=now + ttl,
            longest=now + bound,
            renewable=not batch and wish.get("renewable", True) is True,
            kind="batch" if batch else "service",
            created=now,
            bound=explicit,
        )
        self._all[token.id] = token
        return token

    def renew(self, token: Token, now: datetime) -> Token:
        """Prolong by the token's own TTL, up to its end."""
        if token.kind == "batch":
            raise Answer(400, "batch tokens cannot be renewed")
        if not token.renewable or token.longest is None:
            raise Answer(400, "lease is not renewable")
        token.expires = min(now + token.ttl, token.longest)
        return token

    def revoke(self, token: str) -> None:
        """End a token."""
        self._all.pop(token, None)


class Policies:
    """Policies by name, reduced to paths and capabilities."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[str, list[str]]] = {}
        self.put("default", _DEFAULT)

    def put(self, name: str, text: str) -> None:
        """Read the ``path`` blocks of a policy in HCL."""
        self._rules[name] = {
            path: re.findall(r'"([^"]+)"', names) for path, names in _BLOCK.findall(text)
        }

    def capabilities(self, token: Token, path: str) -> list[str]:
        """What ``token`` may do at ``path``: by the most exact rule of each policy."""
        if "root" in token.policies:
            return ["root"]
        granted = {name for rules in self._of(token) for name in _best(rules, path)}
        return ["deny"] if "deny" in granted or not granted else sorted(granted)

    def touches(self, token: Token, mount: str) -> bool:
        """Whether ``token`` may do anything at all below ``mount``."""
        return "root" in token.policies or any(
            path.startswith(f"{mount}/") for rules in self._of(token) for path in rules
        )

    def _of(self, token: Token) -> list[dict[str, list[str]]]:
        return [self._rules.get(name, {}) for name in token.policies]


@dataclass(slots=True)
class AppRoles:
    """The ``approle`` method at one mount."""

    tokens: Tokens
    _roles: dict[str, Json] = field(default_factory=dict)
    _secret_ids: dict[str, str] = field(default_factory=dict)

    def answer(self, method: str, path: str, body: Json, now: datetime) -> Json | None:
        """What a request below the mount gets; a login answers with ``auth``."""
        match [method, *path.split("/")]:
            case ["POST", "login"]:
                return {"auth": self._log_in(body, now).auth(now)}
            case ["POST", "role", name]:
                self._roles[name] = {**body, "role_id": self.tokens.new_id("role")}
                return None
            case ["GET", "role", name, "role-id"] if name in self._roles:
                return {"data": {"role_id": self._roles[name]["role_id"]}}
            case ["POST", "role", name, "secret-id"] if name in self._roles:
                secret_id = self.tokens.new_id("secret-id")
                self._secret_ids[secret_id] = name
                return {"data": {"secret_id": secret_id}}
            case ["POST", "role", _, "secret-id", "destroy"]:
                self._secret_ids.pop(body.get("secret_id", ""), None)
                return None
        raise Answer(404)

    def _log_in(self, body: Json, now: datetime) -> Token:
        role = self._roles.get(self._secret_ids.get(body.get("secret_id", ""), ""))
        if role is None or role["role_id"] != body.get("role_id"):
            raise Answer(400, "invalid role or secret ID")
        return self.tokens.make(_wish(role), role.get("token_policies", []), now)


@dataclass(slots=True)
class KubernetesRoles:
    """The ``kubernetes`` method at one mount. It believes what a token says about itself."""

    tokens: Tokens
    _roles: dict[str, Json] = field(default_factory=dict)

    def answer(self, method: str, path: str, body: Json, now: datetime) -> Json | None:
        """What a request below the mount gets; a login answers with ``auth``."""
        match [method, *path.split("/")]:
            case ["POST", "login"]:
                return {"auth": self._log_in(body, now).auth(now)}
            case ["POST", "role", name]:
                self._roles[name] = body
                return None
            case ["POST", "config"]:
                return None
        raise Answer(404)

    def _log_in(self, body: Json, now: datetime) -> Token:
        role = self._roles.get(body.get("role", ""))
        if role is None:
            raise Answer(400, f"invalid role name {body.get('role')!r}")
        account = _subject(body.get("jwt", "")).rpartition(":")[2]
        if account not in role.get("bound_service_account_names", []):
            raise Answer(403, "permission denied")
        return self.tokens.make(_wish(role), role.get("token_policies", []), now)


def seconds(text: Any) -> timedelta | None:
    """A length as Vault takes it: ``90``, ``"90s"``, ``"1h"``; None for nothing or 0."""
    match = re.fullmatch(r"(\d+)([smhd]?)", str(text or ""))
    if match is None or not int(match[1]):
        return None
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2] or "s"])


def _wish(role: Json) -> Json:
    return {
        "ttl": role.get("token_ttl"),
        "max_ttl": role.get("token_max_ttl"),
        "type": role.get("token_type"),
    }


def _best(rules: dict[str, list[str]], path: str) -> list[str]:
    matching = [rule for rule in rules if re.fullmatch(_pattern(rule), path)]
    return rules[max(matching, key=lambda rule: (rule == path, len(rule)))] if matching else []


def _pattern(rule: str) -> str:
    glob = rule.endswith("*")
    parts = ["[^/]+" if part == "+" else re.escape(part) for part in rule.rstrip("*").split("/")]
    return "/".join(parts) + (".*" if glob else "")


def _subject(jwt: str) -> str:
    try:
        payload = jwt.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ""

"""What may be configured. Fields only: what they must not be together is in ``rules``."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rotator.settings.durations import Duration
from rotator.settings.hooks import Hook, Sink
from rotator.settings.http import Http
from rotator.settings.sections import (
    POD_TOKEN,
    Filled,
    KvPath,
    SecretSource,
    Section,
    as_defaults,
    as_list,
)
from rotator.settings.windows import Cron, Zone

REGIONS = ("us-central-1a", "us-east-1b", "eu-west-1a", "ca-central-1a")

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


def _policy_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", name):
        raise ValueError(
            "use lower-case letters, digits, dots, dashes and underscores, at most 63 of them, with"
            " a letter or a digit first and last"
        )
    if re.match(r"ak-[a-z0-9]{16}", name):
        raise ValueError("looks like a raw key; name the policy after what the key is for")
    return name


def _no_raw_key(text: str) -> str:
    # Whoever gave the name may have liked such beginnings.
    if re.match(r"ak-[A-Za-z0-9]{32}", text):
        raise ValueError("looks like a raw key; write the id or the name that Arize shows of it")
    return text


KeyWords = Annotated[str, Field(min_length=1), AfterValidator(_no_raw_key)]


class RateLimit(Section):
    """How many requests there may be."""

    per_second: float = Field(ge=0.1, le=1000)
    burst: int = Field(default=10, ge=1, le=1000)


class Arize(Section):
    """The provider."""

    base_url: str | None = None
    region: str | None = None
    api_key: SecretSource
    timeout: Duration = timedelta(seconds=10)
    ca_cert: Path | None = None
    proxy: str | None = Field(default=None, repr=False)
    rate_limit: RateLimit | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        if self.region:
            return f"https://api.{self.region}.arize.com"
        return (self.base_url or "https://api.arize.com").rstrip("/")


class Token(Section):
    """A token that somebody else renews or replaces."""

    method: Literal["token"]
    token: SecretSource


class AppRole(Section):
    """Vault's AppRole method."""

    method: Literal["approle"]
    role_id: str = Field(min_length=1)
    secret_id: SecretSource
    mount: str = "approle"


class Kubernetes(Section):
    """Vault's Kubernetes method, with the pod's service account."""

    method: Literal["kubernetes"]
    role: str = Field(min_length=1)
    jwt: SecretSource = SecretSource(file=POD_TOKEN)
    mount: str = "kubernetes"


class Vault(Section):
    """The store. Defaults that begin with VAULT_ come from the variables of that name."""

    address: str
    namespace: str | None = None
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    skip_verify: bool = False
    proxy: str | None = Field(default=None, repr=False)
    timeout: Duration = timedelta(seconds=10)
    mount: KvPath = "secret"
    auth: Annotated[Token | AppRole | Kubernetes, Field(discriminator="method")]
    journal: KvPath = "rotator"


class Files(Section):
    """The store without Vault."""

    directory: Path


class Spool(Section):
    """Minted keys on this machine's disk, sealed, until the store has them."""

    directory: Path


class Run(Section):
    """How the work is done."""

    lease: Duration = timedelta(seconds=30)
    retry_budget: Duration = timedelta(minutes=1)
    settle: Duration = timedelta(seconds=20)
    handover: Duration = timedelta(seconds=20)
    relist: Duration = timedelta(minutes=5)
    recheck: Duration = timedelta(minutes=90)
    notify_for: Duration = timedelta(days=1)
    concurrency: int = Field(default=32, ge=1, le=1000)


class Log(Section):
    """What is said, and how."""

    level: Level = "info"
    format: Format = "auto"


class Role(Section):
    """A role: a predefined one by its name, or a custom one as ``{id: …}``."""

    name: str | None = Field(default=None, min_length=1)
    id: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _is_a_name(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return given
        if isinstance(given, str):
            return {"name": given}
        raise ValueError("must be the name of a role, or {id: …} of a custom one")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Role:
        if (self.id is None) == (self.name is None):
            raise ValueError("needs either the name of a role, or {id: …} of a custom one")
        return self


class SpaceRoles(Section):
    """A service key's role in a space."""

    space_id: str
    role: Role | None = None


class OrgRoles(Section):
    """A service key's role in an organisation and its spaces."""

    org_id: str
    role: Role | None = None
    spaces: Annotated[tuple[SpaceRoles, ...], Filled]


class LegacyRoles(Section):
    """The three roles of the older wire formats."""

    space_role: str | None = None
    org_role: str | None = None
    account_role: str | None = None


class KeyBindings(Section):
    """A service key's privileges: ``organizations`` today, ``space_id`` and ``roles`` before."""

    organizations: Annotated[tuple[OrgRoles, ...], Filled] | None = None
    account_role: Role | None = None
    space_id: str | None = None
    roles: LegacyRoles | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> KeyBindings:
        if (self.organizations is None) == (self.space_id is None):
            raise ValueError(
                "needs `organizations`, or `space_id` and `roles`; write one of the two"
            )
        if self.organizations is not None and self.roles is not None:
            raise ValueError("`roles` goes with `space_id`; in `organizations` each has a `role`")
        if self.space_id is not None and self.account_role is not None:
            raise ValueError("with `space_id`, the account role is written under `roles`")
        return self


class KeyChoice(Section):
    """Which key: by ``id``, or by ``name``."""

    id: KeyWords | None = None
    name: KeyWords | None = None
    space_id: str | None = None
    type: Literal["user", "service"] | None = None
    bindings: KeyBindings | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> KeyChoice:
        if (self.id is None) == (self.name is None):
            raise ValueError("needs either `id` or `name`; write one of them")
        if self.type == "user" and (self.space_id or self.bindings):
            raise ValueError(
                "a user key has neither `space_id` nor `bindings`; remove them, or write service"
            )
        return self


class Rotate(Section):
    """When, and how."""

    before_expiry: Duration | None = None
    max_age: Duration | None = None
    lifetime: Duration | None = None
    grace_period: Duration = timedelta(hours=1)
    strategy: Literal["auto", "refresh", "reissue"] = "auto"
    min_interval: Duration = timedelta(hours=1)
    on_drift: Literal["alarm", "rotate"] = "alarm"
    jitter: Duration | None = None
    retire: Literal["at_grace_end", "when_idle"] = "at_grace_end"


class Delivery(Section):
    """Where the key goes."""

    path: KvPath
    field: str = Field(min_length=1)
    mount: KvPath | None = None
    refresh_every: Duration | None = None
    metadata: dict[str, str] = Field(default={})


class Window(Section):
    """When rotations may be begun."""

    cron: Cron
    duration: Duration
    time_zone: Zone = "UTC"


class Policy(Section):
    """One key to look after."""

    name: Annotated[str, AfterValidator(_policy_name)]
    key: KeyChoice
    rotate: Rotate
    deliver: Annotated[tuple[Delivery, ...], BeforeValidator(as_list), Filled]
    windows: Annotated[tuple[Window, ...], BeforeValidator(as_list), Filled] = ()
    suspend: bool = False
    notify: Annotated[tuple[Hook, ...], BeforeValidator(as_list)] = ()
    write: Annotated[tuple[Sink, ...], BeforeValidator(as_list)] = ()


class Root(Section):
    """The whole configuration."""

    arize: Arize
    vault: Vault | None = None
    files: Files | None = None
    spool: Spool | None = None
    run: Run = Run()
    log: Log = Log()
    http: Annotated[Http | None, BeforeValidator(as_defaults)] = None
    policies: Annotated[tuple[Policy, ...], Filled]

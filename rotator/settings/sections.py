"""What the sections of a configuration are made of: paths, lists, names, sources of secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: Facts about a key that can be written beside it.
FACTS = ("key_id", "expires_at", "rotated_at", "redacted_key", "name")
#: Where the kubelet puts the pod's token.
POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


#: As pydantic demands a set. Nobody asks.
_NOT_TOLD: set[str] = set()


class Section(BaseModel):
    """Frozen, strict about names, and quiet about its input, which may be a secret."""

    # What validates a section is built with the whole configuration, and not for itself besides.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    def model_post_init(self, _: object, /) -> None:
        """Forget which fields were written: ten thousand policies would keep megabytes of that."""
        object.__setattr__(self, "__pydantic_fields_set__", _NOT_TOLD)


def _kv_path(path: str) -> str:
    """A path as Vault sees it. One that climbs, or has odd parts, is a mistake."""
    parts = path.strip("/").split("/")
    if any(part in {"", ".", ".."} for part in parts) or any(ord(c) < 33 for c in path):  # noqa: PLR2004 - space
        raise ValueError("not a path in the store; write it like apps/ci/arize")
    return "/".join(parts)


def _filled(given: tuple[Any, ...]) -> tuple[Any, ...]:
    # Field(min_length=1) also complains of a list whose one item is wrong.
    if not given:
        raise ValueError("must not be empty; write at least one")
    return given


def as_list(given: object) -> object:
    """A list that is written as its one item, as a list."""
    return [given] if isinstance(given, dict) else given


def as_defaults(given: object) -> object:
    """A section with nothing in it, of which the name alone was written, as all of its defaults."""
    return {} if given is None else given


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("is not the name of a variable; write one like ARIZE_API_KEY")
    return name


KvPath = Annotated[str, AfterValidator(_kv_path)]
Filled = AfterValidator(_filled)
#: The name of an environment variable.
Variable = Annotated[str, AfterValidator(_variable)]


class VaultPlace(Section):
    """A field of a KV secret."""

    path: KvPath
    field: str = Field(min_length=1)
    mount: KvPath | None = None


class SecretSource(Section):
    """Where a secret is read from, each time it is needed. Exactly one of its fields."""

    env: Variable | None = None
    file: Path | None = None
    vault: VaultPlace | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_source(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "value" in given:
            raise ValueError(
                "a secret is not written here, but read from elsewhere: {env: NAME}, {file: PATH}"
                " or {vault: {path: …, field: …}}"
            )
        known = [name for name in ("env", "file", "vault") if given.get(name) is not None]
        if len(known) > 1:
            raise ValueError(f"{' and '.join(known)} are two sources for one secret; keep one")
        if not known and not set(given) - {"env", "file", "vault"}:
            raise ValueError("names no source; write {env: NAME} or {file: PATH}")
        return given

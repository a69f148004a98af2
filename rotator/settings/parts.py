"""The sections of a configuration: all of them, or those that are well-formed.

Mistakes of form in one section thus do not hide mistakes of another kind in the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from rotator.settings import hook_rules, schema
from rotator.settings.http import Http
from rotator.settings.sections import as_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotator.settings.documents import Where
    from rotator.settings.sections import SecretSource

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parts:
    """``policies`` by their place in the list. A section is None when absent or malformed."""

    arize: schema.Arize | None
    vault: schema.Vault | None
    files: schema.Files | None
    spool: schema.Spool | None
    run: schema.Run | None
    http: Http | None
    policies: Mapping[int, schema.Policy]
    #: Keys live in Vault, whether its section is well-formed or not.
    in_vault: bool

    def sources(self) -> Iterator[tuple[Where, SecretSource]]:
        """Where secrets are read from."""
        if self.arize is not None:
            yield ("arize", "api_key"), self.arize.api_key
        if self.http is not None and self.http.token is not None:
            yield ("http", "token"), self.http.token
        match self.vault.auth if self.vault else None:
            case schema.Token(token=token):
                yield ("vault", "auth", "token"), token
            case schema.AppRole(secret_id=secret_id):
                yield ("vault", "auth", "secret_id"), secret_id
            case schema.Kubernetes(jwt=jwt):
                yield ("vault", "auth", "jwt"), jwt
        for at, policy in self.policies.items():
            yield from hook_rules.sources(policy, ("policies", at))


def whole(root: schema.Root) -> Parts:
    """All of a configuration."""
    policies = dict(enumerate(root.policies))
    return Parts(
        arize=root.arize,
        vault=root.vault,
        files=root.files,
        spool=root.spool,
        run=root.run,
        http=root.http,
        policies=policies,
        in_vault=root.vault is not None,
    )


def sound(data: Mapping[str, Any]) -> Parts:
    """What is well-formed in a configuration that has mistakes."""
    listed = data.get("policies")
    policies = {
        at: policy
        for at, one in enumerate(listed if isinstance(listed, list) else [])
        if (policy := _sound(schema.Policy, one))
    }
    return Parts(
        _sound(schema.Arize, data.get("arize")),
        _sound(schema.Vault, data.get("vault")),
        _sound(schema.Files, data.get("files")),
        _sound(schema.Spool, data.get("spool")),
        _sound(schema.Run, data.get("run", {})),
        _sound(Http, as_defaults(data["http"])) if "http" in data else None,
        policies,
        data.get("vault") is not None,
    )


def _sound(model: type[_Model], data: object) -> _Model | None:
    try:
        return model.model_validate(data)
    except ValidationError:
        return None

"""The environment: ``ROTATOR_ARIZE__BASE_URL=…`` over the files, ``VAULT_…`` under them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rotator.settings.schema import Root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.settings.documents import Document, Where
    from rotator.settings.variables import Variables

PREFIX = "ROTATOR_"
#: No settings: those of our tests, and what Kubernetes gives to pods beside a service `rotator`.
#: And the facts that a hook gets, which may be a rotator itself.
_OTHERS = re.compile(
    r"ROTATOR_(TEST_.*|SERVICE_HOST|(SERVICE_)?PORT(_.*)?"
    r"|EVENT(_ID)?|POLICY|ROTATION_ID|REASON|STRATEGY|(OLD_)?(KEY_ID|REDACTED_KEY)|EXPIRES_AT"
    r"|OLD_VALID_UNTIL|TARGETS|FILE)"
)
#: Sources of secrets: a variable replaces one, since two would be a mistake.
_SOURCES = {"api_key", "token", "secret_id", "jwt"}
#: What operators have set for Vault's own tools, and where it goes.
_VAULT = {
    "VAULT_ADDR": "address",
    "VAULT_NAMESPACE": "namespace",
    "VAULT_CACERT": "ca_cert",
    "VAULT_CLIENT_CERT": "client_cert",
    "VAULT_CLIENT_KEY": "client_key",
    "VAULT_SKIP_VERIFY": "skip_verify",
}


def apply(document: Document, environ: Mapping[str, str]) -> None:
    """Lay the environment over and under what the files say."""
    document.problems += _strangers(environ)
    if any(name.upper().startswith(PREFIX) for name in environ):
        from rotator.settings.variables import Variables  # noqa: PLC0415 - most set none

        variables = Variables(environ, PREFIX)
        _merge(document, document.data, variables(), (), variables)
    _vault_defaults(document, environ)


def _merge(
    document: Document,
    data: dict[str, Any],
    over: dict[str, Any],
    where: Where,
    variables: Variables,
) -> None:
    for name, value in over.items():
        spot = (*where, name)
        if isinstance(value, dict) and name not in _SOURCES:
            if not isinstance(data.get(name), dict):
                data[name] = {}
                document.overrule(spot, variables.place(spot))
            _merge(document, data[name], value, spot, variables)
        else:
            data[name] = value
            document.overrule(spot, variables.place(spot))


def _strangers(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and set nothing."""
    return [
        f"environment variable {name}: sets nothing of rotator; unset it{_hint(name)}"
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and not _OTHERS.fullmatch(name)
        and name.removeprefix(PREFIX).partition("__")[0].lower() not in Root.model_fields
    ]


def _hint(name: str) -> str:
    words = name.removeprefix(PREFIX).lower().split("_")
    near = get_close_matches(words[0], Root.model_fields, n=1)
    if not near:
        return ""
    rest = "_".join(words[1:]).strip("_")
    return f", or did you mean {PREFIX}{near[0].upper()}{'__' + rest.upper() if rest else ''}?"


def _vault_defaults(document: Document, environ: Mapping[str, str]) -> None:
    data = document.data
    if "vault" not in data:
        if "files" in data or not environ.get("VAULT_ADDR"):
            return
        data["vault"] = {}
        document.lines["vault",] = "environment variable VAULT_ADDR"
        document.lines["vault", "auth"] = "environment variable VAULT_TOKEN"
    vault = data["vault"] if data["vault"] is not None else {}
    if not isinstance(vault, dict):
        return
    data["vault"] = vault
    for name, field in _VAULT.items():
        if environ.get(name) and field not in vault:
            vault[field] = environ[name]
            document.lines["vault", field] = f"environment variable {name}"
    if "auth" not in vault:
        vault["auth"] = {"method": "token", "token": {"env": "VAULT_TOKEN"}}
        document.lines.setdefault(("vault", "auth"), document.place(("vault",)))

"""The environment: ``ROTATOR_ARIZE__BASE_URL=…`` over the files, ``VAULT_…`` under them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic_settings import EnvSettingsSource, SettingsError

from rotator.settings.schema import Root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.settings.documents import Document, Where

PREFIX = "ROTATOR_"
#: Variables of ours that are not settings.
_OTHERS = "ROTATOR_TEST_"
#: What operators have set for Vault's own tools, and where it goes.
_VAULT = {
    "VAULT_ADDR": "address",
    "VAULT_NAMESPACE": "namespace",
    "VAULT_CACERT": "ca_cert",
    "VAULT_CLIENT_CERT": "client_cert",
    "VAULT_CLIENT_KEY": "client_key",
    "VAULT_SKIP_VERIFY": "skip_verify",
}


class _Environment(EnvSettingsSource):
    """pydantic's own reading of variables, from a mapping that is passed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = {name.lower(): text for name, text in environ.items()}
        super().__init__(Root)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def apply(document: Document, environ: Mapping[str, str]) -> None:
    """Lay the environment over and under what the files say."""
    document.problems += _strangers(environ)
    try:
        over = _Environment(environ)()
    except SettingsError as error:
        # Its cause quotes the value, which may be a secret; its own text has the field only.
        document.problems.append(f"environment: {error}: write it as JSON")
        over = {}
    _merge(document.data, over, (), document)
    _vault_defaults(document, environ)


def _merge(data: dict[str, Any], over: dict[str, Any], where: Where, document: Document) -> None:
    for name, value in over.items():
        spot = (*where, name)
        if isinstance(value, dict) and isinstance(data.get(name, {}), dict) and name != "api_key":
            _merge(data.setdefault(name, {}), value, spot, document)
        else:
            data[name] = value
        variable = PREFIX + "__".join(str(part) for part in spot).upper()
        document.lines.setdefault(spot, f"environment variable {variable}")


def _strangers(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and set nothing."""
    problems = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(_OTHERS):
            continue
        section = name.removeprefix(PREFIX).partition("__")[0].lower()
        if section not in Root.model_fields:
            near = get_close_matches(section, Root.model_fields, n=1)
            hint = f"; did you mean {PREFIX}{near[0].upper()}…?" if near else ""
            problems.append(f"environment variable {name}: sets nothing of rotator{hint}")
    return problems


def _vault_defaults(document: Document, environ: Mapping[str, str]) -> None:
    data = document.data
    if "vault" not in data:
        if "files" in data or not environ.get("VAULT_ADDR"):
            return
        data["vault"] = {}
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

"""What our token may do in Vault, and the lines that a policy lacks.

Vault is asked about paths, not about permissions: ``sys/capabilities-self`` takes many at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.adapters.vault_http import part
from rotator.adapters.vault_kv import V1, V2
from rotator.errors import NotPermitted, RotatorError
from rotator.ports import Lack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rotator.adapters.vault_http import Api, Json
    from rotator.adapters.vault_kv import Engine
    from rotator.ports import Place

#: A journal document that no policy has, to ask about capabilities below the prefix.
ANY_POLICY = "any-policy"
_NEEDED = ("create", "read", "update")
#: Paths in one request.
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a place is: a path on a mount, with its engine or why there is none."""

    place: Place
    mount: str
    path: str
    engine: Engine | RotatorError
    #: The engine is assumed: our token may not even see which it is.
    assumed: bool = False

    @property
    def acl_path(self) -> str | None:
        """The path that a policy must allow."""
        return (
            None
            if isinstance(self.engine, RotatorError)
            else self.engine.acl_path(self.mount, self.path)
        )


def complain(paths: Sequence[str], answer: Json) -> None:
    """Raise for every capability that is missing, all of them at once.

    Raises:
        NotPermitted: One is.
    """
    granted = part(answer, "data") or answer
    missing = {path: _missing(granted.get(path), _NEEDED) for path in paths}
    lacking = {path: names for path, names in missing.items() if names}
    if lacking:
        raise NotPermitted(
            "; ".join(f"no {', '.join(names)} on {path}" for path, names in lacking.items()),
            remedy="add to the Vault policy: " + " ".join(_rule(path, _NEEDED) for path in lacking),
        )


def batches(spots: Iterable[Spot]) -> Iterator[list[str]]:
    """The paths to ask about, each once, as many at a time as one request takes."""
    paths = list(dict.fromkeys(path for spot in spots if (path := spot.acl_path)))
    yield from (paths[at : at + _BATCH] for at in range(0, len(paths), _BATCH))


def granted(api: Api, paths: list[str]) -> Json:
    """By path, what our token may do there."""
    answer = api.capabilities(paths)
    return part(answer, "data") or answer


def lack(spot: Spot, granted: Json, *, namespace: str | None) -> Lack | None:
    """What is missing at ``spot``; None when nothing is."""
    if isinstance(spot.engine, RotatorError):
        return Lack(spot.engine.message, spot.engine.remedy)
    journal, path = isinstance(spot.place.at, str), spot.acl_path or ""
    if journal and isinstance(spot.engine, V1):
        return Lack(
            f"the mount {spot.mount} is KV version 1, and the journal needs check-and-set",
            "name a mount of KV version 2 in `vault.mount`; targets may have others",
        )
    needed = ("read",) if spot.place.read_only else _NEEDED
    names = _missing(granted.get(path), needed)
    if not names:
        return None
    whole = f"{V2().acl_path(spot.mount, spot.path).rpartition('/')[0]}/*" if journal else path
    line = _rule(whole, needed)
    where = f" in the namespace {namespace}" if namespace else ""
    text = f"no {', '.join(names)} on {path}"
    if spot.assumed and not journal:
        text += f" (our token may not see what {spot.mount} is; KV version 2 is assumed)"
    return Lack(text, f"add to the Vault policy{where}: {line}", line)


def _missing(told: object, needed: Sequence[str]) -> list[str]:
    may = told if isinstance(told, list) else []
    return [] if "root" in may else [name for name in needed if name not in may]


def _rule(path: str, needed: Sequence[str]) -> str:
    """The line of a Vault policy that grants what is needed at ``path``."""
    names = ", ".join(f'"{name}"' for name in needed)
    return f'path "{path.replace(ANY_POLICY, "*")}" {{ capabilities = [{names}] }}'

"""What a refusal from Vault means: status and text, told apart by what to do about it. Pure.

Statuses and texts were seen on OpenBao 2.0 or are from Vault's HTTP API documentation ("HTTP
status codes" and ``sys/health``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.errors import (
    NotFound,
    NotPermitted,
    Rejected,
    RotatorError,
    Temporary,
    Unauthenticated,
    Unavailable,
)
from rotator.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from datetime import timedelta

#: Of a server's text, this much is shown.
_LIMIT = 300
#: Shorter values than this are words, and masking them would only hide what was said.
_WORTH_MASKING = 8

_STATES = {
    472: "it is a disaster recovery secondary, which serves nobody",
    473: "it is a performance standby and did not forward the request",
    501: "it is not initialised",
}


class Refused(Exception):
    """An answer that is not a success, reduced to what may be shown.

    It takes the place of hvac's errors, which keep the whole response text: this one is safe to
    chain, to log and to show.

    Args:
        status: The HTTP status.
        said: The server's own words, without any secret; may be empty.
        place: Method and path of the request.
        retry_after: What the server asked for, if it did.
    """

    def __init__(
        self, status: int, said: str, place: str, *, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{place}: {status} {said}".rstrip())
        self.status = status
        self.said = said
        self.place = place
        self.retry_after = retry_after

    @property
    def denied(self) -> bool:
        """A dead token, or a missing permission: the status does not tell which."""
        return self.status in {401, 403}

    @property
    def passing(self) -> bool:
        """Nothing is wrong with the request, only with the moment."""
        return isinstance(translated(self), Temporary)

    @property
    def mismatched(self) -> bool:
        """A check-and-set named another version than the current one."""
        return self.status == 400 and "did not match the current version" in self.said  # noqa: PLR2004

    @property
    def sealed(self) -> bool:
        """Vault is up and locked."""
        return "sealed" in self.said.lower()


def translated(refused: Refused, *, health: str = "") -> RotatorError:
    """The error of ours for a refusal; ``health`` is what Vault said about itself, if asked."""
    explain = next((then for these, then in _MEANINGS if refused.status in these), _bad)
    return explain(refused, health)


def _redirected(refused: Refused, _: str) -> Unavailable:
    return Unavailable(
        f"{refused.place}: this Vault node is a standby and redirects ({refused.status})",
        remedy="let standbys forward requests, or give an address that leads to the active node: "
        "a token is never sent on to wherever an answer points",
    )


def _limited(refused: Refused, _: str) -> Temporary:
    return Temporary(f"{refused}: over a quota", delay=refused.retry_after)


def _behind(refused: Refused, _: str) -> Temporary:
    return Temporary(f"{refused.place}: the standby has not caught up with the last write")


def _down(refused: Refused, health: str) -> Unavailable:
    if refused.sealed:
        return Unavailable("Vault is sealed", remedy="unseal it")
    state = health or _STATES.get(refused.status)
    why = "; ".join(word for word in (refused.said, state) if word) or "no reason given"
    return Unavailable(f"{refused.place}: Vault answers {refused.status}: {why}")


def _denied(refused: Refused, _: str) -> RotatorError:
    if "invalid token" in refused.said or refused.status == 401:  # noqa: PLR2004
        return Unauthenticated(f"{refused.place}: Vault does not know our token (any more)")
    return NotPermitted(
        f"{refused.place}: permission denied, also right after a login",
        remedy="grant the path in the policy of the token; `rotator check --online` has the line",
    )


def _absent(refused: Refused, _: str) -> RotatorError:
    if "no handler for route" in refused.said:
        return NotFound(
            f"{refused.place}: nothing is mounted there",
            remedy="check `mount` and `namespace`, or enable the engine",
        )
    if "namespace not found" in refused.said:
        return NotFound(f"{refused.place}: no such namespace", remedy="check `namespace`")
    return NotFound(
        f"{refused}".removesuffix(" "), remedy="check the path, and that we may read it"
    )


def _bad(refused: Refused, _: str) -> RotatorError:
    if "Upgrading from non-versioned" in refused.said:
        return Temporary(f"{refused.place}: the KV engine is still being upgraded to version 2")
    if "replication DR secondary" in refused.said:
        return Unavailable(f"{refused.place}: {_STATES[472]}")
    return Rejected(f"Vault refused {refused}")


_MEANINGS: tuple[tuple[Container[int], Callable[[Refused, str], RotatorError]], ...] = (
    (range(300, 400), _redirected),
    ({401, 403}, _denied),
    ({404}, _absent),
    ({412}, _behind),
    ({429}, _limited),
    ({*_STATES, *range(500, 600)}, _down),
)


def scrubbed(texts: Iterable[object], secrets: Iterable[str]) -> str:
    """What a server said, on one line, with everything masked that we sent in the request."""
    text = "; ".join(" ".join(str(entry).split()) for entry in texts)
    for secret in secrets:
        if len(secret) >= _WORTH_MASKING:
            text = text.replace(secret, MASK)
    return text[:_LIMIT]


def leaves(value: object) -> Iterable[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from leaves(entry)

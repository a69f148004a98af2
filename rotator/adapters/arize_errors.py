"""What one exchange with Arize came to, and which of our errors that is. Pure.

The question behind every line: was something changed? A 4xx says no. A 5xx, a cut or a missing
answer to a mint does not say, and is :class:`~rotator.errors.Ambiguous`, unless nothing was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.adapters.answers import delay_of, scrub
from rotator.adapters.arize_wire import read_problem
from rotator.errors import (
    Ambiguous,
    NotFound,
    NotPermitted,
    Permanent,
    Rejected,
    RotatorError,
    Temporary,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.secrets import Masked, Secret

#: Wrong spellings of an enum are answered with either.
MALFORMED = frozenset({400, 422})
#: A request that was given up by a server or gateway; it may have been passed on already.
_GIVEN_UP = frozenset({408, 499})
#: Nothing was done, and may be later.
_LATER = frozenset({425, 429})
#: Answers of something before the API, or of an API that did not look: they prove no credential.
_NO_PROOF = _GIVEN_UP | _LATER | {407}
#: Those of a gateway that does not know the API just now, unless they are in the API's own form.
_NO_WAY = frozenset({404, 405})

_MOVED = "a key is never sent on to another address: put the final one into `arize.base_url`"
_RENEW = (
    "the management key is missing, expired or revoked: put a valid one into ARIZE_API_KEY, or "
    "wherever `arize.api_key` points"
)
_ALLOW = "allow the management key to do this, or use one that may"
_FIND = (
    "check the id, `space_id` and `arize.base_url`; what the management key may not read is "
    "answered so as well"
)
_SHORTEN = (
    "if it is about how long the key is to live, set `rotate.lifetime` to what the account allows"
)
_REFUSALS: dict[int, tuple[type[Permanent], str]] = {
    401: (Unauthenticated, _RENEW),
    403: (NotPermitted, _ALLOW),
    404: (NotFound, _FIND),
    407: (Rejected, "check `arize.proxy`"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request, apart from its credential. ``doing`` names it in errors: "refreshing key X"."""

    doing: str
    method: str
    path: str
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, object] | None = None
    mint: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole or not. ``status`` is None when not even a status line did."""

    credential: Secret
    body: Masked[bytes]
    status: int | None = None
    content_type: str = ""
    retry_after: str = ""
    date: str = ""
    #: Whether bytes of the request may have left.
    sent: bool = True
    #: Why the exchange ended too early; empty for a whole answer.
    broken: str = ""

    @property
    def ok(self) -> bool:
        """A whole success."""
        return self.success and not self.broken

    @property
    def success(self) -> bool:
        """A status line that says success, whatever became of the body."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - 2xx

    @property
    def by_the_api(self) -> bool:
        """Whether Arize itself looked at the credential: no gateway, no page for people."""
        if self.status is None or by_a_gateway(self.status, self.content_type):
            return False
        moved = 300 <= self.status < 400  # noqa: PLR2004 - 3xx
        strange = self.status in _NO_WAY and "json" not in self.content_type.lower()
        return not moved and self.status not in _NO_PROOF and not strange


def by_a_gateway(status: int, content_type: str) -> bool:
    """Whether an answer may be of what stands between us and Arize: 5xx, or a page for people."""
    return status >= 500 or "html" in content_type.lower()  # noqa: PLR2004 - 5xx


def refusal(answer: Answer, call: Call) -> RotatorError | None:
    """The error that ``answer`` is, or None if it is a whole success.

    A mint's success may lack its body: look for the key in it first.
    """
    if answer.status is None:
        return _silence(answer, call)
    if answer.success:
        return _half(answer, call) if answer.broken else None
    said = f"Arize answered {answer.status} on {call.doing}{_detail(answer)}"
    delay = delay_of(answer.retry_after, answer.date)
    if answer.status >= 500 or answer.status in _GIVEN_UP:  # noqa: PLR2004 - 5xx
        return Ambiguous(said) if call.mint else Unavailable(said, delay=delay)
    if answer.status in _LATER:
        return Temporary(said, delay=delay)
    other = _SHORTEN if call.mint and answer.status in MALFORMED else ""
    kind, remedy = _REFUSALS.get(answer.status, (Rejected, other))
    return kind(said, remedy=_MOVED if 300 <= answer.status < 400 else remedy)  # noqa: PLR2004 - 3xx


def _silence(answer: Answer, call: Call) -> RotatorError:
    if call.mint and answer.sent:
        return Ambiguous(f"no answer from Arize on {call.doing}: {answer.broken}")
    said = f"Arize cannot be reached for {call.doing}: {answer.broken}"
    return Unavailable(said, remedy="check the network, and `arize.base_url` or `arize.region`")


def _half(answer: Answer, call: Call) -> RotatorError:
    said = f"Arize answered {answer.status} on {call.doing}, but not in full: {answer.broken}"
    return Ambiguous(said) if call.mint else Unavailable(said)


def _detail(answer: Answer) -> str:
    detail = scrub(read_problem(answer.body), answer.credential)
    return f": {detail}" if detail else ""

"""The calls of Arize's API-keys API, without the HTTP below them.

No era is asked for or configured. Answers are read in either spelling, and which one a request
needs is learnt from them; a key is removed in the way that last worked.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from rotator.adapters.arize_errors import MALFORMED, Answer, Call, refusal
from rotator.adapters.arize_listing import Pages
from rotator.adapters.arize_rate import Turns, hurry
from rotator.adapters.arize_wire import (
    read_minted,
    read_page,
    sendable,
    spelled,
    write_order,
    write_time,
)
from rotator.errors import Ambiguous, Rejected, Temporary, Unavailable
from rotator.events import Event
from rotator.keys import Bindings, KeyType
from rotator.secrets import Redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from rotator.adapters.arize_credential import Credential
    from rotator.adapters.arize_options import ArizeOptions
    from rotator.adapters.arize_wire import Page
    from rotator.errors import RotatorError
    from rotator.keys import Listing, Minted, Order, Scope
    from rotator.ports import Clock, Emit
    from rotator.secrets import Secret

T = TypeVar("T")

_KEYS = "/v2/api-keys"
_PAGE_SIZE = 100
_MINT_AND_PROOF = 2
#: The two ways to remove a key: today's, and the oldest era's.
_REVOKE, _DELETE = ("PUT", "/revoke"), ("DELETE", "")
_ABSENT, _NO_SUCH_METHOD, _UNAUTHORISED = 404, 405, 401


class ArizeCalls:
    """The methods of :class:`rotator.ports.KeyIssuer`, over an ``exchange`` that never raises.

    A call that is cancelled stays cancelled. Whoever cancels a mint has to take it for ambiguous.
    """

    def __init__(
        self,
        exchange: Callable[[Call, Secret, float], Awaitable[Answer]],
        credential: Credential,
        clock: Clock,
        emit: Emit,
        options: ArizeOptions,
    ) -> None:
        self._exchange = exchange
        self._credential = credential
        self._clock = clock
        self._emit = emit
        self._timeout = options.timeout
        self._turns = Turns(options.rate)
        #: Whether the service spells enums in upper case; None until it has told.
        self._upper: bool | None = None
        self._removals = (_REVOKE, _DELETE)

    async def keys(self, scope: Scope) -> Listing:
        """All active keys of ``scope``; each page has the timeout to itself."""
        began = self._clock.monotonic()
        pages = Pages(_listing(scope))
        page = await self._page(scope, None)
        # Only now, because that answer may have been the first to correct the clock.
        taken_at = self._clock.now() - timedelta(seconds=self._clock.monotonic() - began)
        while cursor := pages.add(page):
            page = await self._page(scope, cursor)
        if pages.skipped:
            message = f"{_listing(scope)}: {pages.skipped} items without a readable id left out"
            self._emit(Event.LIBRARY, logger="arize", message=message)
        return pages.listing(taken_at)

    async def admit(self) -> bool:
        """Wait until a mint and the proof of its key may be asked for; whether that took time."""
        return await self._turns.wait(_MINT_AND_PROOF)

    async def create(self, order: Order) -> Minted:
        """Create a key; a service key only with bindings, which the server would else choose."""
        hurry()
        doing = f"creating key {order.name!r}"
        unbound = order.bindings is None or order.bindings == Bindings(())
        if order.type is KeyType.UNKNOWN or (order.type is KeyType.SERVICE and unbound):
            raise Rejected(f"{doing}: its type or its privileges are not known")

        def call(*, upper: bool) -> Call:
            return Call(doing, "POST", _KEYS, body=write_order(order, upper=upper), mint=True)

        if order.type is KeyType.USER and self._upper is None:
            return self._minted(await self._spelled(call, self._deadline()), call(upper=True))
        only = call(upper=self._upper is not False)
        return self._minted(await self._ask(only, self._deadline()), only)

    async def refresh(
        self, key_id: str, *, expires_at: datetime | None, grace: timedelta
    ) -> Minted:
        """Replace the secret of a key; the old one goes on for ``grace`` (whole seconds)."""
        hurry()
        body: dict[str, object] = {"grace_period_seconds": int(grace.total_seconds())}
        if expires_at is not None:
            body["expires_at"] = write_time(expires_at)
        path = f"{_path(key_id)}/refresh"
        call = Call(f"refreshing key {key_id}", "POST", path, body=body, mint=True)
        return self._minted(await self._ask(call, self._deadline()), call)

    async def revoke(self, key_id: str) -> bool:
        """End a key at once; whether Arize knew it.

        A 404 or 405 may mean that this era has the other way, so both are tried before a key is
        taken for gone. A key that the credential may not read is answered with 404 as well: only
        the next listing can tell that one from a key that is gone.
        """
        await self._turns.wait()
        deadline, statuses = self._deadline(), set[int | None]()
        for method, suffix in self._removals:
            call = Call(f"revoking key {key_id}", method, _path(key_id) + suffix)
            answer = await self._ask(call, deadline)
            if answer.success:
                self._removals = (_DELETE, _REVOKE) if method == "DELETE" else (_REVOKE, _DELETE)
                return True
            if answer.status not in {_ABSENT, _NO_SUCH_METHOD}:
                raise _error(answer, call)
            statuses.add(answer.status)
        if _ABSENT not in statuses:
            raise Rejected(f"revoking key {key_id}: Arize offers neither of the ways known")
        return False

    async def accepts(self, secret: Secret) -> bool:
        """Whether the provider takes ``secret`` as a credential.

        401 is a no, any other answer of the API a yes, also 403: it knows who is asking. What a
        gateway says for itself proves nothing: 5xx, 408, 425, 429, a redirect, a page in HTML.
        """
        if not sendable(secret):
            return False
        call = Call("trying a key", "GET", _KEYS, query={"limit": 1})
        answer = await self._exchange(call, secret, self._deadline())
        if answer.by_the_api:
            return answer.status != _UNAUTHORISED
        error = _error(answer, call)
        raise error if isinstance(error, Temporary) else Temporary(error.message)

    def is_own(self, redacted_key: str) -> bool:
        """Whether the management credential in use looks like this redacted key."""
        return Redacted.parse(redacted_key).matches(self._credential.current)

    async def depends_on(self, redacted_key: str) -> bool:
        """Whether the source of the management credential has that key, and no other.

        Raises:
            RotatorError: The source cannot be read.
        """
        return await self._credential.hangs_on(Redacted.parse(redacted_key))

    def adopt(self, secret: Secret) -> None:
        """Work with this management credential from now on."""
        self._credential.adopt(secret)

    async def _page(self, scope: Scope, cursor: str | None) -> Page:
        def call(*, upper: bool) -> Call:
            query = {
                "limit": _PAGE_SIZE,
                "space_id": scope.space_id,
                "key_type": spelled(scope.type, upper=upper) if typed and scope.type else None,
                "cursor": cursor,
            }
            told = {name: value for name, value in query.items() if value is not None}
            return Call(_listing(scope), "GET", _KEYS, query=told)

        await self._turns.wait()
        # The defaults need no enum: user keys without a space, service keys with one.
        typed = scope.type is (KeyType.USER if scope.space_id else KeyType.SERVICE)
        deadline = self._deadline()
        if typed:
            answer = await self._spelled(call, deadline)
        else:
            answer = await self._ask(call(upper=True), deadline)
        page = read_page(answer.body) if answer.ok else None
        if page is None:
            raise _error(answer, call(upper=True))
        self._learn(upper=page.upper)
        return page

    async def _spelled(self, call: Callable[..., Call], deadline: float) -> Answer:
        """Ask in the spelling known or likelier, and if that is refused, in the other.

        Both refusals say that nothing was done, so a mint may be asked twice; if the other
        spelling is refused too, the spelling was not the matter and the first answer tells more.
        """
        upper = self._upper is not False
        first = await self._ask(call(upper=upper), deadline)
        if first.status not in MALFORMED:
            return first
        second = await self._ask(call(upper=not upper), deadline)
        if second.success:
            self._learn(upper=not upper)
        return first if second.status in MALFORMED else second

    async def _ask(self, call: Call, deadline: float) -> Answer:
        """Ask with the management key; once more if it is refused and there is another by now."""
        credential = await self._in_time(self._credential.get(), deadline)
        answer = await self._exchange(call, credential, deadline)
        if answer.status != _UNAUTHORISED:
            return answer
        other = await self._in_time(self._credential.instead_of(credential), deadline)
        return answer if other is None else await self._exchange(call, other, deadline)

    async def _in_time(self, reading: Awaitable[T], deadline: float) -> T:
        try:
            async with asyncio.timeout_at(deadline):
                return await reading
        except TimeoutError:
            pass
        # Outside, so that no frame of the source, which held the key, hangs on to this error.
        raise Unavailable("the management key could not be read in time")

    def _minted(self, answer: Answer, call: Call) -> Minted:
        read = read_minted(answer.body) if answer.success else None
        if read is None:
            raise _error(answer, call)
        minted, upper = read
        self._learn(upper=upper)
        return minted

    def _learn(self, *, upper: bool | None) -> None:
        self._upper = self._upper if upper is None else upper

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout.total_seconds()


def _error(answer: Answer, call: Call) -> RotatorError:
    """What ``answer`` means; a success that got here does not say what it should."""
    error = refusal(answer, call)
    if error is not None:
        return error
    said = f"Arize answered {answer.status} on {call.doing}, but not with what was asked for"
    return Ambiguous(said) if call.mint else Unavailable(said)


def _listing(scope: Scope) -> str:
    kind = f"{scope.type} keys" if scope.type else "keys"
    return f"listing the {kind} of space {scope.space_id}" if scope.space_id else f"listing {kind}"


def _path(key_id: str) -> str:
    return f"{_KEYS}/{quote(key_id, safe='')}"

"""Calls to Vault: in threads, on warm connections, with a live token, within a time.

hvac is synchronous, so its calls run in threads. A connection is used by one thread at a time and
goes back on top of a stack: the next call takes the one used last, whose TCP and TLS are still
warm. That matters for the one call that must be quick, the write of a key just minted. For its
sake, too, writes have threads of their own, so that they never queue behind reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from rotator.adapters.vault_auth import Keeper, Login
from rotator.adapters.vault_errors import Refused, translated
from rotator.adapters.vault_http import Api
from rotator.errors import RotatorError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from rotator.adapters.vault_auth import Auth
    from rotator.adapters.vault_http import Json
    from rotator.adapters.vault_wire import Connection
    from rotator.ports import Emit

T = TypeVar("T")

#: Seconds between two looks after the token, at least; and after one that found no way to log in.
_PAUSE, _LONG_PAUSE = 1.0, 30.0


class _Lane:
    """Threads, and as many turns."""

    def __init__(self, workers: int, name: str) -> None:
        self.threads = ThreadPoolExecutor(workers, name)
        self.turns = asyncio.Semaphore(workers)


class Calls:
    """Runs pieces of work that talk to Vault.

    Args:
        connection: How to reach it.
        auth: How to log in.
        workers: Threads for reads, and as many for writes, started when first needed.
        emit: Hears of every login. Called in the event loop, never in a thread.
    """

    def __init__(self, connection: Connection, auth: Auth, *, workers: int, emit: Emit) -> None:
        self._connection = connection
        self._keeper = Keeper(auth)
        self._emit = emit
        self._idle: deque[Api] = deque()
        self._readers = _Lane(workers, "vault-read")
        self._writers = _Lane(workers, "vault-write")
        self._upkeep: asyncio.Task[None] | None = None
        self._closed = False

    async def run(
        self,
        work: Callable[[Api], T],
        *,
        urgent: bool = False,
        lasting: timedelta | None = None,
    ) -> T:
        """Do ``work``, logged in; perhaps twice, when a denial was due to a dead token.

        ``urgent`` leaves out what can wait: queueing behind reads, and prolonging the token. With
        ``lasting``, the token lives at least so long from now.

        Raises:
            Temporary, Unauthenticated, NotPermitted, NotFound, Rejected: As Vault answered.
        """

        def login(api: Api) -> Login:
            if lasting is not None:
                return self._keeper.outlasting(api, lasting)
            return self._keeper.login(api, prolong=not urgent)

        lane = self._writers if urgent else self._readers
        try:
            return await self._in_time(lane, lambda: self._logged_in(login, work))
        finally:
            self._announce()

    async def state(self) -> str:
        """What Vault says about itself, in a word or two: ``active``, ``sealed``, ...

        Raises:
            Unavailable: It says nothing.
        """

        def ask() -> str:
            with self._api() as api:
                return _state(api.health())

        return await self._in_time(self._readers, ask)

    async def close(self) -> None:
        """Close all connections. Calls under way end by themselves."""
        self._closed = True
        if self._upkeep:
            self._upkeep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._upkeep
        for lane in (self._readers, self._writers):
            lane.threads.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop().close()

    async def _in_time(self, lane: _Lane, work: Callable[[], T]) -> T:
        """Do ``work`` in a thread when its turn comes, and wait for it within the timeout.

        The wait for a turn does not count: ten thousand calls at once are slow, not wrong. What has
        timed out may still be under way in its thread, and arrive late. Check-and-set makes that
        harmless; work that is given up before its turn is not begun any more.
        """
        seconds = self._connection.timeout.total_seconds()
        try:
            async with lane.turns, asyncio.timeout(seconds):
                # With what this task knows, such as the trace that it belongs to.
                here = contextvars.copy_context().run
                return await asyncio.get_running_loop().run_in_executor(lane.threads, here, work)
        except TimeoutError as error:
            raise Unavailable(f"no answer from Vault within {seconds:g} s") from error

    def _logged_in(self, login: Callable[[Api], Login], work: Callable[[Api], T]) -> T:
        """In a thread: the work, the token around it, and the errors in our own terms."""
        with self._api() as api:
            try:
                used = login(api)
                api.use(used.token)
                try:
                    return work(api)
                except Refused as refused:
                    better = self._keeper.after_denial(api, used) if refused.denied else None
                    if better is None:
                        raise
                    api.use(better.token)
                    return work(api)
            except Refused as refused:
                raise translated(refused, health=_health(api, refused)) from refused

    @contextlib.contextmanager
    def _api(self) -> Iterator[Api]:
        """A connection for one thread: the one used last, or a new one."""
        try:
            api = self._idle.pop()
        except IndexError:
            api = Api(self._connection)
        try:
            yield api
        finally:
            if self._closed:
                api.close()
            self._idle.append(api)

    def _announce(self) -> None:
        """Tell of logins, and start to look after the token if it is one that ends."""
        news = self._keeper.news
        while news:
            event, login = news.popleft()
            ends, left = math.isfinite(login.ttl), login.last - time.monotonic()
            self._emit(
                event,
                method=login.method,
                ttl_seconds=round(login.ttl) if ends else None,
                renewable=login.renewable,
                max_ttl_seconds=round(left) if math.isfinite(left) else None,
            )
            if ends and self._upkeep is None:
                self._upkeep = asyncio.get_running_loop().create_task(self._stay_logged_in())

    async def _stay_logged_in(self) -> None:
        """Prolong the token in time even while there is no work: a dead one cannot be renewed."""
        pause = _PAUSE
        while True:
            await asyncio.sleep(max(pause, self._keeper.rest()))
            try:
                await self.run(lambda _: None)
                pause = _PAUSE
            except Exception:  # noqa: BLE001 - whoever needs Vault next will hear of it
                pause = _LONG_PAUSE


def _health(api: Api, refused: Refused) -> str:
    """Why Vault is down, in its own words: asked only when the refusal itself does not say."""
    if refused.status < 500 or refused.sealed:  # noqa: PLR2004 - the server's side
        return ""
    with contextlib.suppress(RotatorError):
        return f"it is {_state(api.health())}"
    return ""


def _state(facts: Json) -> str:
    checks = {
        "unknown": not facts,
        "not initialised": facts.get("initialized") is False,
        "sealed": facts.get("sealed"),
        "a disaster recovery secondary": facts.get("replication_dr_mode") == "secondary",
        "a performance standby": facts.get("performance_standby"),
        "standby": facts.get("standby"),
    }
    return next((name for name, true in checks.items() if true), "active")

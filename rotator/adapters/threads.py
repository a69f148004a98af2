"""Threads for calls that may hang for ever, as those to a disk whose server is gone.

Such a call cannot be ended. So it is given a while and no more, in a thread that nobody waits for,
not even the end of the process. One that hangs keeps its turn, so that they stay few. None is of
the loop's own pool, which would fill up, and names of services are looked up there.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from rotator.errors import Temporary

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Threads:
    """Does one call after the other, or a few at the same time.

    Args:
        name: What the threads are called.
        at: What they are at, for errors.
        remedy: What to do when that hangs.
        most: How many there may be.
        patience: Seconds that a call may take, the wait for its turn included.
    """

    def __init__(self, name: str, at: str, *, remedy: str, most: int, patience: float) -> None:
        self._name = name
        self._at = at
        self._remedy = remedy
        self._most = most
        self._patience = patience
        self._turns = asyncio.Semaphore(most)
        #: Those that nobody waits for any more.
        self._late: set[Future[Any]] = set()

    async def in_time(self, work: Callable[[], T]) -> T:
        """Do ``work``, or raise what stopped it.

        Raises:
            Temporary: It takes too long, and may happen yet. Or all threads hang, and it was not
                begun.
        """
        # Behind threads that all hang one would wait in vain.
        patience = self._patience if len(self._late) < self._most else 0
        try:
            async with asyncio.timeout(patience):
                await self._turns.acquire()
                return await self._done(work)
        except TimeoutError:
            raise Temporary(
                f"{self._at} took longer than {self._patience:g} s", remedy=self._remedy
            ) from None

    async def _done(self, work: Callable[[], T]) -> T:
        done = self._begun(work, asyncio.get_running_loop())
        try:
            return await asyncio.wrap_future(done)
        finally:
            if not done.done():
                self._late.add(done)

    def _begun(self, work: Callable[[], T], loop: asyncio.AbstractEventLoop) -> Future[T]:
        done: Future[T] = Future()
        # From here on it cannot be cancelled.
        done.set_running_or_notify_cancel()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                done.set_exception(error)
            # The loop may be closed by now.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._give_back, done)

        try:
            threading.Thread(target=run, name=self._name, daemon=True).start()
        except BaseException:
            # The machine has no thread for us now, and may have one later.
            self._turns.release()
            raise
        return done

    def _give_back(self, done: Future[T]) -> None:
        self._late.discard(done)
        self._turns.release()

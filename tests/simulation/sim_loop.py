"""An event loop in virtual time: an hour takes no longer than what happens in it."""

import asyncio
import heapq
from contextvars import copy_context
from itertools import count


class Stalled(Exception):
    """Everybody waits, and nothing will ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, except that there is no world outside to wait for.

    Where the real one sleeps in ``select``, this one moves its clock. Tasks, futures and timeouts
    are the real ones, and the same calls give the same history.
    """

    def __init__(self):
        super().__init__()
        self._clock_resolution = 1e-6
        self.elapsed = 0.0
        self._naps = []
        self._count = count()

    def time(self):
        return self.elapsed

    def nap(self, seconds):
        """As ``asyncio.sleep``, at half of its cost: most of a history is waiting."""
        return _Nap(self, self.elapsed + seconds)

    def lay_down(self, nap):
        heapq.heappush(self._naps, (nap.until, next(self._count), nap))

    def call_soon(self, callback, *args, context=None):
        soon = _Soon(callback, args, context or copy_context())
        self._ready.append(soon)
        return soon

    def create_task(self, coro, *, name=None, context=None):
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def _run_once(self):
        ready = self._ready
        while not self._stopping:
            if not ready:
                self._move_on()
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()

    def _move_on(self):
        """To the next moment in which something happens."""
        naps, scheduled = self._naps, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not naps and not scheduled:
            raise Stalled
        if scheduled and (not naps or scheduled[0]._when <= naps[0][0]):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            self.elapsed = max(self.elapsed, handle._when)
            self._ready.append(handle)
        else:
            until, _, nap = heapq.heappop(naps)
            self.elapsed = max(self.elapsed, until)
            nap.end()

    def _timer_handle_cancelled(self, handle):
        pass

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


class _Soon:
    """What is called next: an ``asyncio.Handle`` without what helps in debugging one."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context")

    def __init__(self, callback, args, context):
        self._callback, self._args, self._context = callback, args, context
        self._cancelled = False

    def cancel(self):
        self._cancelled = True

    def cancelled(self):
        return self._cancelled

    def _run(self):
        try:
            self._context.run(self._callback, *self._args)
        except Exception as error:  # noqa: BLE001 - as asyncio's own: told, and not in the way
            loop = asyncio.get_running_loop()
            loop.call_exception_handler({"message": f"in {self._callback}", "exception": error})


class _Nap:
    """What a task waits for instead of a future: it is woken right from the clock."""

    _asyncio_future_blocking = False

    def __init__(self, loop, until):
        self._loop, self.until = loop, until
        self._cancelled = False
        self._wake = self._context = None

    def __await__(self):
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self):
        return self._loop

    def add_done_callback(self, wake, *, context=None):
        self._wake, self._context = wake, context
        self._loop.lay_down(self)

    def end(self):
        if not self._cancelled:
            self._context.run(self._wake, self)

    def cancel(self, msg=None):  # noqa: ARG002 - the protocol's
        if self._cancelled:
            return False
        self._cancelled = True
        self._loop.call_soon(self._wake, self, context=self._context)
        return True

    def result(self):
        if self._cancelled:
            raise asyncio.CancelledError


#: How often a task may wait for something on its way out.
_WORDS = 5


async def reach(moment):
    """Until ``moment``, in seconds of this loop; not at all when that is over."""
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


def run(coroutine):
    """Run ``coroutine`` to its end in a loop of its own; whatever it leaves behind is cancelled.

    Raises:
        AssertionError: Something failed in a task of which nobody took the result.
    """
    loop = VirtualLoop()
    unnoticed = []
    loop.set_exception_handler(lambda _, context: unnoticed.append(context))
    try:
        result = loop.run_until_complete(coroutine)
        assert not unnoticed, unnoticed
        return result
    finally:
        # More than once: the process that one belongs to may be dead, and its last words as well.
        for _ in range(_WORDS):
            rest = asyncio.all_tasks(loop)
            for task in rest:
                task.cancel()
            if rest:
                loop.run_until_complete(asyncio.wait(rest, timeout=1))
        loop.close()

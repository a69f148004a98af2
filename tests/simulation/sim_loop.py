"""An event loop in virtual time: an hour takes no longer than what happens in it."""

import asyncio


class Stalled(Exception):
    """Everybody waits, and nothing will ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, except that there is no world outside to wait for.

    Where the real one sleeps in ``select``, this one moves its clock. Nothing else differs, so
    tasks, futures and timeouts are the real ones, and the same calls give the same history.
    """

    def __init__(self):
        super().__init__()
        self._selector = self
        self._clock_resolution = 1e-6
        self.elapsed = 0.0

    def time(self):
        return self.elapsed

    def select(self, timeout):
        if timeout is None:
            raise Stalled
        self.elapsed += timeout
        return ()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


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
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        if rest:
            loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.close()

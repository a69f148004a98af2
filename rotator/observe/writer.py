"""Writes lines, and never keeps anybody waiting.

Whoever reads our output may stall: a full pipe, a slow disk, a stopped terminal. A delivery must
not wait for that, so lines go through a bounded queue to a thread. When the queue is full the
oldest line of little weight goes, and how many went is said as soon as the reader has caught up.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

#: Lines kept for a reader that stalls: some two megabytes.
CAPACITY = 4096
#: After one of these nobody will ever read again. Others, such as a full disk, may pass.
_GONE = {errno.EPIPE, errno.EBADF, errno.ENXIO, errno.ESHUTDOWN}


class Writer:
    """Writes lines to ``stream`` from a thread of its own.

    Args:
        stream: Text; where it has a file descriptor that is written to directly, so that a thread
            which is stuck at exit holds no lock that the interpreter needs.
        report: Called from the thread with the number of lines that were dropped.
    """

    def __init__(self, stream: TextIO, report: Callable[[int], object]) -> None:
        self._stream = stream
        self._fd = _descriptor(stream)
        self._report = report
        self._changed = threading.Condition()
        # Two queues in one order: a line is its number and its text.
        self._minor: deque[tuple[int, str]] = deque()
        self._major: deque[tuple[int, str]] = deque()
        self._count = 0
        self._dropped = 0
        self._writing = False
        self._gone = False
        self._why = ""
        self._thread: threading.Thread | None = None

    def put(self, line: str, *, major: bool) -> None:
        """Queue a line; a ``major`` one is only dropped when there is nothing else to drop."""
        with self._changed:
            if self._gone:
                return
            self._make_room()
            self._count += 1
            (self._major if major else self._minor).append((self._count, line))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    # The names under which structlog calls a logger.

    def debug(self, line: str) -> None:
        """Queue a line of little weight."""
        self.put(line, major=False)

    info = debug

    def warning(self, line: str) -> None:
        """Queue a line of weight."""
        self.put(line, major=True)

    error = critical = warning

    def flush(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until all is written; answers whether it is."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    @property
    def complaint(self) -> str:
        """What is missing in the stream, and why; empty where nothing is, or nobody reads it."""
        if self._gone or not self._dropped:
            return ""
        return f"{self._dropped} events could not be written: {self._why or 'too slow'}"

    def _is_idle(self) -> bool:
        return self._gone or not (self._writing or self._minor or self._major or self._dropped)

    def _make_room(self) -> None:
        if len(self._minor) + len(self._major) >= CAPACITY:
            (self._minor or self._major).popleft()
            self._dropped += 1

    def _run(self) -> None:
        while True:
            line = self._next()
            written = self._write(line)
            self._wrote(written)

    def _next(self) -> str:
        with self._changed:
            self._changed.wait_for(lambda: self._minor or self._major)
            self._writing = True
            queues = [queue for queue in (self._minor, self._major) if queue]
            return min(queues, key=lambda queue: queue[0][0]).popleft()[1]

    def _wrote(self, written: bool) -> None:  # noqa: FBT001 - the answer of `_write`
        with self._changed:
            caught_up = written and not (self._minor or self._major)
            dropped = self._dropped if caught_up else 0
            self._dropped += 0 if written else 1
            self._dropped -= dropped
        if dropped:
            self._report(dropped)
        with self._changed:
            self._writing = False
            self._changed.notify_all()

    def _write(self, line: str) -> bool:
        try:
            if self._fd is None:
                self._stream.write(line + "\n")
                self._stream.flush()
            else:
                write_all(self._fd, f"{line}\n".encode(errors="backslashreplace"))
        except (OSError, ValueError) as error:
            self._why = getattr(error, "strerror", None) or str(error)
            if not isinstance(error, OSError) or error.errno in _GONE:
                self._give_up()
            return False
        return True

    def _give_up(self) -> None:
        """Nobody reads any more: that is quiet, and nothing is kept."""
        with self._changed:
            self._gone = True
            self._minor.clear()
            self._major.clear()


def _descriptor(stream: TextIO) -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.flush()
        return stream.fileno()
    return None


def write_all(fd: int, data: bytes) -> None:
    """Write to a descriptor that may write in part, or be set not to block."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            ready = select.poll()
            ready.register(fd, select.POLLOUT)
            ready.poll()

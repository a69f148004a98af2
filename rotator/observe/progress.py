"""How far long work is, for a person who waits: one line on the terminal, gone when it is done.

A thread of its own draws it. The work only counts, so that a terminal which is stopped in the
middle keeps no delivery waiting; the bars that libraries draw take a lock in every step.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, cast

from rotator import words
from rotator.observe.writer import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

#: Work that is done sooner than this, in seconds, shows nothing.
_PATIENCE = 0.5
_INTERVAL = 0.1
_ERASE = "\r\x1b[K"
_WIDTH = 24


class Progress:
    """Counts to ``total``. Draws on the terminal ``fd``; on None, nothing."""

    def __init__(self, what: str, total: int, fd: int | None) -> None:
        self._what = what
        self._total = total
        self._fd = fd
        self._done = 0
        self._began_at = time.monotonic()
        self._over = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    @property
    def shown(self) -> bool:
        """Whether anybody will see it."""
        return self._fd is not None

    def step(self) -> None:
        """One more is done."""
        self._done += 1

    def start(self) -> None:
        """Begin to draw, soon."""
        if self.shown:
            self._thread.start()

    def stop(self) -> None:
        """Take the line away. Does not wait long for a terminal that is stopped."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def beside(self, stream: TextIO) -> TextIO:
        """``stream``, or what to write to in its place if it shares our terminal."""
        if not (self.shown and stream.isatty()):
            return stream
        return cast("TextIO", Above(self, stream.fileno()))

    def write_above(self, fd: int, text: str) -> None:
        """Write whole lines to the same terminal by another descriptor, and go on below them."""
        with self._turn:
            self._put(_ERASE)
            write_all(fd, text.encode(errors="backslashreplace"))

    def _run(self) -> None:
        if self._over.wait(_PATIENCE):
            return
        while True:
            width = shutil.get_terminal_size().columns
            seconds = time.monotonic() - self._began_at
            with self._turn:
                self._put(_ERASE + drawn(self._what, self._done, self._total, seconds, width))
            if self._over.wait(_INTERVAL):
                break
        with self._turn:
            self._put(_ERASE)

    def _put(self, text: str) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                write_all(self._fd, text.encode(errors="replace"))


class Above(io.TextIOBase):
    """A terminal's standard output while a :class:`Progress` has its last line."""

    def __init__(self, progress: Progress, fd: int) -> None:
        self._progress = progress
        self._fd = fd

    def isatty(self) -> bool:
        """It is one."""
        return True

    def write(self, text: str, /) -> int:
        """Write whole lines."""
        self._progress.write_above(self._fd, text)
        return len(text)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Progress]:
    """Show on stderr how far the block is, if that is a terminal and the block takes its time."""
    able = sys.stderr.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}
    shown = Progress(what, total, sys.stderr.fileno() if able else None)
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()


def drawn(what: str, done: int, total: int, seconds: float, width: int) -> str:
    """The line, no longer than the terminal is wide."""
    share = done / total if total else 1.0
    line = f"{what}  {words.bar(share, _WIDTH)}  {done} of {total}, {seconds:.0f}s"
    return line[: width - 1]

"""The hook ``signal``: to the process whose number is in a file, read each time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rotator.errors import NotFound, NotPermitted, Rejected, RotatorError, Unavailable

if TYPE_CHECKING:
    import signal

    from rotator.notices import News

#: No pid file is longer.
_MOST = 64
#: Of these, kill(2) reaches everybody, or the first process.
_FORBIDDEN = 1


@dataclass(frozen=True, slots=True)
class Signal:
    """Implements :class:`rotator.afterwards.Hook`.

    Args:
        pid_file: Has the number of the process.
        signal: What to send.
        process: What the process must be called (as in ``/proc/PID/comm``), lest one that has
            inherited the number is hit; None: whatever.
    """

    kind: ClassVar[str] = "signal"
    timeout: ClassVar[timedelta] = timedelta(seconds=10)
    pid_file: Path
    signal: signal.Signals
    process: str | None = None

    def obstacle(self) -> RotatorError | None:
        """What stands in the way of a signal that does nothing."""
        folder = self.pid_file.parent
        if not folder.is_dir():
            return NotFound(f"there is no directory {folder}", remedy="make it, or mount it")
        try:
            self._send(0)
        except RotatorError as error:
            return error
        return None

    async def tell(self, _: News) -> None:
        """Send the signal.

        Raises:
            RotatorError: There is no such file, number or process, or it may not be signalled.
        """
        self._send(self.signal)

    def _send(self, number: int) -> None:
        pid = self._pid()
        try:
            if self.process is not None:
                self._check_name(pid, self.process)
            os.kill(pid, number)
        except ProcessLookupError:
            raise Unavailable(
                f"process {pid} of {self.pid_file} does not exist",
                remedy="start it, or see that it shares its processes with rotator",
            ) from None
        except PermissionError:
            raise NotPermitted(
                f"process {pid} of {self.pid_file} may not be signalled",
                remedy="run rotator as the user of that process",
            ) from None

    def _pid(self) -> int:
        try:
            with self.pid_file.open("rb") as file:
                text = file.read(_MOST).strip()
        except FileNotFoundError:
            raise Unavailable(f"there is no {self.pid_file}; its process may not run") from None
        except OSError as error:
            raise NotPermitted(f"{self.pid_file} cannot be read: {error.strerror}") from None
        # Nine digits are more than any kernel gives.
        if not text.isdigit() or len(text) > 9 or int(text) <= _FORBIDDEN:  # noqa: PLR2004 - digits
            raise Rejected(f"{self.pid_file} holds no number of a process that may be signalled")
        return int(text)

    def _check_name(self, pid: int, wanted: str) -> None:
        try:
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").rstrip("\n")
        except FileNotFoundError:
            raise ProcessLookupError from None
        if name != wanted:
            raise NotFound(
                f"process {pid} of {self.pid_file} is not called {wanted!r}",
                remedy="it may have ended, and its number have gone to another",
            )

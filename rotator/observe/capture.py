"""Leads what others say into our chain: the standard library's logging, warnings, and crashes."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING

from rotator.events import Event

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, TextIO

    from rotator.events import Level
    from rotator.ports import Emit

#: How long a process that is crashing waits for its last words to be written, in seconds.
_LAST_WORDS = 1.0


class Capture:
    """Takes the place of everything that prints on its own, until :meth:`release`.

    Args:
        emit: Where it goes.
        flush: Called with a timeout in seconds when the process is about to end.
        chatty: Whether libraries may say more than warnings and errors.
    """

    def __init__(self, emit: Emit, flush: Callable[[float], object], *, chatty: bool) -> None:
        self._emit = emit
        self._flush = flush
        root = logging.getLogger()
        self._before = root.handlers[:], root.level, warnings.showwarning
        self._hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
        # In place of other handlers: they know nothing of secrets.
        root.handlers[:] = [_Handler(emit)]
        root.setLevel(logging.DEBUG if chatty else logging.WARNING)
        warnings.showwarning = self._warned
        sys.excepthook = self._crashed
        threading.excepthook = self._thread_crashed
        sys.unraisablehook = self._unraisable

    def release(self) -> None:
        """Put everything back."""
        handlers, level, warnings.showwarning = self._before
        root = logging.getLogger()
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._hooks

    def loop_failed(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """For ``loop.set_exception_handler``: an error that nobody awaited."""
        self._library("asyncio", context.get("message", ""), "error", context.get("exception"))

    def _crashed(
        self, _: type[BaseException], error: BaseException, __: TracebackType | None
    ) -> None:
        self._emit(Event.CRASHED, exception=error)
        self._flush(_LAST_WORDS)

    def _thread_crashed(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            self._emit(Event.CRASHED, exception=args.exc_value)

    def _unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        self._library("python", "ignored in a finaliser", "error", unraisable.exc_value)

    def _warned(  # noqa: PLR0913, PLR0917 - the signature of `warnings.showwarning`
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del file, line
        text = f"{category.__name__}: {message} ({filename}:{lineno})"
        self._library("python", text, "warning", None)

    def _library(
        self, logger: str, message: str, level: Level, error: BaseException | None
    ) -> None:
        more = {} if error is None else {"exception": error}
        self._emit(Event.LIBRARY, level=level, logger=logger, message=message, **more)


class _Handler(logging.Handler):
    """Makes an event of a record."""

    def __init__(self, emit: Emit) -> None:
        super().__init__()
        self._emit = emit

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        more = {} if error is None else {"exception": error}
        self._emit(
            Event.LIBRARY,
            level=_level(record.levelno),
            logger=record.name,
            message=_message(record),
            **more,
        )


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - a library that logs badly is no reason to fail
        return str(record.msg)
    # After its first row asyncio shows the task, and with it the error and all it says.
    return text.partition("\n")[0] if record.name == "asyncio" else text


def _level(number: int) -> Level:
    """Below a warning all is debug: a library's information is not an operator's."""
    if number < logging.WARNING:
        return "debug"
    if number < logging.ERROR:
        return "warning"
    return "error" if number < logging.CRITICAL else "critical"

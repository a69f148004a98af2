"""The one chain that every line takes: arranged, made plain, scrubbed, rendered, queued.

Structlog runs the chain. Its lines are made in the thread that emits them, so that nothing an event
refers to is kept or changes meanwhile; only finished text waits for the writer.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from rotator.events import CATALOGUE, Event, declared
from rotator.imports import without
from rotator.observe.capture import Capture
from rotator.observe.scrub import Scrubber, Trust
from rotator.observe.values import described, plain, stamp
from rotator.observe.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
    from typing import Any, TextIO

    from rotator.events import Level
    from rotator.observe.values import Plain
    from rotator.ports import Emit
    from rotator.secrets import Secret

    Renderer = Callable[[Any, str, MutableMapping[str, Any]], str]


# It imports rich where it finds it, for tracebacks with locals: much time for what must not be.
with without("rich"):
    import structlog

Format = Literal["auto", "json", "console"]

_RANKS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
#: Names that people and machines give, which may begin like a key.
_NAMES = {"timestamp", "level", "event", "policy", "owner", "target", "logger", "reason"}
#: The words of others.
_FOREIGN = {"message", "exception"}
#: Types that cannot hold a secret.
_HARMLESS = {int, float, bool, type(None)}
#: What the chain itself sets.
_OURS = {"timestamp", "level", "event"}


class Observer:
    """Emits events; implements :class:`rotator.ports.Emit`. Made by :func:`configure`.

    Args:
        stream: Where lines go.
        renderer: Makes a line of an event.
        level: What is less important is not shown.
    """

    def __init__(self, stream: TextIO, renderer: Renderer, level: Level) -> None:
        self._writer = Writer(stream, self._report_dropped)
        self._scrub = Scrubber()
        self._logger = structlog.wrap_logger(
            self._writer,
            processors=[_arranged, self._scrubbed, renderer],
            wrapper_class=structlog.make_filtering_bound_logger(_RANKS[level]),
        ).bind()
        self._listeners: list[Emit] = []
        self._capture = Capture(self, self.flush, chatty=level == "debug")
        with contextlib.suppress(RuntimeError):
            self.attach(asyncio.get_running_loop())
        atexit.register(self.close)

    def __call__(self, event: Event, /, **fields: object) -> None:
        """Emit ``event``. Never blocks, never raises.

        A field ``level`` overrides the catalogue's level.
        """
        self._line(event, fields)
        for listener in self._listeners:
            try:
                listener(event, **fields)
            except Exception as error:  # noqa: BLE001 - who looks on must not stop what goes on
                self._line(Event.CRASHED, {"exception": error})

    def _line(self, event: Event, fields: Mapping[str, object]) -> None:
        level = _level(event, fields.get("level"))
        try:
            self._logger.log(_RANKS[level], event, level_name=level, fields=fields)
        except Exception:  # noqa: BLE001 - that it happened is worth a line even if its fields are not
            line = {"timestamp": _now(), "level": level, "event": str(event)}
            self._writer.put(json.dumps(line), major=True)

    def listen(self, listener: Emit) -> None:
        """Tell ``listener`` of every event as well, also of those below the level that is shown.

        It is called in the thread that emits, and waited for: it must be quick. Should it raise,
        that is shown, and nothing stops.
        """
        self._listeners.append(listener)

    def clean(self, text: str) -> str:
        """``text`` as a line would show it: without what is, or looks like, a secret."""
        return self._scrub(text, Trust.OWN)

    def hide(self, secret: Secret, source: Hashable) -> None:
        """Never show ``secret``, which ``source`` has now, however encoded, whoever says it."""
        self._scrub.hide(secret, source)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make an event of what fails in ``loop`` unnoticed."""
        loop.set_exception_handler(self._capture.loop_failed)

    def flush(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds until all is written; answers whether it is."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, and let go of logging, warnings and hooks. Events may still be emitted."""
        atexit.unregister(self.close)
        self._capture.release()
        done = self.flush(timeout)
        if complaint := self._writer.complaint:
            with contextlib.suppress(OSError, AttributeError):
                # On a terminal how far it is may stand there.
                clear = "\r\x1b[K" if sys.stderr.isatty() else ""
                sys.stderr.write(f"{clear}rotator: {complaint}\n")
        return done

    def _scrubbed(
        self, _: object, __: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The last wall, for every text of every line."""
        for name, value in line.items():
            if type(value) not in _HARMLESS and name not in _OURS:
                line[name] = self._clean(value, _trust(name))
        return line

    def _clean(self, value: Plain, trust: Trust) -> Plain:
        if isinstance(value, str):
            return self._scrub(value, trust)
        if isinstance(value, dict):
            return {self._scrub(k, trust): self._clean(item, trust) for k, item in value.items()}
        return [self._clean(item, trust) for item in value] if isinstance(value, list) else value

    def _report_dropped(self, count: int) -> None:
        self(Event.LINES_DROPPED, dropped=count)


def configure(
    format: Format,  # noqa: A002 - as the option is called
    level: Level,
    stream: TextIO,
) -> Observer:
    """Lead all that rotator and its libraries have to say into ``stream``.

    Args:
        format: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
        level: What is less important is not shown.
        stream: Standard output, as a rule.
    """
    console = format == "console" or (format == "auto" and stream.isatty())
    return Observer(stream, _console(stream) if console else _json, level)


@contextlib.contextmanager
def observing(
    *,
    format: Format,  # noqa: A002 - as above
    level: Level,
    stream: TextIO | None = None,
) -> Iterator[Observer]:
    """As :func:`configure`, until the block ends and all is written; by default on stdout."""
    observer = configure(format, level, stream or sys.stdout)
    try:
        yield observer
    finally:
        observer.close()


def _arranged(_: object, __: str, given: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line: first when and what, then the fields in the catalogue's order, in plain types."""
    event, fields = given["event"], given["fields"]
    known = [name for name in _declared(event) if name in fields]
    others = [name for name in fields if name not in known]
    line: dict[str, Plain] = {
        "timestamp": _now(),
        "level": given["level_name"],
        "event": str(event),
    }
    for name in (*known, *others):
        if name not in _OURS:
            value = fields[name]
            whole = name == "exception" and isinstance(value, BaseException)
            line[name] = described(value) if whole else plain(value)
    return line


def _json(_: object, __: str, line: MutableMapping[str, Any]) -> str:
    return json.dumps(line)


def _console(stream: TextIO) -> Renderer:
    from rotator.observe.console import Console  # noqa: PLC0415 - only a terminal needs it

    return Console(colours=_colours(stream, os.environ))


def _colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """See https://no-color.org and https://force-color.org."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


def _level(event: Event, asked: object) -> Level:
    if isinstance(asked, str) and asked in _RANKS:
        return asked
    return CATALOGUE[event].level if event in CATALOGUE else "info"


def _declared(event: Event) -> tuple[str, ...]:
    return declared(event) if event in CATALOGUE else ()


def _trust(name: str) -> Trust:
    if name in _FOREIGN:
        return Trust.FOREIGN
    return Trust.NAME if name in _NAMES else Trust.OWN


def _now() -> str:
    return stamp(datetime.now(UTC), precise=True)

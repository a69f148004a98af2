"""Lines for a person at a terminal: when, how bad, what, which policy, then the rest."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from typing import Any

    Line = MutableMapping[str, Any]

_LEVELS = {
    "debug": ("debug", "2"),
    "info": ("info ", "32"),
    "warning": ("warn ", "33"),
    "error": ("error", "31"),
    "critical": ("crit ", "1;97;41"),
}
_BOLD, _DIM = "1", "2"
_INDENT = " " * 15
_EVENT_WIDTH = 21


class Console:
    """Renders an event. Also a processor of structlog, the last of its chain.

    Args:
        colours: Whether to use them.
    """

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _: object, __: str, line: Line) -> str:
        """One line; more of them, indented, where the terminal is too narrow."""
        width = max(shutil.get_terminal_size().columns, 40)
        level, colour = _LEVELS[line["level"]]
        event, policy = line["event"], _printable(line.get("policy") or "")
        head = f"{line['timestamp'][11:19]} {level} {event:<{_EVENT_WIDTH}} {policy}".rstrip()
        said = _printable(_SAID.get(event, _listed)(line))
        tail = _tail(line)
        if len(head) + 2 + len(said) <= width:
            rows = [f"{head}  {said}".rstrip()]
        else:
            rows = [head, *_wrapped(said, width)]
        rows += [row for part in tail for row in _wrapped(_printable(part), width)]
        return "\n".join(
            [self._painted(rows[0], level, colour, event), *map(self._dimmed, rows[1:])]
        )

    def _painted(self, row: str, level: str, colour: str, event: str) -> str:
        if not self._colours:
            return row
        time, rest = (
            row[:9],
            row[9 + len(level) :].replace(event, f"\x1b[{_BOLD}m{event}\x1b[0m", 1),
        )
        return f"\x1b[{_DIM}m{time}\x1b[0m\x1b[{colour}m{level}\x1b[0m{rest}"

    def _dimmed(self, row: str) -> str:
        return f"\x1b[{_DIM}m{row}\x1b[0m" if self._colours else row


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _printable(text: str) -> str:
    """Without what could move the cursor or end the line: some of it is the words of others."""
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)


def _tail(line: Line) -> Iterator[str]:
    """What is long and wants rows of its own."""
    if line.get("error"):
        yield line["error"] + (f". Remedy: {line['remedy']}" if line.get("remedy") else "")
    yield from _fault(line.get("exception"))


def _fault(about: Any) -> Iterator[str]:
    while isinstance(about, dict):
        yield about["message"]
        yield from (f"  {frame}" for frame in about["frames"][-6:])
        about = about.get("cause")


def _listed(line: Line) -> str:
    """The fields of an event that has no words of its own."""
    shown = {name: value for name, value in line.items() if name not in _ELSEWHERE}
    pairs = (f"{name}={_short(value)}" for name, value in shown.items() if _is_worth(value))
    return "  ".join(pairs)


def _is_worth(value: object) -> bool:
    return value is not None and value != "" and not isinstance(value, dict | list)


_ELSEWHERE = {
    *("timestamp", "level", "event", "policy", "error", "remedy", "exception"),
    # Of use to programs, long, and of none to somebody who watches.
    *("rotation_id", "key_id", "old_key_id"),
}


def _short(value: object) -> str:
    text = str(value)
    # A point in time, without its seconds.
    return f"{text[:10]} {text[11:16]}" if text[10:11] == "T" and text.endswith("Z") else text


def _exchange(line: Line) -> str:
    """``refresh ak-abc...xyz → ak-def...uvw``."""
    old, new = line.get("old_redacted_key") or "?", line.get("redacted_key") or "?"
    return f"{line.get('strategy') or 'rotation'} {old} → {new}"


def _completed(line: Line) -> str:
    danger = line.get("danger_seconds")
    return _exchange(line) + (f"  ({_span(danger)} danger)" if danger is not None else "")


def _delivered(line: Line) -> str:
    left = line.get("grace_seconds_left")
    took = line.get("danger_seconds")
    parts = [f"{line.get('redacted_key') or '?'} in {line.get('target', '?')}"]
    parts += [f"{_span(took)} danger"] if took is not None else []
    parts += [f"{_span(left)} of grace left"] if left is not None else []
    return ", ".join(parts)


def _planned(line: Line) -> str:
    when = line.get("next_at")
    return f"{line.get('reason') or ''}, next {_short(when) if when else 'not foreseen'}".lstrip(
        ", "
    )


def _started(line: Line) -> str:
    grace = line.get("grace_seconds")
    text = f"{line.get('strategy') or 'rotation'} of {line.get('redacted_key') or '?'}"
    return f"{text} ({line.get('reason')})" + (f", grace {_span(grace)}" if grace else "")


def _library(line: Line) -> str:
    return f"{line.get('logger')}: {line.get('message')}"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if abs(seconds) >= 1 else f"{seconds * 1000:.1f} ms"


_SAID: dict[str, Callable[[Line], str]] = {
    "policy.planned": _planned,
    "rotation.started": _started,
    "rotation.delivered": _delivered,
    "rotation.completed": _completed,
    "rotation.repaired": _completed,
    "library.log": _library,
}

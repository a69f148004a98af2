"""Lines for a person at a terminal: when, how bad, what, which policy, then the rest."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from rotator.words import TIE, printable, span

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
        event, policy = line["event"], printable(line.get("policy") or "")
        name = f"{event:<{_EVENT_WIDTH}}" if policy else event
        head = f"{line['timestamp'][11:19]} {level} {name} {policy}".rstrip()
        said = printable(_SAID.get(event, _listed)(line))
        if len(head) + 2 + len(said) <= width:
            rows = [f"{head}  {said.replace(TIE, ' ')}".rstrip()]
        else:
            rows = [head, *_wrapped(said, width)]
        if policy and len(head) > width:
            # A long name has a row of its own, and is not broken: it may be copied from there.
            rows[:1] = [head.removesuffix(policy).rstrip(), *_wrapped(policy, width)]
        rows += [row for part in _tail(line) for row in _wrapped(printable(part), width)]
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
    # The margin of a nested part, such as a frame, is kept.
    margin = _INDENT + " " * (len(text) - len(text.lstrip(" ")))
    rows = textwrap.wrap(
        text.strip(" "),
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [row.replace(TIE, " ") for row in rows]


def _tail(line: Line) -> Iterator[str]:
    """What is long and wants rows of its own."""
    if line.get("error"):
        yield line["error"].rstrip(".") + (
            f". Remedy: {line['remedy']}" if line.get("remedy") else ""
        )
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
    *("rotation_id", "key_id", "old_key_id", "error_code", "grace_deadline"),
}


def _short(value: object) -> str:
    text = str(value)
    # A point in time, without its seconds.
    moment = text[10:11] == "T" and text.endswith("Z")
    return f"{text[:10]}{TIE}{text[11:16]}" if moment else text


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _key(line: Line) -> str:
    return line.get("redacted_key") or "an unknown key"


def _completed(line: Line) -> str:
    """``refresh ak-abc...xyz → ak-def...uvw  (3.1 ms danger)``."""
    old = line.get("old_redacted_key") or "?"
    danger = line.get("danger_seconds")
    text = f"{line.get('strategy') or 'rotation'} {old} → {_key(line)}"
    return f"{text}  ({span(danger)}{TIE}danger)" if danger is not None else text


def _delivered(line: Line) -> str:
    danger = line.get("danger_seconds")
    took = f"{span(danger)}{TIE}danger" if danger is not None else None
    return _joined(f"{_key(line)} in {line.get('target', '?')}", took)


def _not_delivered(line: Line) -> str:
    return _joined(f"try {line.get('attempt', '?')} at {line.get('target', '?')}", _grace(line))


def _grace(line: Line) -> str | None:
    left = line.get("grace_seconds_left")
    return None if left is None else f"{span(left)} of grace left"


def _minted(line: Line) -> str:
    return _joined(_key(line), _grace(line))


def _planned(line: Line) -> str:
    when = line.get("next_at")
    return _joined(line.get("reason"), f"next {_short(when)}" if when else None)


def _started(line: Line) -> str:
    grace = line.get("grace_seconds")
    what = f"{line.get('strategy') or 'rotation'} of {_key(line)}"
    return _joined(what, line.get("reason"), f"grace {span(grace)}" if grace else None)


def _verified(line: Line) -> str:
    return f"{_key(line)} is accepted"


def _retired(line: Line) -> str:
    return f"{_key(line)} is revoked"


def _library(line: Line) -> str:
    return f"{line.get('logger')}: {line.get('message')}"


def _problem(line: Line) -> str:
    return str(line.get("problem"))


def _reloaded(line: Line) -> str:
    """``12 policies; added a, b; changed c``."""
    said = (
        f"{what} {', '.join(line[what])}"
        for what in ("added", "removed", "changed")
        if line.get(what)
    )
    return "; ".join((f"{line.get('policies')} policies", *said))


def _kept(line: Line) -> str:
    taken = "are taken all the same" if line.get("policies_taken") else "wait for it as well"
    return f"{', '.join(line.get('sections', ()))} changed; the policies {taken}"


_SAID: dict[str, Callable[[Line], str]] = {
    "config.warning": _problem,
    "config.refused": _problem,
    "config.reloaded": _reloaded,
    "config.restart_needed": _kept,
    "policy.planned": _planned,
    "rotation.started": _started,
    "rotation.resumed": _started,
    "rotation.key_minted": _minted,
    "rotation.delivered": _delivered,
    "rotation.delivery_failed": _not_delivered,
    "rotation.verified": _verified,
    "rotation.completed": _completed,
    "rotation.repaired": _completed,
    "rotation.retired": _retired,
    "library.log": _library,
}

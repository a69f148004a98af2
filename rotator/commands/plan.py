"""``rotator plan``: what would happen, when and why. Writes nothing, anywhere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.common import chosen, settings_of
from rotator.commands.look import looked
from rotator.commands.screen import Cell, Screen, fields_of, print_json
from rotator.outlook import outlook, rotation_ahead, unseen

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping

    from rotator.errors import RotatorError
    from rotator.model import Refuse, Snapshot
    from rotator.outlook import Outlook

_LAYOUTS = (
    (["policy"], ["key"], ["expires"], ["next"], ["what"]),
    (["policy", "key"], ["expires"], ["next"], ["what"]),
    (["policy", "key"], ["expires", "next"], ["what"]),
)
_ACTIONS = {
    "restore": "deliver the key on this disk",
    "destroy": "destroy a spent key on this disk",
    "fail": "record that the rotation has failed",
    "deliver": "copy the key to where it lacks",
    "promote": "prove and record",
    "retire": "revoke the old key",
    "notify": "tell the hooks",
    "lock": "take over",
    "wait": "look again",
    "locked": "another process is at it",
    "refuse": "a person is needed",
    "failed": "could not look",
}
_MINTS = {"refresh", "reissue"}


def command(arguments: Namespace) -> int:
    """Print the plan; 1 when a policy could not be looked at or needs a person."""
    settings = settings_of(arguments)
    policies = chosen(settings, arguments.policies)
    rows = asyncio.run(looked(settings, policies, _seen, _unseen))
    if arguments.json:
        print_json(policies=[_plain(*row) for row in rows])
    else:
        _draw(rows)
    return int(any(row.needs_a_person for row, _ in rows))


def _seen(s: Snapshot, barred: Mapping[str, Refuse]) -> tuple[Outlook, Outlook]:
    """What comes next, and what happens to the key in use."""
    return outlook(s, barred), rotation_ahead(s, barred)


def _unseen(policy: str, error: RotatorError) -> tuple[Outlook, Outlook]:
    row = unseen(policy, error)
    return row, row


def _plain(row: Outlook, ahead: Outlook) -> dict[str, object]:
    names = ("action", "at", "reason", "text", "new_expires_at", "grace", "writes")
    return fields_of(row) | {"ahead": fields_of(ahead, *names)}


def _draw(rows: list[tuple[Outlook, Outlook]]) -> None:
    now, screen = datetime.now(UTC), Screen()
    screen.table([_cells(row, now) for row, _ in rows], _LAYOUTS)
    screen.gap()
    for row, ahead in rows:
        screen.say(f"{row.policy}: {row.text}", style="dim")
        for note in _notes(row, ahead, now):
            screen.say(note, indent=2)


def _cells(row: Outlook, now: datetime) -> dict[str, Cell]:
    return {
        "policy": Cell(row.policy, "bold"),
        "key": Cell(row.redacted_key or "-"),
        "expires": Cell(_when(row.expires_at, now) if row.key_id else "-"),
        "next": Cell("-" if row.needs_a_person and row.at is None else _when(row.at, now)),
        "what": Cell(_what(row, now), "red" if row.needs_a_person else ""),
    }


def _notes(row: Outlook, ahead: Outlook, now: datetime) -> Iterator[str]:
    if row.remedy:
        yield f"remedy: {row.remedy}"
    if ahead.action in _MINTS and row.action not in _MINTS:
        yield f"then {_when(ahead.at, now)}, {_what(ahead, now)}"
    if ahead.own and ahead.action in _MINTS:
        yield "careful: this is the key that rotator itself works with; it goes on with the new one"
        yield "a process that starts later has what `arize.api_key` reads by then"
    for write in row.writes or ahead.writes:
        yield f"writes {write.secret}: {', '.join(write.fields)}"
    for target in row.waiting_targets:
        yield (
            f"{target} holds no key; the next rotation puts one there"
            f" (now: rotator run --rotate {row.policy})"
        )


def _when(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    if moment <= now:
        return "now" if now - moment < timedelta(minutes=1) else "past"
    return f"in {words.length(moment - now)}"


def _what(row: Outlook, now: datetime) -> str:
    if row.action == "wait" and row.at is None:
        return "nothing"
    if row.action not in _MINTS:
        return _ACTIONS.get(row.action, row.action)
    ends = row.new_expires_at
    expiry = "has no expiry" if ends is None else f"expires {_when(ends, now)}"
    grace = words.length(row.grace) if row.grace else "0s"
    return f"{row.action}: new key {expiry}; old one works {grace} more"

"""``rotator status``: how every policy stands, what needs a person on top. Writes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.common import chosen, settings_of
from rotator.commands.look import looked
from rotator.commands.screen import Screen, fields_of, print_json
from rotator.commands.status_cells import LAYOUTS, cells
from rotator.standing import State, not_seen, standing, urgency

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from rotator.standing import Standing

#: What is explained below the table.
_EXPLAINED = {State.FAILED, State.PERSON, State.WARNING, State.SUSPENDED}
_SUMMARY = {
    State.FAILED: ("could not be looked at", "could not be looked at"),
    State.PERSON: ("needs a person", "need a person"),
    State.WARNING: ("has a warning", "have a warning"),
    State.SUSPENDED: ("is suspended", "are suspended"),
    State.BUSY: ("is being rotated", "are being rotated"),
    State.DUE: ("is due", "are due"),
    State.WELL: ("is well", "are well"),
}


def command(arguments: Namespace) -> int:
    """Print the table; 1 when a policy needs a person or could not be looked at."""
    settings = settings_of(arguments)
    policies = chosen(settings, arguments.policies)
    rows = sorted(asyncio.run(looked(settings, policies, standing, not_seen)), key=urgency)
    if arguments.json:
        print_json(policies=[_plain(row) for row in rows])
    else:
        _draw(rows)
    return int(any(row.outlook.needs_a_person for row in rows))


def _plain(row: Standing) -> dict[str, object]:
    """One object: what the next step is, what happens to the key ahead, and how things are."""
    names = ("action", "at", "reason", "text", "remedy")
    told = fields_of(row) | {"ahead": fields_of(row.ahead, *names)}
    del told["outlook"]
    key = ("policy", "key_id", "redacted_key", "expires_at", "own", "targets", "empty_targets")
    return fields_of(row.outlook, *key) | told | {"step": fields_of(row.outlook, *names)}


def _draw(rows: list[Standing]) -> None:
    screen = Screen()
    screen.table([cells(row) for row in rows], LAYOUTS)
    screen.gap()
    for notes, names in _notes(rows).items():
        screen.say(f"{words.some(names)}: {notes[0]}")
        for note in notes[1:]:
            screen.say(note, indent=2)
    screen.say(_summary(rows))


def _notes(rows: list[Standing]) -> dict[tuple[str, ...], list[str]]:
    """What is wrong and what to do, once for all policies of which the same is to be said."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        notes = tuple(_explained(row)) if row.state in _EXPLAINED else ()
        if notes:
            found.setdefault(notes, []).append(row.outlook.policy)
    return found


def _explained(row: Standing) -> Iterator[str]:
    coming = row.outlook
    if row.outlook.needs_a_person:
        yield coming.text
        if coming.remedy:
            yield f"remedy: {coming.remedy}"
    elif row.stopped:
        yield row.stopped
    yield from row.worries


def _summary(rows: list[Standing]) -> str:
    counts = Counter(row.state for row in rows)
    parts = [words.count(counts[state], *said) for state, said in _SUMMARY.items() if counts[state]]
    return f"{words.count(len(rows), 'policy', 'policies')}: {', '.join(parts)}"

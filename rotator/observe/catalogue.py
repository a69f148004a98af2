"""Writes ``docs/events.md`` from the catalogue: ``python -m rotator.observe.catalogue``."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING

from rotator.events import CATALOGUE, COMMON, FIELDS, POLICY_GROUPS, Event, declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INTRO = """\
# Events

<!-- Written by `python -m rotator.observe.catalogue`: change rotator/events.py instead. -->

Everything that rotator does is told by one of these events, as one line of JSON on standard output
(`--log-format json`, the default when that is no terminal) or in short for a person (`console`).

- **Names are stable.** An event never changes its meaning: it is retired, and a new one takes its
  place. New events and new fields may come with any release, so ignore those you do not know.
- **Every line** begins with `timestamp` (UTC, milliseconds), `level` (`debug`, `info`, `warning`,
  `error`, `critical`) and `event`. Fields follow in the order given here; those that make no sense
  in a case are left out.
- **Times** are UTC as in `2026-11-23T08:31:02Z`; **lengths** are seconds and say so in their name.
- **No line holds a secret.** Of a key there is its id and `redacted_key`, like `ak-abc...xyz`. What
  nevertheless looks like a secret, in the words of a library for instance, is shown as `[masked]`.
- **Nobody waits for the log.** Should its reader stall, lines are dropped, the least important
  first, and `log.dropped` tells how many.

`--log-level` is the least important level that is shown. What libraries say is shown as
`library.log`: warnings and errors always, the rest at `debug`.
"""

_GROUPS = {
    "daemon": "The process",
    "pass": "A pass",
    "config": "Configuration",
    "clock": "Time",
    "policy": "A policy",
    "rotation": "A rotation",
    "file": "A file beside the store",
    "notify": "A hook",
    "management_key": "The management key",
    "vault": "Vault",
    "metrics": "Metrics",
    "library": "Libraries",
    "process": "Faults",
    "log": "The log itself",
}

#: A key that was reissued: what most lines look like.
_REISSUED = {
    "policy": "ci-pipeline",
    "reason": "key_near_expiry",
    "key_id": "QXBpS2V5OjEwMDI=",
    "redacted_key": "ak-def...uvw",
    "expires_at": "2027-02-21T08:31:02Z",
    "rotation_id": "9f4c2a7be1d05836",
    "strategy": "reissue",
    "old_key_id": "QXBpS2V5OjEwMDE=",
    "old_redacted_key": "ak-abc...xyz",
}

#: Events shown as whole lines, with the fields beyond those all lines have.
EXAMPLES: dict[Event, dict[str, object]] = {
    Event.POLICY_PLANNED: {
        "policy": "ci-pipeline",
        "reason": "nothing_is_due",
        "key_id": "QXBpS2V5OjEwMDE=",
        "redacted_key": "ak-abc...xyz",
        "expires_at": "2026-11-30T08:00:00Z",
        "next_at": "2026-11-23T08:31:00Z",
    },
    Event.KEY_DELIVERED: {
        **_REISSUED,
        "target": "apps/ci/arize#api_key",
        "target_version": 7,
        "danger_seconds": 0.003118,
        "grace_deadline": "2026-11-23T09:31:02Z",
        "grace_seconds_left": 3599.962,
    },
    Event.DELIVERY_FAILED: {
        **_REISSUED,
        "error": "Vault is sealed",
        "error_code": "unavailable",
        "remedy": "unseal it",
        "target": "apps/ci/arize#api_key",
        "attempt": 9,
        "grace_deadline": "2026-11-23T09:31:02Z",
        "grace_seconds_left": 1704.2,
    },
    Event.ROTATION_COMPLETED: {
        **_REISSUED,
        "old_valid_until": "2026-11-23T09:31:02Z",
        "danger_seconds": 0.003118,
        "duration_seconds": 0.214077,
        "grace_deadline": "2026-11-23T09:31:02Z",
        "grace_seconds_left": 3599.786,
    },
}
#: Where it is not the catalogue's.
_EXAMPLE_LEVEL = {Event.DELIVERY_FAILED: "error"}


def document() -> str:
    """The whole of ``docs/events.md``."""
    return "\n".join((_INTRO, *_tables(), *_examples(), *_fields()))


def example(event: Event) -> str:
    """The line that is shown for ``event``."""
    fields = EXAMPLES[event]
    line: dict[str, object] = {
        "timestamp": "2026-11-23T08:31:02.214Z",
        "level": _EXAMPLE_LEVEL.get(event, CATALOGUE[event].level),
        "event": str(event),
        **{name: fields[name] for name in declared(event) if name in fields},
    }
    return json.dumps(line)


def _tables() -> Iterator[str]:
    for group, events in groupby(CATALOGUE, key=_group):
        yield f"## {_GROUPS[group]}\n"
        if _concerns_policy(group):
            yield f"All of them have the fields of a policy: {_code(COMMON)}.\n"
        yield "| event | level | when | fields |"
        yield "| --- | --- | --- | --- |"
        yield from map(_row, events)
        yield ""


def _row(event: Event) -> str:
    level, text, fields = CATALOGUE[event]
    return f"| `{event}` | {level} | {text} | {_code(fields)} |"


def _examples() -> Iterator[str]:
    yield "## Examples\n\n```json"
    yield from map(example, EXAMPLES)
    yield "```\n"


def _fields() -> Iterator[str]:
    yield "## Fields\n\nA field means the same in every event.\n"
    yield "| field | meaning |"
    yield "| --- | --- |"
    yield from (f"| `{name}` | {meaning} |" for name, meaning in FIELDS.items())
    yield ""


def _group(event: Event) -> str:
    return event.partition(".")[0]


def _concerns_policy(group: str) -> bool:
    return group in POLICY_GROUPS


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"  # noqa: RUF001 - a dash, as typeset


if __name__ == "__main__":
    sys.stdout.write(document())

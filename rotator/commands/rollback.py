"""``rotator rollback``: puts the key back that the last rotation replaced, while its grace runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.common import chosen, settings_of
from rotator.commands.placing import next_rotation, placed, tell

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from rotator.by_hand import Placed


def command(arguments: Namespace) -> int:
    """Put it back; 1 when that is not possible (any more)."""
    settings = settings_of(arguments)
    (policy,) = chosen(settings, [arguments.policy])
    done = placed(settings, policy, lambda hand: hand.roll_back(policy))
    if done is None:
        return 1
    tell(policy, *_lines(done))
    return 0


def _lines(done: Placed) -> Iterator[str]:
    shown, s, ends_at = done.key.redacted, done.snapshot, done.key.expires_at
    yield from (f"{target} holds {shown} again" for target in done.written)
    if not done.written:
        yield f"nothing to do, {shown} is back already"
    if ends_at is not None:
        yield f"it works for {words.length(ends_at - s.now)} more, until {words.moment(ends_at)}"
    yield f"it is replaced before that, by whoever looks first after: {next_rotation(done)}"
    if s.journal.current is not None:
        yield f"{s.journal.current.redacted} goes on until then, and for a grace period"

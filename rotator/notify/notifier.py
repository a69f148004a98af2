"""Tells hooks of rotations that are done: each at least once, and for a bounded time.

A hook that fails changes nothing of the rotation, which is recorded by then. It is tried again by
whichever process looks next, and every try has its event.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import facts, notices
from rotator.backoff import polite
from rotator.errors import NotFound, RotatorError, Temporary, Unavailable
from rotator.events import Event
from rotator.rotation import save

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.afterwards import Hook
    from rotator.journal import Notice, Record
    from rotator.model import Notify, Snapshot
    from rotator.notices import News, NoticeId
    from rotator.ports import World

#: Policies whose hooks are told at the same time; each may be a child process.
_AT_ONCE = 16
#: How often the outcome is written over what others write meanwhile.
_SETTLING = 5
#: What was seen longer ago is not decided by.
_FRESH = timedelta(seconds=30)


class Notifier:
    """Acts on :class:`~rotator.model.Notify`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def tell(self, s: Snapshot, step: Notify) -> Snapshot | None:
        """Tell the hooks of ``step``, all at once.

        Answers what is seen afterwards, or None when a new look must tell.

        Raises:
            RotatorError: From the store. A hook that was told may be told once more then.
        """
        world = self._world
        async with self._slots:
            s = replace(s, now=world.clock.now())
            until = s.now + self._longest(s, step)
            begun = await save(world, s, notices.booked(s, step.notices, until))
            if begun is None:
                return None
            ends = await asyncio.gather(*(self._tell(begun, notice) for notice in step.notices))
        return await self._settle(begun, dict(ends))

    def _longest(self, s: Snapshot, step: Notify) -> timedelta:
        """How long nobody else is to try: a try of each hook, our writes, and some politeness."""
        hooks = self._world.hooks.get(s.policy.name, {}).values()
        longest = max((hook.timeout for hook in hooks), default=timedelta(0))
        failures = max(notice.failures for notice in step.notices)
        pause = polite(failures + 1, jitter=self._world.jitter())
        return longest + 2 * self._world.limits.timeout + pause

    async def _tell(self, s: Snapshot, notice: Notice) -> tuple[NoticeId, datetime | None]:
        """Tell one hook. When to try again: None, when it was told or is given up."""
        world, started = self._world, self._world.clock.monotonic()
        hook = world.hooks.get(s.policy.name, {}).get(notice.hook)
        record = notices.record_of(s.journal, notice)
        fields = _fields(s, notice, hook, record)
        if hook is None or record is None:
            world.emit(Event.NOTIFY_GIVEN_UP, **fields, **facts.of_error(_nobody(notice, hook)))
            return notices.id_of(notice), None
        error = await attempt(hook, notices.news_of(s.policy, notice, record))
        fields["duration_seconds"] = round(world.clock.monotonic() - started, 6)
        final = world.clock.now() >= notice.until
        again = outcome(world, fields, error, tries=notice.failures + 1, final=final)
        return notices.id_of(notice), again

    async def _settle(self, s: Snapshot, ends: dict[NoticeId, datetime | None]) -> Snapshot | None:
        """Write down what came of it, over whatever others have written meanwhile.

        Should that fail, the booking runs out, and the hooks are told once more.
        """
        world, since = self._world, s.now
        for _ in range(_SETTLING):
            saved = await save(world, s, notices.settled(s, ends))
            if saved is not None:
                return saved if saved.now - since < _FRESH else None
            journal, version = await world.store.load(s.policy.name)
            # What was seen with the former journal does not fit this one.
            since -= _FRESH
            s = replace(s, journal=journal, journal_version=version, now=world.clock.now())
        return None


async def attempt(hook: Hook, news: News) -> RotatorError | None:
    """Let ``hook`` hear ``news``, within its time; what went wrong, whatever that was."""
    seconds = hook.timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            await hook.tell(news)
    except RotatorError as error:
        return error
    except TimeoutError:
        return Unavailable(f"it took longer than {seconds:g} s and was ended")
    except Exception as error:  # noqa: BLE001 - nothing that a hook does may reach a rotation
        # Without its words, which are of nobody knows whom.
        return Temporary(f"{type(error).__name__} in the {hook.kind} hook", remedy="report it")
    return None


def outcome(
    world: World,
    fields: dict[str, object],
    error: RotatorError | None,
    *,
    tries: int,
    final: bool,
) -> datetime | None:
    """Say what came of a try. When to try again: None, when it worked, or it was the last."""
    if error is None:
        world.emit(Event.NOTIFY_SENT, **fields)
        return None
    if final:
        world.emit(Event.NOTIFY_GIVEN_UP, **fields, **facts.of_error(error))
        return None
    asked = error.delay if isinstance(error, Temporary) else None
    again = world.clock.now() + polite(tries, jitter=world.jitter(), asked=asked)
    world.emit(Event.NOTIFY_FAILED, **fields, **facts.of_error(error), retry_at=again)
    return again


def _fields(
    s: Snapshot, notice: Notice, hook: Hook | None, record: Record | None
) -> dict[str, object]:
    """Which rotation, and who is told."""
    fields: dict[str, object] = {"policy": s.policy.name, "rotation_id": notice.rotation}
    fields |= {"hook": notice.hook, "kind": hook and hook.kind, "attempt": notice.failures + 1}
    if record is not None:
        fields |= {"reason": record.reason, "key_id": record.key_id}
        fields |= {"redacted_key": record.redacted, "expires_at": record.expires_at}
    return fields


def _nobody(notice: Notice, hook: Hook | None) -> RotatorError:
    if hook is None:
        return NotFound(
            f"no configuration that looked here has a hook {notice.hook!r} for this policy",
            remedy="put it back, if it was to be told; it may have been renamed or removed",
        )
    return NotFound("the rotation is forgotten: there were too many since")

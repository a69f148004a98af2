"""Keeps files at what the store holds: at each look, however the look went and whoever rotated.

The store is asked anew, without the provider: a sidecar that starts while Arize is down still gets
its file. A file that cannot be written is an event and tried again; nothing else depends on it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from rotator import facts
from rotator.backoff import polite
from rotator.errors import RotatorError, Temporary
from rotator.events import Event
from rotator.notices import News
from rotator.notify.notifier import attempt, outcome

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.afterwards import Change, Sink
    from rotator.journal import Current
    from rotator.model import Policy
    from rotator.notices import Fact
    from rotator.ports import World
    from rotator.secrets import Secret

    #: A policy, a file, and a hook; an empty one for the file itself.
    Matter = tuple[str, str, str]

#: Policies whose files are looked after at the same time.
_AT_ONCE = 16


class Keeper:
    """Looks after the files of policies."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._slots = asyncio.Semaphore(_AT_ONCE)
        #: How often in a row something has failed, and when it is tried again.
        self._failures: Counter[Matter] = Counter()
        self._again: dict[Matter, datetime] = {}

    async def keep(self, policy: Policy) -> datetime | None:
        """Bring the files of ``policy`` up to date, and tell who is to hear of that.

        Never raises but when cancelled. When to try again; None when all is well.
        """
        sinks = self._world.sinks.get(policy.name, ())
        if not sinks:
            return None
        async with self._slots:
            ends = await asyncio.gather(*(self._keep(policy, sink) for sink in sinks))
        return min((end for end in ends if end is not None), default=None)

    async def _keep(self, policy: Policy, sink: Sink) -> datetime | None:
        matter, world = (policy.name, sink.place, ""), self._world
        if self._is_early(matter):
            return self._again[matter]
        try:
            secret = (await world.store.read(policy.targets[0])).value
            if secret is None:
                return None
            current = (await world.store.load(policy.name))[0].current
            current = current if current and current.fingerprint == secret.fingerprint else None
            fields = _fields(policy, sink, secret, current)
            if await sink.update(secret, current, world.new_id()):
                world.emit(Event.FILE_WRITTEN, **fields)
            waiting = await sink.waiting()
        except Exception as error:  # noqa: BLE001 - the boundary: no file may stop a look
            return self._failed(policy, sink, error)
        self._well(matter)
        news = {"file": sink.place} | _facts(secret, current)
        told = [await self._tell(policy, sink, change, news, fields) for change in waiting]
        return min((end for end in told if end is not None), default=None)

    async def _tell(
        self,
        policy: Policy,
        sink: Sink,
        change: Change,
        news: dict[str, Fact],
        fields: dict[str, object],
    ) -> datetime | None:
        """Let a hook hear of a change. When to try again: None, when it has, or is given up."""
        matter, world = (policy.name, sink.place, change.hook), self._world
        if self._is_early(matter):
            return self._again[matter]
        hook, started, now = sink.hooks[change.hook], world.clock.monotonic(), world.clock.now()
        self._failures[matter] += 1
        error = await attempt(
            hook,
            News(
                id=f"{change.id}:{change.hook}",
                type="rotator.file.written",
                policy=policy.name,
                subject=str(news.get("key_id") or policy.name),
                at=now - change.age,
                facts=news,
            ),
        )
        fields = fields | {"hook": change.hook, "kind": hook.kind}
        fields["attempt"] = self._failures[matter]
        fields["duration_seconds"] = round(world.clock.monotonic() - started, 6)
        final = change.age >= world.limits.notify_for
        again = outcome(world, fields, error, tries=self._failures[matter], final=final)
        if again is not None:
            self._again[matter] = again
            return again
        self._well(matter)
        try:
            await sink.heard(change)
        except RotatorError as failed:
            # It will be told once more.
            return self._failed(policy, sink, failed)
        return None

    def _failed(self, policy: Policy, sink: Sink, error: Exception) -> datetime:
        """Say that a file is not what it should be. When to try again."""
        matter, world = (policy.name, sink.place, ""), self._world
        if not isinstance(error, RotatorError):
            error = Temporary(f"{type(error).__name__} on writing a file", remedy="report it")
        self._failures[matter] += 1
        tries = self._failures[matter]
        asked = error.delay if isinstance(error, Temporary) else None
        again = world.clock.now() + polite(tries, jitter=world.jitter(), asked=asked)
        fields: dict[str, object] = {"policy": policy.name, "file": sink.place, "attempt": tries}
        world.emit(Event.FILE_FAILED, **fields, **facts.of_error(error), retry_at=again)
        self._again[matter] = again
        return again

    def _is_early(self, matter: Matter) -> bool:
        return matter in self._again and self._again[matter] > self._world.clock.now()

    def _well(self, matter: Matter) -> None:
        self._again.pop(matter, None)
        del self._failures[matter]


def _facts(secret: Secret, current: Current | None) -> dict[str, Fact]:
    """What a hook may know of the key."""
    if current is None:
        return {"redacted_key": str(secret.redacted)}
    expires_at = current.expires_at
    return {
        "key_id": current.key_id,
        "redacted_key": str(secret.redacted),
        "expires_at": expires_at.isoformat().replace("+00:00", "Z") if expires_at else None,
    }


def _fields(
    policy: Policy, sink: Sink, secret: Secret, current: Current | None
) -> dict[str, object]:
    fields: dict[str, object] = {"policy": policy.name, "file": sink.place}
    fields["redacted_key"] = str(secret.redacted)
    if current is not None:
        fields |= {"key_id": current.key_id, "expires_at": current.expires_at}
    return fields

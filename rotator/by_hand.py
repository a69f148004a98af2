"""Puts a key that exists already into the store: one that is adopted, or the former one.

As in a rotation: looked at first, the provider asked, the lease taken with check-and-set, the store
written with check-and-set. The journal says what shall be before the store is written, so that a
crash in between shows as drift, in which either key works, and the same command mends it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from rotator import facts, lineage, transitions
from rotator.backoff import urgent
from rotator.delivery import metadata_of
from rotator.errors import NotFound, Rejected, RotatorError, Temporary
from rotator.events import Event
from rotator.keys import Key
from rotator.model import Held, Refuse
from rotator.rotation import save

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.journal import Journal
    from rotator.lineage import Former
    from rotator.model import Policy, Snapshot, Target
    from rotator.ports import World
    from rotator.reconcile import Reconciler
    from rotator.secrets import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed:
    """What was done: ``written`` are the targets that did not hold the key before."""

    snapshot: Snapshot
    key: Key
    written: tuple[Target, ...]


class ByHand:
    """Carries out what a person asked for, for one policy at a time."""

    def __init__(self, world: World, reconciler: Reconciler) -> None:
        self._world = world
        self._reconciler = reconciler

    async def adopt(self, policy: Policy, secret: Secret) -> Placed:
        """Put ``secret``, the raw key of the policy's key, into all targets.

        Raises:
            Rejected: It is not that key, the provider does not accept it, or it is not the moment.
            RotatorError: From the provider or the store.
        """
        s = await self._reconciler.gatherer.gather(policy)
        key = _granted(lineage.adoptable(s, secret))
        if lineage.is_adopted(s, secret):
            return Placed(s, key, ())
        told = Event.KEY_ADOPTED
        return await self._place(s, key, secret, lambda s: lineage.adopted(s, key, secret), told)

    async def roll_back(self, policy: Policy) -> Placed:
        """Put the key back that the last rotation replaced, while its grace runs.

        Raises:
            Rejected: There is none, it has no time left, or it is not the moment.
            NotFound: The store has it no more.
            RotatorError: From the provider or the store.
        """
        s = await self._reconciler.gatherer.gather(policy)
        old = _granted(lineage.former(s))
        secret = await self._found(s, old)
        old = lineage.identified(s, old, secret)
        key = Key(old.key_id, _name(s), old.redacted, expires_at=old.ends_at)
        if old.again and all(held.value == secret for held in s.held):
            return Placed(s, key, ())
        number = self._world.new_id()
        then = replace(s, journal=lineage.put_back(s, old, secret, number))
        if refusal := lineage.irreplaceable(then):
            raise _error(refusal)
        told = Event.KEY_PUT_BACK
        return await self._place(
            s, key, secret, lambda s: lineage.put_back(s, old, secret, number), told
        )

    async def _found(self, s: Snapshot, old: Former) -> Secret:
        """The raw key: at a target that has it still, or among what targets held before."""
        for held in s.held:
            if held.value is not None and old.fits(held.value):
                return held.value
        refusal: RotatorError | None = None
        for held in s.held:
            try:
                secret = await self._world.store.former(held.target, old.fits)
            except Rejected as error:
                refusal = refusal or error
            else:
                if secret is not None:
                    return secret
        raise refusal or NotFound(
            f"the store does not have the former key, {old.redacted} (any more)",
            remedy=f"if the present one is at fault: rotator run --rotate {s.policy.name}",
        )

    async def _place(
        self,
        s: Snapshot,
        key: Key,
        secret: Secret,
        then: Callable[[Snapshot], Journal],
        told: Event,
    ) -> Placed:
        """Prove, take the lease, write each target and say so, let go of the lease."""
        world = self._world
        if not await world.issuer.accepts(secret):
            raise Rejected(
                f"the provider does not accept {key.redacted}", remedy="nothing was done"
            )
        await world.store.preflight(s.policy.targets, budget=world.limits.retry_budget)
        until = (
            world.clock.monotonic() + (world.limits.lease - world.limits.timeout).total_seconds()
        )
        s = replace(s, now=world.clock.now())
        taken = await save(world, s, then(s))
        if taken is None:
            raise Temporary("another process wrote the journal meanwhile", remedy="try again")
        held = list(s.held)
        try:
            for at, one in enumerate(s.held):
                if one.value != secret:
                    held[at] = await self._write(one, key, secret, until)
                    self._tell(told, s, key, one, held[at])
        finally:
            # Should this fail, the lease runs out by itself.
            with contextlib.suppress(RotatorError):
                taken = await save(world, taken, transitions.unlocked(taken)) or taken
        written = tuple(one.target for one in s.held if one.value != secret)
        return Placed(replace(taken, held=tuple(held)), key, written)

    def _tell(self, told: Event, s: Snapshot, key: Key, before: Held, after: Held) -> None:
        self._world.emit(
            told,
            policy=s.policy.name,
            **facts.of_key(key),
            target=str(after.target),
            target_version=after.version,
            old_redacted_key=None if before.value is None else before.value.redacted,
            owner=self._world.me,
        )

    async def _write(self, held: Held, key: Key, secret: Secret, until: float) -> Held:
        """Write one target, for as long as the lease allows it; what it holds then."""
        world, attempt = self._world, 0
        metadata = metadata_of(held.target, key, secret, world.clock.now())
        while world.clock.monotonic() < until:
            try:
                written = await world.store.write(held, secret, metadata)
                found = written if isinstance(written, Held) else await self._read(held, secret)
            except Temporary:
                attempt += 1
                await world.clock.sleep(urgent(attempt, left=None, jitter=world.jitter()))
                continue
            if found.value == secret:
                return found
            held = found
        raise Temporary(
            f"{held.target} could not be written in time",
            remedy="run the same again: what is done already is not done twice",
        )

    async def _read(self, held: Held, secret: Secret) -> Held:
        """What to write over after a lost race: other fields may have changed, the key not."""
        found = await self._world.store.read(held.target)
        if found.value not in {held.value, secret}:
            raise Rejected(f"{held.target} was given another key meanwhile", remedy="look at it")
        return found


def _name(s: Snapshot) -> str:
    return s.journal.current.name if s.journal.current else ""


def _granted(answer: T | Refuse) -> T:
    if isinstance(answer, Refuse):
        raise _error(answer)
    return answer


def _error(refusal: Refuse) -> Rejected:
    return Rejected(refusal.reason.text, remedy=refusal.remedy)

"""What follows a delivery: copies, the proof, the record, and the end of the old key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import facts, transitions
from rotator.backoff import polite
from rotator.delivery import metadata_of
from rotator.errors import Rejected, RotatorError, Temporary
from rotator.events import Event
from rotator.model import Held
from rotator.retirement import had_by_nobody
from rotator.rotation import accepted_in_time, disown, save
from rotator.secrets import Redacted
from rotator.views import lacking

if TYPE_CHECKING:
    from rotator.journal import Record, Retiring
    from rotator.model import Deliver, Fail, Promote, Retire, Snapshot
    from rotator.ports import World


#: Between two looks whether rotator still needs an old key itself.
_A_WHILE = timedelta(hours=1)


class Finisher:
    """Carries a delivered key to its record, and an old one to its end."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def copy(self, s: Snapshot, step: Deliver) -> Snapshot | None:
        """Copy the key to the targets that lack it; whether that held, the next look tells.

        Without a rotation in flight under the lease, for one that begins meanwhile comes first.

        Raises:
            RotatorError: A target did not take it; the others have it.
        """
        world, failed = self._world, None
        resting = s.journal.rotation is None
        begun = await save(world, s, transitions.locked(s)) if resting else s
        if begun is None:
            return None
        for held in lacking(s, step.secret):
            metadata = metadata_of(held.target, step.key, step.secret, s.now)
            try:
                written = await world.store.write(held, step.secret, metadata)
            except RotatorError as error:
                failed = failed or error
                continue
            if isinstance(written, Held):
                fields = facts.of_rotation(s) | facts.of_key(step.key)
                fields |= {"target": str(held.target), "target_version": written.version}
                world.emit(Event.KEY_DELIVERED, **fields)
        if resting:
            await save(world, begun, transitions.unlocked(begun))
        if failed is not None:
            raise failed
        return None

    async def promote(self, s: Snapshot, step: Promote) -> Snapshot | None:
        """Use the new key against the provider, then record the rotation as done.

        Raises:
            Rejected: The provider does not accept what it issued.
            Temporary: The provider could not be asked.
        """
        world, before = self._world, s.journal
        started = world.clock.monotonic()
        if not (s.delivery and s.delivery.proved):
            accepted = await accepted_in_time(world, step.secret)
            if accepted is None:
                raise Temporary("the provider could not be asked whether it accepts the new key")
            if not accepted:
                raise Rejected(
                    f"the store holds {step.key.redacted}, which the provider does not accept",
                    remedy="see docs/runbook.md",
                )
        world.emit(
            Event.KEY_VERIFIED,
            duration_seconds=round(world.clock.monotonic() - started, 6),
            **facts.of_rotation(s),
            **facts.of_key(step.key),
        )
        if before.rotation and world.issuer.is_own(before.rotation.redacted):
            world.issuer.adopt(step.secret)
            world.emit(Event.MANAGEMENT_KEY_CHANGED, **facts.of_rotation(s), source="rotation")
        danger = s.delivery.danger_seconds if s.delivery else None
        s = replace(s, now=world.clock.now())
        done = await save(world, s, transitions.completed(s, step.key, step.secret, danger))
        if done is None:
            if before.rotation is not None:
                # Perhaps ours was given up meanwhile. Then nobody else knows whose key that is.
                await disown(world, s, before.rotation, step.key)
            return None
        self._emit_completed(s, step, done.journal.history[0])
        return replace(done, demanded=False, delivery=None)

    async def fail(self, s: Snapshot, step: Fail) -> Snapshot | None:
        """Record that the rotation in flight has failed, for ``step.reason``."""
        error = Rejected(step.reason.text, remedy="see docs/runbook.md")
        done = await save(self._world, s, transitions.failed(s, error))
        if done is not None:
            fields = facts.of_rotation(s) | facts.of_error(error)
            self._world.emit(Event.ROTATION_FAILED, **fields)
        return done

    async def retire(self, s: Snapshot, step: Retire) -> Snapshot | None:
        """Revoke an old key. A failure is put off, visibly, and does not stop the rest."""
        world, entry = self._world, step.entry
        fields: dict[str, object] = {
            "policy": s.policy.name,
            "reason": step.reason.code,
            "key_id": entry.key_id,
            "redacted_key": entry.redacted,
            "rotation_id": entry.rotation,
        }
        if entry not in s.journal.retiring:
            # Nobody has written down that it goes. The journal must not be older than the listing,
            # or the key may be one that was minted and delivered since.
            noted = await save(world, s, transitions.condemned(s, entry))
            if noted is None:
                return None
            s = noted
        if had_by_nobody(s, entry) and not await self._fenced(s, entry):
            return None
        listed = any(key.id == entry.key_id and key.usable(s.now) for key in s.keys)
        pause = timedelta()
        try:
            if listed and await world.issuer.depends_on(entry.redacted):
                # Until somebody has put the new one there.
                pause = _A_WHILE
                raise Rejected(
                    f"{entry.redacted} is the key that rotator itself works with",
                    remedy="give it the new one: read it from where the policy delivers it, with"
                    " `arize.api_key: {vault: …}`; the old one is revoked after that",
                )
            known = await world.issuer.revoke(entry.key_id)
            if not known and listed:
                raise Rejected(
                    f"Arize lists {entry.redacted}, and says that there is no such key to revoke",
                    remedy="see that the management key may revoke it; tried again by itself",
                )
        except RotatorError as error:
            until = s.now + pause + polite(entry.failures + 6, jitter=world.jitter())
            world.emit(Event.RETIRE_FAILED, **fields, **facts.of_error(error), retry_at=until)
            return await save(world, s, transitions.postponed(s, entry, until))
        world.emit(Event.KEY_RETIRED, **fields)
        s = replace(s, keys=tuple(key for key in s.keys if key.id != entry.key_id))
        return await save(world, s, transitions.retired(s, entry))

    async def _fenced(self, s: Snapshot, entry: Retiring) -> bool:
        """Whether nobody who was held up with the key of ``entry`` can put it into the store now.

        Such a process wakes up in the middle of a write, perhaps. So all targets are written once
        more, as they are: any check-and-set from before that fails, and then it looks again.
        """
        store, orphan = self._world.store, Redacted.parse(entry.redacted)
        for target in s.policy.targets:
            found = await store.read(target)
            if found.value is None or orphan.matches(found.value):
                return False
            if not isinstance(await store.write(found, found.value, {}), Held):
                return False
        return True

    def _emit_completed(self, s: Snapshot, step: Promote, record: Record) -> None:
        fields = facts.of_rotation(s) | facts.of_key(step.key)
        fields |= facts.of_grace(record.old_valid_until, record.finished_at)
        duration = (record.finished_at - record.started_at).total_seconds()
        self._world.emit(
            Event.ROTATION_REPAIRED if record.outcome == "repaired" else Event.ROTATION_COMPLETED,
            old_valid_until=record.old_valid_until,
            danger_seconds=record.danger_seconds,
            duration_seconds=round(duration, 6),
            **fields,
        )

"""People and consumers: what happens behind the program's back."""

import asyncio
from datetime import timedelta

from sim_loop import reach
from sim_services import now

from rotator.model import OnDrift

#: What a person may be told of instead of a repair: only he can mend it.
_UNMENDABLE = {
    "key_is_ambiguous",
    "key_not_found",
    "bindings_unknown",
    "key_type_unknown",
    "lifetime_unknown",
    "grace_too_short",
    # Today's service refuses a refresh beyond the old expiry, whoever insists on one.
    "rejected",
}
#: What is said of drift while nobody mends it.
VERDICTS = _UNMENDABLE | {
    "store_holds_another_key",
    "store_holds_unknown_key",
    "key_was_refreshed_elsewhere",
    "key_was_revoked_elsewhere",
    "store_holds_nothing",
}
#: Minutes after a person asked for a rotation by hand at which others come by.
_MENDING = (5, 70, 75, 140, 1500)


class Meddler:
    """Changes things by hand, at Arize and in the store."""

    def __init__(self, world, random):
        self._world, self._random = world, random

    async def act(self, subject):
        """Whatever comes to mind, once nobody is at it."""
        for _ in range(20):
            journal = self._world.shelf.journal(subject.policy.name)
            if journal.rotation is None and journal.lease is None and not journal.doubted:
                break
            await asyncio.sleep(30)
        else:
            return
        kinds = (
            self._revoke,
            self._refresh,
            self._roll_back,
            self._scribble,
            self._undo,
            self._empty,
        )
        self._do(self._random.choice(kinds), subject)

    async def give_up(self, subject):
        """Away with the old key of a rotation from which no new one comes."""
        for _ in range(200):
            await asyncio.sleep(3)
            rotation = self._world.shelf.journal(subject.policy.name).rotation
            if rotation is not None and rotation.mints and not self._came_of(rotation):
                self._do(self._revoke, subject)
                return

    def _came_of(self, rotation):
        name, since = rotation.key_name, rotation.mints[0].at - timedelta(seconds=2)
        return any(key.name == name and key.created_at > since for key in self._world.arize.keys)

    def _do(self, kind, subject):
        # Excused from here on: by the time it is done the breach is there.
        subject.acts.append(kind.__name__.strip("_"))
        if not kind(subject):
            subject.acts.pop()
        self._world.check()

    def _key_of(self, subject):
        value = self._world.shelf.value(subject.policy.targets[0])
        keys = (key for key in self._world.arize.keys if key.raw == value)
        return next((key for key in keys if key.usable(now()) and not key.superseded), None)

    def _revoke(self, subject):
        key = self._key_of(subject)
        if key is None:
            return False
        self._world.revoked.add(key.id)
        self._world.arize.revoke(self._world.arize.admin, key.id)
        return True

    def _refresh(self, subject):
        """Unless so little is left of its life that every successor would be due at once."""
        key = self._key_of(subject)
        margin = 2 * (subject.policy.before_expiry or timedelta(days=1))
        if key is None or (key.expires_at is not None and key.expires_at - now() < margin):
            return False
        grace = timedelta(minutes=self._random.choice((0, 10, 60)))
        arize = self._world.arize
        new = arize.refresh(arize.admin, key.id, expires_at=key.expires_at, grace=grace)
        journal = self._world.shelf.journal(subject.policy.name)
        if new.id != key.id:
            # Not ours: the lineage goes on elsewhere. Chosen by its name alone it may be, and is
            # not where somebody had seen the old one just before, and rotated that.
            named = not (subject.policy.selector.id or journal.current)
            self._world.successors[new.id] = key.id
            (self._world.unclaimed if named else self._world.bystanders).append(new)
        return True

    def _roll_back(self, subject):
        """An earlier version of the secret, as `vault kv rollback` puts it back."""
        target = subject.policy.targets[0]
        value = self._world.shelf.value(target)
        shelf = [subject.born.raw] + [
            raw for place, raw in self._world.shelf.written if place == str(target)
        ]
        former = [raw for raw in shelf if raw != value]
        if former:
            self._world.shelf.put(target.path, **{target.field: former[-1]})
        return bool(former)

    def _undo(self, subject):
        """The former key in every target, and the present one revoked: as if nothing had been."""
        key, written = self._key_of(subject), [raw for _, raw in self._world.shelf.written]
        keys = (one for one in self._world.arize.keys if one.usable(now()))
        alive = [one for one in keys if one.raw in {subject.born.raw, *written}]
        former = [one for one in alive if one.name == subject.born.name]
        former = [one for one in former if key is not None and one.id != key.id]
        if not former:
            return False
        for target in subject.policy.targets:
            self._world.shelf.put(target.path, **{target.field: former[-1].raw})
        self._world.revoked.add(key.id)
        self._world.arize.revoke(self._world.arize.admin, key.id)
        return True

    def _scribble(self, subject):
        target = subject.policy.targets[-1]
        text = "ak-" + "".join(self._random.choices("abcdefghijklmnop", k=50))
        self._world.shelf.put(target.path, **{target.field: text})
        return True

    def _empty(self, subject):
        """The field taken out of every secret, once there was a key of ours in it."""
        shelf = self._world.shelf
        journal = shelf.journal(subject.policy.name)
        if journal.current is None:
            return False
        for target in subject.policy.targets:
            _, document = shelf.read(target.path)
            rest = {name: text for name, text in document.items() if name != target.field}
            shelf.replace(target.path, rest)
        return True


async def consume(world, subject, random):
    """Somebody who uses the key, and reads it again now and then."""
    target, read_at, value = subject.policy.targets[0], -3600.0, None
    loop = asyncio.get_running_loop()
    while True:
        at = loop.elapsed
        if at - read_at > 1200:
            read_at, value = at, world.shelf.value(target)
        if value is not None and world.arize.accepts(value):
            world.arize.authenticate(value)
        elif value is not None and at > read_at:
            world.judge.refused_to(subject)
            read_at = -3600.0
        await loop.nap(random.uniform(120, 900))


async def mend(world, subject):
    """What drift comes to: a repair by policy, or a verdict, and then a person who follows it.

    Answers why it went wrong, or None.
    """
    name = subject.policy.name
    if world.judge.is_well(subject):
        return None
    failed = await world.come_by([subject.policy])
    if world.judge.is_well(subject):
        return None
    what = f"drift: {name} is broken by {subject.acts}"
    journal = world.shelf.journal(name)
    current = journal.current
    lives = current is not None and (current.expires_at is None or current.expires_at > now())
    unsaid = subject.acts == ["revoke"] and lives and failed.get(name) == "key_not_found"
    if unsaid or failed.get(name) not in VERDICTS:
        return f"{what}, and nobody is told: {failed}"
    if failed[name] in _UNMENDABLE:
        subject.given_up = True
        return None
    if subject.policy.on_drift is OnDrift.ROTATE:
        return f"{what}, and not repaired: {failed}"
    return await _mend_by_hand(world, subject, what)


async def _mend_by_hand(world, subject, what):
    name = subject.policy.name
    subject.demands += 1
    begun = asyncio.get_running_loop().time()
    asked = await world.come_by([subject.policy], demanded=True, kind="manual")
    for minutes in _MENDING:
        await reach(begun + 60 * minutes)
        await world.come_by([subject.policy])
    subject.given_up = asked.get(name) in _UNMENDABLE
    well = subject.given_up or world.judge.is_well(subject)
    return None if well else f"{what} and stays so: {asked}"

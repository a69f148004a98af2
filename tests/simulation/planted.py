"""Bugs of the kinds that matter, planted one at a time: ``python tests/simulation/planted.py``.

Each replaces a function or a method of the program in a process of its own and is hunted with the
histories of ``simulate``. It is found by a history that the program as it is survives. Ends with 1
when one is not found: then a check is missing there; or when a history breaks with nothing planted.
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta

import sim_history
from simulate import say

from rotator import (
    decide,
    drift,
    facts,
    flight,
    neighbours,
    notices,
    origin,
    retirement,
    rotation,
    strategy,
    transitions,
    views,
)
from rotator.adapters import documents
from rotator.backoff import polite
from rotator.completion import Finisher
from rotator.delivery import Deliverer
from rotator.errors import Ambiguous, Temporary
from rotator.gathering import Gatherer
from rotator.listings import Listings
from rotator.model import Choice, Plan, Reason, Refuse
from rotator.pacing import Jitter
from rotator.ports import Conflict
from rotator.reconcile import Demand, Reconciler
from rotator.rotation import Rotator

PLANTED = {}


def plant(function):
    PLANTED[function.__name__] = function
    return function


def swap(old, new):
    """Replace a function wherever the program has it by name, and in the order of the checks."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("rotator.", "sim_")):
            for place, value in list(vars(module).items()):
                if value is old:
                    setattr(module, place, new)
    decide.CHECKS = tuple(new if check is old else check for check in decide.CHECKS)


def never(_):
    return None


# --- minting ---


@plant
def blind_retry():
    """A mint whose answer never came is simply repeated."""
    mint = Rotator._mint

    async def again(self, plan):
        try:
            return await mint(self, plan)
        except Ambiguous:
            return await mint(self, plan)

    Rotator._mint = again


@plant
def unanswered_is_unminted():
    """A mint whose answer never came is taken for one that never was."""
    mint = Rotator._mint

    async def believed(self, plan):
        try:
            return await mint(self, plan)
        except Ambiguous as error:
            raise Temporary("never was") from error

    Rotator._mint = believed


@plant
def lease_unchecked():
    """Whoever looks acts, whoever holds the lease."""
    swap(decide._respect_lease, lambda _, step: step)


@plant
def lost_race_ignored():
    """A journal that somebody else wrote first counts as written."""
    save = rotation.save

    async def careless(world, s, journal):
        return await save(world, s, journal) or replace(s, journal=journal)

    swap(save, careless)


@plant
def grace_of_nothing():
    """A refresh ends the old key at once."""
    refresh = strategy._refresh

    def hasty(*args, **kwargs):
        plan = refresh(*args, **kwargs)
        return replace(plan, grace=_NOTHING) if isinstance(plan, Plan) else plan

    swap(refresh, hasty)


@plant
def repair_of_the_old_key():
    """A lost key is replaced by refreshing the old one, which has only its grace left."""
    repair = strategy.choose_repair

    def wrong(s, old, lost, planned):
        plan = repair(s, old, lost, planned)
        return replace(plan, strategy="refresh", source=old) if isinstance(plan, Plan) else plan

    swap(repair, wrong)


@plant
def endless_successor():
    """A reissued key has no expiry, whatever the old one had."""
    reissue = strategy._reissue

    def endless(*args):
        plan = reissue(*args)
        return replace(plan, expires_at=None, lifetime=None) if isinstance(plan, Plan) else plan

    swap(reissue, endless)


@plant
def description_dropped():
    """A reissued key is not described as the old one."""
    create = Rotator._mint

    async def bare(self, plan):
        return await create(self, replace(plan, source=replace(plan.source, description="new")))

    Rotator._mint = bare


@plant
def type_confused():
    """A service key is reissued as a user key."""
    mint = Rotator._mint

    async def confused(self, plan):
        source = replace(plan.source, type=type(plan.source.type).USER)
        return await mint(self, replace(plan, source=source, bindings=None))

    Rotator._mint = confused
    swap(strategy.privileges_differ, lambda *_: None)


@plant
def mints_without_end():
    """A rotation that keeps losing its keys goes on and on."""
    swap(flight.too_many_mints, never)


# --- delivering ---


@plant
def blind_write():
    """Who loses the race for the secret writes over whatever is there."""

    async def over(self, _, __, held):
        return await self._world.store.read(held.target)

    Deliverer._contested = over


@plant
def siblings_wiped():
    """A write replaces the whole secret, the fields of others included."""
    swap(documents.merged, lambda _, fields: dict(fields))


@plant
def delivery_forgotten():
    """After three failures the key counts as delivered."""
    deliver_to = Deliverer._deliver_to

    async def impatient(self, s, minted, held, safe):
        for _ in range(3):
            try:
                written = await self._world.store.write(held, minted.secret, {})
            except Exception:  # noqa: BLE001, S112 - the bug
                continue
            if not isinstance(written, Conflict):
                return written
            return await deliver_to(self, s, minted, held, safe)
        return replace(held, value=minted.secret)

    Deliverer._deliver_to = impatient


@plant
def delivery_polite():
    """The store is asked again as politely as before the mint, the key in hand or not."""

    async def wait(self, _, __, ___, attempt):
        await self._world.clock.sleep(60 * polite(attempt, jitter=1.0))

    Deliverer._wait_urgently = wait


@plant
def one_target_is_enough():
    """A key that one target has counts as delivered to all."""
    swap(flight.delivery_is_incomplete, never)


@plant
def half_a_delivery():
    """Only the first target gets the key, and the others are believed to have it."""
    deliver = Deliverer.deliver

    async def first(self, s, minted):
        written = await deliver(self, replace(s, held=s.held[:1]), minted)
        return (*written, *(replace(held, value=minted.secret) for held in s.held[1:]))

    Deliverer.deliver = first


@plant
def term_abandons():
    """SIGTERM ends the process, whatever it has in hand."""

    async def at_once(_):
        pass

    async def unguarded(_, work):
        return await work

    Reconciler.drain = at_once
    Rotator._guarded = unguarded


@plant
def new_key_revoked():
    """In the end the new key is revoked, and not the old one."""
    retire = Finisher.retire

    async def wrong(self, s, step):
        current = s.journal.current
        entry = step.entry.model_copy(update={"key_id": current.key_id}) if current else step.entry
        return await retire(self, s, replace(step, entry=entry))

    Finisher.retire = wrong


@plant
def neighbours_key_taken():
    """What another policy's key of the same name was replaced by passes for what was lost here."""
    swap(neighbours.claimed, lambda _: ())


# --- recording and retiring ---


@plant
def revoked_before_proved():
    """The old key goes before the new one is recorded."""
    promote = Finisher.promote

    async def hasty(self, s, step):
        if s.journal.rotation.key_id != step.key.id:
            await self._world.issuer.revoke(s.journal.rotation.key_id)
        return await promote(self, replace(s, delivery=None), step)

    Finisher.promote = hasty


@plant
def no_grace_after_a_reissue():
    """The old key is to be revoked as soon as the rotation is recorded."""
    swap(transitions._old_ends, lambda s, *_: s.now)


@plant
def lost_key_refreshed():
    """A lost key is refreshed once more, also where it could be reissued."""
    repair = strategy.choose_repair

    def refreshed(s, *args):
        rules = replace(s.policy, strategy=Choice.REFRESH)
        return repair(replace(s, policy=rules), *args)

    swap(repair, refreshed)


@plant
def grace_cut():
    """A key is refreshed while the one that it replaced has its grace."""
    swap(strategy._may_cut_a_grace, lambda *_: False)


@plant
def refuses_everything():
    """No rotation is ever possible, by what is said."""
    reason = Reason("grace_too_short", "it is never long enough")
    swap(strategy.choose, lambda *_, **__: Refuse(reason, remedy="none"))


@plant
def shared_key_ended():
    """Nobody asks whether another policy is about a key."""

    async def nobody(*_, **__):
        return ()

    Gatherer.sharers = nobody


@plant
def old_key_forgotten():
    """The old key of a reissue is never revoked."""
    completed = transitions.completed
    swap(completed, lambda *args: completed(*args).model_copy(update={"retiring": ()}))


@plant
def orphans_forgotten():
    """Keys that were lost on the way are never revoked, not even as strays."""
    swap(transitions.fresh_keys, lambda _: ())
    swap(drift._strays, lambda _: ())


@plant
def failed_revocation_dropped():
    """An old key that could not be revoked is not tried again."""
    swap(transitions.postponed, lambda s, entry, _: transitions.retired(s, entry))


@plant
def retired_in_use():
    """An old key is revoked when its time is over, whoever holds it again."""
    swap(views.in_use, lambda *_: False)


@plant
def retired_when_idle_for_ever():
    """An old key that somebody uses is never revoked."""
    retires_at = retirement.retires_at
    swap(retires_at, lambda s, entry: max(retires_at(s, entry), s.now + timedelta(days=1)))


@plant
def doubts_forgotten():
    """A mint that was given up is not remembered after its rotation."""
    swap(transitions._doubted, lambda *_: ())


@plant
def everything_is_a_stray():
    """Every key of the name that appears while a doubt lasts is taken for ours."""
    swap(drift._came_late, lambda *_: True)
    swap(origin.is_new, lambda rotation, key: key.name == rotation.key_name)


@plant
def refusal_forgets_the_rotation():
    """A replacement that is refused makes us forget what its rotation had lost before it."""
    refused = transitions.refused

    def forgotten(s, key, error):
        after = refused(replace(s, keys=()), key, error)
        return after.model_copy(update={"doubted": s.journal.doubted}) if key else after

    swap(refused, forgotten)


@plant
def notices_dropped():
    """Hooks hear of nothing."""
    swap(notices.noted, lambda *_: ())


# --- when ---


@plant
def demanded_twice():
    """A rotation by hand is done again by the look that follows it."""
    Demand.stands = lambda *_: True


@plant
def always_by_age():
    """The age counts from the creation of the key, also after a refresh that keeps its id."""
    swap(views.born_at, lambda _, key: key.created_at)


@plant
def never_too_soon():
    """``min_interval`` is not kept."""
    swap(views.not_before, lambda _, due, __=None: due)
    repaired = drift._repaired
    swap(repaired, lambda s, *args: repaired(replace(s, journal=_restless(s.journal)), *args))


@plant
def jitter_redrawn():
    """A policy that waits a little longer than it must waits another while at every look."""
    draw, looks = Jitter.of, itertools.count()
    Jitter.of = lambda *parts: draw(*parts, next(looks))


@plant
def windows_ignored():
    """A rotation begins as soon as it is due, whatever window the policy waits for."""
    swap(views.opened, lambda *_, **__: None)


@plant
def due_too_late():
    """A key is replaced when a day is left, whatever the policy says."""
    swap(strategy.expiry_margin, lambda *_: timedelta(days=1))


@plant
def suspension_ignored():
    """A suspended policy is rotated."""
    swap(decide.policy_is_suspended, never)


@plant
def stale_listings():
    """A listing is good for ever."""
    get = Listings.get

    async def old(self, scope, *, since=None):  # noqa: ARG001 - the bug
        return await get(self, scope)

    Listings.get = old


# --- drift ---


@plant
def alarms_stay_low():
    """However near the end of a grace is, nothing is told louder than at its beginning."""
    swap(facts.urgency, lambda *_: "warning")


@plant
def drift_unseen():
    """That the store holds another key than the provider has is not noticed."""
    swap(drift.store_has_drifted, never)


@plant
def drift_always_repaired():
    """Drift is repaired, also where the policy wants an alarm."""
    repaired = drift._repaired
    swap(repaired, lambda s, *args: repaired(replace(s, demanded=True), *args))


@plant
def revocation_unseen():
    """A key that somebody revoked is merely not found."""
    swap(drift.key_was_revoked_elsewhere, never)


# --- the spool ---


@plant
def spool_left_behind():
    """A sealed key stays on the disk when its rotation is over."""
    swap(flight.spooled_key_is_spent, never)

    async def gone(*_):
        return True

    Rotator._spent = gone


@plant
def spooled_key_unproved():
    """A sealed key is delivered without asking anybody, and taken from whichever rotation."""
    swap(rotation.spooled_key_differs, lambda *_: False)

    async def accepted(*_):
        return True

    rotation.accepted_in_time = accepted
    spooled = origin.spooled_key

    def any_rotation(s):
        current = s.journal.rotation
        if current is None:
            return None
        entries = tuple(replace(entry, rotation=current.id) for entry in s.spooled)
        return spooled(replace(s, spooled=entries))

    swap(spooled, any_rotation)


_NOTHING = timedelta(0)


def _restless(journal):
    return journal.model_copy(update={"history": ()})


# --- the hunt ---


def hunt(name, seeds):
    """Plant it. The first of ``seeds`` that breaks, what was seen, and the seconds it took."""
    began = time.process_time()
    PLANTED[name]()
    for seed in seeds:
        if violation := sim_history.play(seed).violation:
            return seed, violation, time.process_time() - began
    return None, "", time.process_time() - began


def is_broken(seed):
    """Whether nothing needs to be planted for it: that history finds nothing, whatever it says."""
    return bool(sim_history.play(seed).violation)


class Hunt:
    """All hunts, each in a process of its own, and beside them one that stays sound."""

    def __init__(self, hunters, sound, histories):
        self._hunters, self._sound, self._histories = hunters, sound, histories
        self._running, self._seconds = {}, Counter()
        #: Seeds that break the program as it is.
        self.unsound = set()

    def results(self, names):
        """Yields each name, after how many histories it was found (None: never), and how."""
        for name in names:
            self._begin(name, 0)
        while self._running:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for one in done:
                name, (seed, violation, seconds) = self._running.pop(one), one.result()
                self._seconds[name] += seconds
                if seed is not None and self._sound.submit(is_broken, seed).result():
                    self.unsound.add(seed)
                    self._begin(name, seed + 1)
                else:
                    count = None if seed is None else seed + 1
                    yield name, count, violation, self._seconds[name]

    def _begin(self, name, first):
        one = self._hunters.submit(hunt, name, range(first, self._histories))
        self._running[one] = name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="these alone")
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    names, missed = given.names or list(PLANTED), []
    with (
        ProcessPoolExecutor(given.processes, max_tasks_per_child=1) as hunters,
        ProcessPoolExecutor(1) as sound,
    ):
        hunts = Hunt(hunters, sound, given.histories)
        for name, count, violation, seconds in hunts.results(names):
            found = f"{count:>6,}" if count else " never"
            say(f"{found} histories {seconds:7.1f} s  {name:<28} {violation[:70]}")
            missed += [] if count else [name]
    if hunts.unsound:
        say("", f"not counted, since nothing need be planted: seeds {sorted(hunts.unsound)}")
    say(
        "",
        f"{len(names) - len(missed)} of {len(names)} planted bugs found within"
        f" {given.histories:,} histories",
    )
    return int(bool(missed or hunts.unsound))


if __name__ == "__main__":
    sys.exit(main())

"""What must be true, at every moment and at the end."""

import asyncio
import math
from datetime import timedelta

from sim_services import EPOCH, now, shown

from rotator.events import CATALOGUE, Event
from rotator.keys import KeyType
from rotator.model import Choice, Limits, OnDrift, RetireWhen
from rotator.secrets import Secret

LIMITS = Limits()
SKEW = timedelta(seconds=1)
#: No later than this after the last moment that a window may be waited for, somebody comes by.
LATEST = timedelta(minutes=10)
LONGEST_LOOK = timedelta(minutes=15)
#: Between a look and what it leads to; who is stopped for longer looks again.
LONGEST_STOP = LIMITS.lease + timedelta(seconds=5)
#: Seconds between two tries to deliver a key that nobody else has: the delay, and some requests.
LONGEST_WAIT = 10 + 2
#: Keys that a rotation may lose within an hour: five, and then one in each half of what is left.
MOST_MINTS = 12
#: Requests that change nothing of what the store holds or the provider accepts.
_HARMLESS = frozenset({"list", "try", "read", "preflight", "save", "spool", "hook"})
_DRIFT = {
    "store_holds_another_key",
    "key_was_refreshed_elsewhere",
    "store_holds_unknown_key",
    "key_was_revoked_elsewhere",
    "store_holds_nothing",
}
#: What is told of a rotation of which no key has arrived, with a level that rises.
_RISING = {Event.ROTATION_RESUMED, Event.MINT_AMBIGUOUS, Event.DELIVERY_FAILED}
_HEARD = {*_RISING, Event.POLICY_FAILED, Event.POLICY_SKIPPED_LOCKED}
#: What only a person can mend. Today's service refuses a refresh beyond the old expiry.
_BEYOND_US = {"key_is_ambiguous", "key_not_found", "bindings_unknown", "rejected"}
_HALF, _TENTH, _ROUNDED = 0.5, 0.1, 1e-5
_PRIVILEGES = ("type", "description", "bindings", "creator")


class Violation(AssertionError):
    """An invariant does not hold."""


class Judge:
    """Looks at a :class:`~sim_world.Universe`."""

    def __init__(self, world):
        self._world = world
        self.breaches = 0
        self.violations = []
        #: By redacted key: when it was minted, and the expiry it was given then.
        self.births = {}
        #: Ids of the news that hooks have heard.
        self.heard = set()
        self._born = []
        self._by_raw = {}
        self._unsettled = True
        #: No key that a target holds expires before, in seconds of the loop's.
        self._ends_at = 0.0

    def look(self):
        """S1, before a request: only time can have changed something."""
        if asyncio.get_running_loop().elapsed >= self._ends_at:
            self.check()

    def check(self, kind=None):
        """S1, after a request of this kind; where nothing can have changed, there is no look."""
        at = asyncio.get_running_loop().elapsed
        if kind in _HARMLESS and at < self._ends_at:
            return
        self._notice_births()
        self._ends_at = math.inf
        for subject in self._world.subjects:
            if subject.born is not None:
                self._check(subject, at)

    def _check(self, subject, at):
        values = [self._world.shelf.value(target) for target in subject.policy.targets]
        self._assert_filled(subject, values)
        keys = [self._by_raw.get(value) for value in values if value is not None]
        ends = [key.expires_at for key in keys if key is not None and key.expires_at is not None]
        if ends:
            # The first one that ends from now on.
            left = [(end - now()).total_seconds() for end in ends if end > now()]
            self._ends_at = min(self._ends_at, at + min(left, default=math.inf))
        if all(key is not None and key.usable(now()) for key in keys):
            subject.broken_since = None
        elif subject.broken_since is None:
            subject.broken_since = at
            self.breaches += 1
            if not self._is_excused(subject):
                self.violated(f"S1: what the store holds for {subject.policy.name} is dead")
            self._assert_alarmed(subject)

    def _assert_filled(self, subject, values):
        """S1: where there was a key there is one, unless people took it away."""
        for target, value in zip(subject.policy.targets, values, strict=True):
            if value is not None:
                subject.filled.add(str(target))
            elif str(target) in subject.filled and not subject.acts:
                self.violated(f"S1: {target} held a key, and holds none")

    def _assert_alarmed(self, subject):
        """S1: a breach that nobody could prevent was foreseen, by all who were at it late enough.

        Not what people did, nor where a second refresh ends what it replaces in the same moment.
        """
        name = subject.policy.name
        rotation = self._world.shelf.journal(name).rotation
        other = subject.acts or self._is_cut(subject) or self._ran_out(subject)
        if other or rotation is None or rotation.grace_deadline is None:
            return
        late = rotation.grace_deadline - subject.policy.grace / 2 + 2 * SKEW
        told = (one for actor in self._world.actors for one in actor.events)
        levels = [
            level or CATALOGUE[event].level
            for at, event, level, fields in told
            if at >= late and event in _HEARD and fields.get("policy") == name
        ]
        looks = self._world.shelf.looks.get(name, ())
        ended = now() - LONGEST_LOOK
        # Who is dead, or was stopped, may have had no time to say so. A person is told at once.
        busy = (at for at, one in looks if not (one.stopped_until or one.name.startswith("hand")))
        looked = levels or any(late <= at < ended for at in busy)
        if looked and not {"error", "critical"} & set(levels):
            self.violated(f"S1: {name} lost its key, and nobody was alarmed before")

    def _is_excused(self, subject):
        """Whether a breach is nobody's fault but the world's, or the doing of people."""
        world = self._world.excused(subject) or subject.acts
        return world or self._is_cut(subject) or self._ran_out(subject)

    def _ran_out(self, subject):
        """Whether a key that was put back has ended, and nobody could replace it in time.

        Nobody came by in its second half, was allowed to, or had no trouble there.
        """
        journal = self._world.shelf.journal(subject.policy.name)
        back = journal.current.put_back if journal.current else None
        if back is None or now() < back.ends_at - SKEW:
            return False
        halfway = _half(back.at, back.ends_at)
        looks = self._world.shelf.looks.get(subject.policy.name, ())
        looked = any(halfway + SKEW <= at < back.ends_at for at, _ in looks)
        troubled_at = EPOCH + timedelta(seconds=self._world.network.troubled_at)
        hindered = subject.suspended_at is not None or subject.changed_at > halfway
        return not looked or troubled_at > halfway or hindered

    def _is_out_of_luck(self, subject):
        """Whether a rotation lost so many keys that it paused, for half of the old one's rest.

        Consumers have the new key in the end, and no whole grace to come for it.
        """
        journal = self._world.shelf.journal(subject.policy.name)
        rotations = filter(None, (journal.rotation, *journal.doubted))
        return any(len(rotation.mints) >= LIMITS.mints for rotation in rotations)

    def _is_cut(self, subject):
        """Whether the provider ends a grace with a second refresh, and nothing else was left.

        That is so where the policy wants no other, where nobody knows what a reissue is to be
        given, or where a mint that was given up comes true.
        """
        journal = self._world.shelf.journal(subject.policy.name)
        rotations = filter(None, (journal.rotation, *journal.doubted))
        tries = [mint.strategy for rotation in rotations for mint in rotation.mints]
        return self._world.arize.options.second_refresh_cuts_window and tries.count("refresh") > 1

    def refused_to(self, subject):
        """A consumer's key ended within its grace period, which he was promised.

        Unless all that the store has to offer is dead: that is a breach, and has been judged.
        """
        if subject.broken_since is not None:
            return
        policy, cuts = subject.policy, self._world.arize.options.second_refresh_cuts_window
        # A service key may have privileges that nobody knows, so that a reissue cannot be.
        blind = subject.born.type is KeyType.SERVICE and policy.bindings is None
        cut = cuts and (policy.strategy is Choice.REFRESH or blind)
        excused = subject.rollbacks or self._is_excused(subject) or self._is_out_of_luck(subject)
        if not (cut or excused):
            self.violations.append(f"a consumer of {subject.policy.name} lost access in the grace")

    def revoking(self, key_id, seen):
        """Nobody revokes a key that he has seen in the store, and that works, whoever put it there.

        A former secret whose grace is over works no more, though it has the id of one that does.

        Args:
            key_id: The key.
            seen: By path, the version of each secret that the process knew when it set out.
        """
        keys = (key for key in self._world.arize.keys if key.id == key_id)
        ours = {key.raw for key in keys if key.usable(now())}
        for subject in self._world.subjects:
            for target in subject.policy.targets:
                version, document = self._world.shelf.read(target.path)
                if document.get(target.field) in ours and seen.get(target.path) == version:
                    self.violated(f"S1: a key is revoked that {target} was seen to hold")

    def delivering(self, actor, target, raw):
        """What nobody has yet is tried again at once; what somebody else minted is proved first."""
        shelf = self._world.shelf
        # Whoever writes what is there, or was, gives nobody anything: people put it there.
        documents = (shelf.read(target.path)[1], *shelf.earlier.get(target.path, ()))
        before = {one.get(target.field) for one in documents}
        if raw in before or any(raw == one for _, one in shelf.written):
            return
        if raw not in actor.minted and raw not in actor.proved:
            self.violated(f"S1: {target} is given a key that {actor.name} has not proved")
        failed_at = actor.failed.pop((target.path, raw), None)
        if failed_at is None or actor.stopped_until > failed_at:
            return
        waited = asyncio.get_running_loop().elapsed - failed_at
        if waited > LONGEST_WAIT:
            self.violated(f"S1: {actor.name} had a key in hand and did nothing for {waited:.0f} s")

    def violated(self, words):
        """Remembered, because the program takes what is raised here for a fault of its own."""
        self.violations.append(words)
        raise Violation(words)

    def recorded(self, name, journal):
        """S3, at every record: a trigger there was, and no other rotation for it."""
        subject = next(s for s in self._world.subjects if s.policy.name == name)
        done = [record for record in journal.history if record.outcome != "failed"]
        back = next((at for at, one in enumerate(done) if one.outcome == "rolled_back"), None)
        keys = [(one.old_key_id, one.old_redacted) for one in done[:back]]
        if len(set(keys)) < len(keys) and not subject.acts:
            self.violated(f"S3: a key of {name} was rotated twice")
        demanded = sum(record.reason == "rotation_was_demanded" for record in done)
        if demanded > subject.demands:
            self.violated(f"S3: {name} was rotated by hand more often than asked")
        if journal.history[0].outcome == "rolled_back":
            if sum(one.outcome == "rolled_back" for one in done) > subject.rollbacks:
                self.violated(f"S3: the former key of {name} was put back, and nobody asked")
            return
        self._assert_wanted(subject, journal)

    def _assert_wanted(self, subject, journal):
        """The latest rotation was, by the policy and the provider."""
        name, record = subject.policy.name, journal.history[0]
        drifted = record.reason in _DRIFT and subject.policy.on_drift is OnDrift.ALARM
        if drifted and not (journal.doubted or subject.demands or record.outcome == "failed"):
            self.violated(f"{name} was rotated for {record.reason}, and wants an alarm")
        before = next((one for one in journal.history[1:] if one.outcome != "failed"), None)
        if before and before.outcome == "rolled_back":
            self._assert_half_was_over(name, record, before)
            return
        self._assert_unhurried(subject, record, journal)
        if record.reason == "key_was_replaced_elsewhere" and not subject.acts:
            self.violated(f"{name} is said to have been refreshed by somebody, and was not")
        if record.reason in _DRIFT or subject.acts:
            return
        if record.reason != "rotation_was_demanded" and not self._was_due(subject, journal):
            self.violated(f"S3: {name} was rotated for {record.reason}, and was not due")
        if record.reason != "rotation_was_demanded":
            self._assert_in_its_time(subject, record, journal)

    def _assert_half_was_over(self, name, record, rollback):
        """A key that was put back lasts for half of what it had left, and is replaced in time."""
        due_at = _half(rollback.finished_at, rollback.expires_at)
        early = record.reason == "key_near_expiry" and record.started_at < due_at - 2 * SKEW
        if early:
            self.violated(f"S3: {name} was rotated again as soon as its key was put back")

    def minting(self, s, step):
        """A lost key is reissued where it can be: a second refresh may end the old one at once."""
        rotation, plan = s.journal.rotation, step.plan
        again = step.reason.code == "raw_key_was_lost" and plan.strategy == "refresh"
        if not again or s.policy.strategy is Choice.REFRESH:
            return
        old = next((key for key in s.keys if key.id == rotation.key_id), plan.source)
        user = old.type is KeyType.USER
        if user or (old.type is KeyType.SERVICE and (old.bindings or s.policy.bindings)):
            self.violated(f"{s.policy.name} refreshes a key that it could reissue")

    def begun(self, rotation, before):
        """A mint more: nobody else may be at it, and who is out of luck pauses more and more."""
        known = len(before.rotation.mints) if before.rotation else 0
        lease, mint = before.lease, rotation.mints[-1] if rotation.mints else None
        held = lease is not None and lease.binds(now() + 2 * SKEW)
        if held and len(rotation.mints) > known and mint.owner != lease.owner:
            self.violated(f"S3: {mint.owner} mints under the lease of {lease.owner}")
        if len(rotation.mints) > MOST_MINTS:
            first, last = rotation.mints[-MOST_MINTS - 1].at, rotation.mints[-1].at
            if last - first < timedelta(hours=1) - 4 * SKEW:
                self.violated(f"rotation {rotation.id} minted more than {MOST_MINTS} keys an hour")

    def _assert_unhurried(self, subject, record, journal):
        """No runaway: by itself a policy is rotated once in ``min_interval``, whatever happens.

        What a late request of our own may have done is repaired as often as one rotation may mint.
        """
        asked = record.reason == "rotation_was_demanded" or (subject.acts and subject.demands)
        if asked or "refresh" in subject.acts:
            return
        repaired = bool(journal.doubted) and record.reason in _DRIFT
        most = LIMITS.mints if repaired else 1
        counted = (one for one in journal.history[1:] if one.reason in _DRIFT or not repaired)
        before = [one.finished_at for one in counted if one.key_id][most - 1 :]
        pause = subject.policy.min_interval
        expires_at = self._end_of(record.old_redacted)
        if before and expires_at is not None and expires_at > before[0]:
            pause = min(pause, (expires_at - before[0]) / 2)
        if before and record.started_at < before[0] + pause - 4 * SKEW:
            often = f"more than {most} times" if most > 1 else "twice"
            self.violated(f"{subject.policy.name} was rotated {often} within {pause}")

    def _assert_in_its_time(self, subject, record, journal):
        """S2: a rotation waits for its window, and not too long."""
        policy, started = subject.policy, record.started_at
        if subject.suspended_at is not None and started > subject.suspended_at + LONGEST_LOOK:
            self.violated(f"{policy.name} was rotated while it was suspended")
        _, expires_at = self.births[record.old_redacted]
        if expires_at is None:
            return
        deadline = expires_at - policy.grace
        due_at = max(deadline, expires_at - _margin(policy))
        done = [one.finished_at for one in journal.history[1:] if one.outcome != "failed"]
        if done and expires_at > done[0]:
            # No runaway either: of a short life half is waited for.
            due_at = max(due_at, min(done[0] + policy.min_interval, _half(done[0], expires_at)))
        late = started > max(due_at, subject.resumed_at) + LATEST
        if late and not self._world.excused(subject):
            self.violated(f"S2: {policy.name} was rotated only at {started}")
        # Between the decision and the intent the process may have been stopped.
        decided = started - SKEW - LONGEST_STOP
        openings = [each.opening(decided) for each in policy.windows]
        is_open = any(opens <= started + SKEW for opens, _ in openings)
        if not is_open and any(closes + SKEW <= deadline for _, closes in openings):
            self.violated(f"S2: {policy.name} was rotated outside of its windows")

    def was_heard(self, news):
        """A hook was told: of a rotation that is recorded, or of nothing that ever was."""
        journal = self._world.shelf.journals[news.policy][1]
        done = [one.rotation for one in journal.history if one.outcome != "failed"]
        if news.facts["rotation_id"] not in done:
            raise Violation(f"a hook of {news.policy} was told of {news.id}, which is not done")
        self.heard.add(news.id)

    def _was_due(self, subject, journal):
        """By what the provider knows, not by what the journal says."""
        policy, record = subject.policy, journal.history[0]
        latest = record.started_at + 2 * SKEW
        if record.reason == "key_near_expiry":
            expires_at = self._end_of(record.old_redacted)
            return expires_at is not None and expires_at - _margin(policy) <= latest
        minted_at, _ = self.births[record.old_redacted]
        if all(one.redacted != record.old_redacted for one in journal.history[1:]):
            # A late request may have made it, which nobody ever got: under an id that stays, the
            # provider shows the age of the one before, and what was due is due.
            minted_at = min(minted_at, self._shown(record.old_redacted).created_at)
        return minted_at + policy.max_age <= latest

    def _shown(self, redacted):
        return next(key for key in self._by_raw.values() if key.redacted == redacted)

    def _end_of(self, redacted):
        """The end that a key was given; a sooner one, where a late request of ours replaced it."""
        _, given = self.births.get(redacted, (None, None))
        shown = (key.expires_at for key in self._by_raw.values() if key.redacted == redacted)
        return min((end for end in (given, *shown) if end is not None), default=None)

    def settled(self):
        """What there is from here on is minted, not given."""
        self.check()
        self._unsettled = False

    def _notice_births(self):
        for key in self._world.arize.keys[len(self._born) :]:
            self._born.append(key.raw)
            self._by_raw[key.raw] = key
            minted_at = key.created_at if self._unsettled else now()
            self.births[key.redacted] = (minted_at, key.expires_at)

    def assert_converged(self):
        """Liveness: so long after the last trouble nothing is under way, but what is to wait."""
        for subject in self._world.subjects:
            policy, journal = subject.policy, self._world.shelf.journal(subject.policy.name)
            waits = policy.windows or policy.jitter or policy.retire is RetireWhen.WHEN_IDLE
            spared = subject.acts or _is_beyond_us(subject)
            if subject.born is None or waits or spared:
                continue
            held = [self._world.shelf.value(target) for target in policy.targets]
            last = _may_be_last(subject, journal, held)
            if journal.rotation is not None or (journal.retiring and not last):
                self.violated(f"liveness: {policy.name} is still busy: {shown(journal)}")

    # --- at the end ---

    def assert_at_rest(self):
        """Everything has converged, no key is left behind, and nothing was ever shown."""
        if self.violations:
            raise Violation(self.violations[0])
        self._assert_no_fault_of_ours()
        self._assert_told_what_is_true()
        for subject in self._world.subjects:
            empty = not any(map(self._world.shelf.value, subject.policy.targets))
            # Which of two keys of a name is meant only a person knows, while no target has either.
            unclear = subject.refused == "key_is_ambiguous" and empty
            # What died of trouble that outlasted its grace only a person can name again.
            lost = subject.refused == "key_not_found" and self._world.harsh
            if subject.born is not None and not (subject.given_up or unclear or lost):
                self._assert_rested(subject)
        for key in self._strangers():
            if key.revoked and not self._is_contested(key) and key.id not in self._world.revoked:
                raise Violation(f"S4: {key.id}, which was never ours, is revoked")
        self._assert_jitter_drawn_once()
        self._assert_nothing_shown()
        if self._world.disks_left:
            raise Violation(f"a sealed key stays on a disk: {self._world.disks_left}")
        for process in self._world.processes:
            self._assert_delivered(process)

    def _strangers(self):
        """Keys that people made for themselves. What a rotation has begun from is ours by then."""
        journals = [journal for _, journal in self._world.shelf.journals.values()]
        begun = {one.old_key_id for journal in journals for one in journal.history}
        unclaimed = (key for key in self._world.unclaimed if key.id not in begun)
        return [*self._world.bystanders, *unclaimed]

    def _is_contested(self, key):
        """Whether nobody can tell if it came of our refresh or of theirs, of the same key."""
        journals = [journal for _, journal in self._world.shelf.journals.values()]
        mints = [one for journal in journals for lost in journal.doubted for one in lost.mints]
        source = self._world.successors.get(key.id)
        refreshes = (one.at for one in mints if one.grace is not None and one.source_id == source)
        return any(abs(key.created_at - at) < LIMITS.lease for at in refreshes)

    def _assert_no_fault_of_ours(self):
        """What goes wrong is always something that the program knows of, and so does the judge."""
        for _, _, _, fields in (told for actor in self._world.actors for told in actor.events):
            planted = str(fields.get("exception")) == "a fault in the adapter"
            if fields.get("error_code") == "internal" and not planted:
                raise Violation(f"internal: {fields['exception']}")

    def _assert_told_what_is_true(self):
        """Whatever is said to be delivered was written there; what runs out is said louder."""
        graces = {one.policy.name: one.policy.grace for one in self._world.subjects}
        written = {(place, Secret(raw).redacted) for place, raw in self._world.shelf.written}
        for _, event, level, fields in (a for one in self._world.actors for a in one.events):
            left = fields.get("grace_seconds_left")
            if event in _RISING and left is not None:
                part = left / graces[fields["policy"]].total_seconds()
                least = ("warning", "error", "critical")[(part < _HALF) + (part < _TENTH)]
                # It is told rounded.
                sure = min(abs(part - _HALF), abs(part - _TENTH)) > _ROUNDED
                if level != least and sure:
                    raise Violation(f"{event} with {left} s left is told as a {level}")
            if event in {Event.KEY_DELIVERED, Event.KEY_RESTORED} and "redacted_key" in fields:
                what = fields["target"], fields["redacted_key"]
                if what not in written:
                    raise Violation(f"{event} of {what}, which is not true")

    def _assert_jitter_drawn_once(self):
        """Whoever says when a key is due for its expiry says the same moment, whenever he looks."""
        # What is put back is due when half of its grace is over, and no more when it was to be.
        subjects = (one for one in self._world.subjects if not one.rollbacks)
        spread = [one.policy for one in subjects if one.policy.jitter]
        actors = self._world.actors
        for policy in (one for one in spread if not one.windows):
            journal = self._world.shelf.journal(policy.name)
            if any(one.outcome == "failed" and one.key_id for one in journal.history):
                # After one that failed, `min_interval` is waited for besides.
                continue
            said = {}
            # Before its record a new key is taken for one that is old.
            since = {one.redacted: one.finished_at + 2 * SKEW for one in journal.history}
            for at, event, _, fields in (told for actor in actors for told in actor.events):
                planned = event == Event.POLICY_PLANNED and fields["policy"] == policy.name
                if not planned or fields["reason"] != "key_near_expiry":
                    continue
                if at > since.get(str(fields["redacted_key"]), EPOCH):
                    said.setdefault(fields["redacted_key"], set()).add(fields["next_at"])
            if any(len(moments) > 1 for moments in said.values()):
                raise Violation(f"jitter of {policy.name} was drawn again: {said}")

    def _assert_delivered(self, process):
        """Who ends by himself, SIGTERM or not, leaves no key behind that nobody else has."""
        actor = process.actor
        if actor.dead or not process.task.done() or process.task.cancelled():
            return
        excuses = {Event.KEY_REFUSED, Event.ROTATION_SUPERSEDED, Event.SPOOLED_KEY_DESTROYED}
        if any(event in excuses for _, event, _, _ in actor.events):
            return
        written = {raw for _, raw in self._world.shelf.written}
        for raw in actor.minted:
            if raw not in written:
                raise Violation(f"{actor.name} ended with {raw[:6]} in hand")

    def is_well(self, subject):
        """Whether everything has converged that concerns ``subject``."""
        try:
            self._assert_rested(subject)
        except Violation:
            return False
        return True

    def _assert_rested(self, subject):
        name = subject.policy.name
        journal = self._world.shelf.journal(name)
        held = [self._world.shelf.value(target) for target in subject.policy.targets]
        values = {*held} - {None}
        last = _may_be_last(subject, journal, held)
        if journal.rotation is not None or (journal.retiring and not last):
            raise Violation(f"liveness: {name} has not come to rest: {shown(journal)}")
        self._assert_told(subject.policy, journal)
        theirs = {key.id for key in self._strangers()} | self._of_others(subject)
        alive = [
            key
            for key in self._world.arize.keys
            if key.name == subject.born.name and key.usable(now()) and key.id not in theirs
        ]
        raws = [key.raw for key in alive]
        if not values <= set(raws) if last else raws != list(values):
            raise Violation(f"S4: keys of {name} are left: {[key.redacted for key in alive]}")
        if not subject.acts and not _is_beyond_us(subject):
            self._assert_fresh(subject, alive)
        self._assert_kept(subject, alive)
        for key in alive:
            same = (key.type, key.description, key.bindings, key.creator)
            if same != tuple(getattr(subject.born, part) for part in _PRIVILEGES):
                raise Violation(f"S6: {key.redacted} of {name} has other privileges")

    def _of_others(self, subject):
        """The ids of the keys that other policies are about, will end, or had refreshed."""
        found, keys = set(), self._world.arize.keys
        for other in self._world.subjects:
            if other is not subject and other.born is not None:
                journal = self._world.shelf.journal(other.policy.name)
                found.add(journal.current.key_id if journal.current else other.born.id)
                found |= {entry.key_id for entry in journal.retiring}
                found |= {key.id for key in keys if key.lineage == other.born.lineage}
        return found

    def _assert_kept(self, subject, alive):
        """S6: what had an end has one, and what others wrote beside the key is there."""
        journal = self._world.shelf.journal(subject.policy.name)
        given = subject.policy.lifetime is not None and journal.current is not None
        bounded = subject.born_bounded or given
        if bounded and any(key.expires_at is None for key in alive):
            raise Violation(f"S6: a key of {subject.policy.name} has no end any more")
        for target in subject.policy.targets if subject.delivered else ():
            if self._world.shelf.read(target.path)[1].get("sibling") is None:
                raise Violation(f"a field beside {target} is lost")

    def _assert_fresh(self, subject, alive):
        """S2: whoever was due was rotated, unless a person was told why not."""
        policy = subject.policy
        for key in alive:
            minted_at, _ = self.births[key.redacted]
            ends = key.expires_at
            dying = ends is not None and ends - _margin(policy) < now() - LATEST
            aged = policy.max_age is not None and minted_at + policy.max_age < now() - LATEST
            if (dying or aged) and not (policy.windows or policy.jitter):
                raise Violation(f"S2: {policy.name} is due, and nobody rotates it")

    def _assert_told(self, policy, journal):
        if journal.notices:
            raise Violation(f"liveness: hooks of {policy.name} wait: {shown(journal)}")
        done = [one.rotation for one in journal.history if one.outcome != "failed"]
        missed = {f"{one}:{hook}" for one in done for hook in policy.hooks} - self.heard
        if missed:
            raise Violation(f"hooks of {policy.name} never heard of {sorted(missed)}")
        if any(
            event == Event.NOTIFY_GIVEN_UP
            for a in self._world.actors
            for _, event, _, _ in a.events
        ):
            raise Violation("a hook was given up within a day")

    def _assert_nothing_shown(self):
        said = [shown(journal) for _, journal in self._world.shelf.journals.values()]
        said += [shown(actor.events) for actor in self._world.actors]
        text = "\n".join(said)
        for raw in self._born:
            if raw[8:-5] in text:
                raise Violation(f"S5: {raw[:6]} was shown")


def _may_be_last(subject, journal, held):
    """Whether any key may be the last one that anybody has.

    So where nothing is in the store; and also one that a rotation has refused, or lost, where
    people have left a target empty, or have added one, and no rotation has filled it.
    """
    return not any(held) or (None in held and bool(subject.acts or journal.current is None))


def _is_beyond_us(subject):
    """Whether the last look asked for a person, for a reason that only he can mend."""
    insists = subject.policy.strategy is Choice.REFRESH
    return subject.refused in _BEYOND_US or (subject.refused == "grace_too_short" and insists)


def _margin(policy):
    """How long before its expiry a key is due."""
    return policy.before_expiry or 2 * max(policy.grace, LIMITS.retry_budget)


def _half(since, until):
    return since + (until - since) / 2

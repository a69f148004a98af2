"""When an old key goes, and who still uses it."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    TICK,
    endless,
    key,
    lineage,
    policy,
    record,
    retiring,
    snapshot,
)

from rotator.decide import decide
from rotator.journal import Journal
from rotator.model import Reason, Retire, RetireWhen, Wait
from rotator.retirement import Lingering, had_by_nobody, lingering, retires_at

IDLE = policy(retire=RetireWhen.WHEN_IDLE)


def at_the_end(used_at, *, ends=NOW, rules=IDLE, replaced=True, **changes):
    """A snapshot with an old key, used at ``used_at``, whose grace of an hour ends at ``ends``."""
    entry = retiring(at=ends)
    history = (record(old_valid_until=ends),) if replaced else ()
    old = key("ret", last_used_at=used_at, **changes)
    return snapshot(
        key(), old, policy=rules, journal=lineage(retiring=(entry,), history=history)
    ), entry


# --- when it is revoked ---


@pytest.mark.parametrize(
    ("used_at", "until"),
    [
        (None, NOW),
        (NOW - 2 * HOUR, NOW),
        (NOW - HOUR, NOW),
        (NOW - HOUR + TICK, NOW + TICK),
        (NOW, NOW + HOUR),
    ],
)
def test_with_when_idle_a_key_goes_when_nobody_has_used_it_for_its_grace(used_at, until):
    s, entry = at_the_end(used_at)

    assert until == retires_at(s, entry)


def test_a_week_after_its_grace_it_goes_whoever_uses_it():
    s, entry = at_the_end(NOW, ends=NOW - 7 * DAY + HOUR - TICK)
    assert NOW + HOUR - TICK == retires_at(s, entry)

    s, entry = at_the_end(NOW, ends=NOW - 7 * DAY)
    assert NOW == retires_at(s, entry)
    assert Retire == type(decide(s))  # noqa: E721


def test_by_default_it_goes_at_the_end_of_its_grace_whoever_uses_it():
    s, entry = at_the_end(NOW, rules=policy())

    assert NOW == retires_at(s, entry)
    text = "the grace period of ak-ret...ret is over"
    assert Retire(Reason("retirement_is_due", text), entry) == decide(s)


@pytest.mark.parametrize(
    "changes",
    [{"replaced": False}, {"expires_at": NOW}],
    ids=["an orphan that no consumer had", "a key that is dead already"],
)
def test_what_nobody_can_miss_is_not_waited_for(changes):
    s, entry = at_the_end(NOW, **changes)

    assert NOW == retires_at(s, entry)


def test_a_key_that_is_not_listed_is_not_waited_for():
    entry = retiring()
    history = (record(old_valid_until=NOW),)
    s = snapshot(key(), policy=IDLE, journal=lineage(retiring=(entry,), history=history))

    assert NOW == retires_at(s, entry)


def test_a_revocation_that_was_put_off_is_not_brought_forward():
    s, entry = at_the_end(NOW - 2 * HOUR)
    later = entry.model_copy(update={"at": NOW + MINUTE})

    assert NOW + MINUTE == retires_at(s, later)


def test_the_wait_for_a_key_in_use_is_told_with_its_end():
    s, _ = at_the_end(NOW - MINUTE)

    text = "ak-ret...ret is to be revoked then"
    assert Wait(Reason("retirement_is_due", text), NOW + HOUR - MINUTE) == decide(s)


# --- who still uses it ---


def watched(used_at, *, ends, **changes):
    rules = changes.pop("rules", policy())
    s, _ = at_the_end(used_at, ends=ends, rules=rules, **changes)
    return lingering(s)


def test_late_in_its_grace_a_key_that_is_still_used_is_named():
    ends, used_at = NOW + 15 * MINUTE, NOW - 15 * MINUTE
    s, entry = at_the_end(used_at, ends=ends, rules=policy())
    old = next(one for one in s.keys if one.id == entry.key_id)

    assert (Lingering(entry, old, used_at, ends),) == lingering(s)


@pytest.mark.parametrize(
    ("used_at", "ends", "seen"),
    [
        (NOW, NOW + 15 * MINUTE + TICK, 0),
        (NOW, NOW + 15 * MINUTE, 1),
        (NOW - 15 * MINUTE, NOW + 15 * MINUTE, 1),
        (NOW - 15 * MINUTE - TICK, NOW + 15 * MINUTE, 0),
        (None, NOW + 15 * MINUTE, 0),
        (NOW, NOW - DAY, 1),
    ],
)
def test_it_is_looked_for_in_the_last_quarter_and_was_used_in_the_second_half(used_at, ends, seen):
    assert seen == len(watched(used_at, ends=ends))


@pytest.mark.parametrize("changes", [{"replaced": False}, {"expires_at": NOW}])
def test_an_orphan_or_a_dead_key_is_missed_by_nobody(changes):
    assert () == watched(NOW, ends=NOW + MINUTE, **changes)


def test_the_end_that_is_named_is_the_first_that_comes():
    expires_at = NOW + 10 * SECOND
    assert [NOW + HOUR] == [
        one.until for one in watched(NOW, ends=NOW + MINUTE, rules=IDLE, expires_at=None)
    ]
    assert [expires_at] == [
        one.until for one in watched(NOW, ends=NOW + MINUTE, expires_at=expires_at)
    ]


def test_a_key_that_no_rotation_has_replaced_was_had_by_nobody():
    replaced, orphan = retiring(), retiring("two")
    s = snapshot(key(), journal=lineage(history=(record(old_key_id="id-x"), record())))

    assert [False, True] == [had_by_nobody(s, entry) for entry in (replaced, orphan)]


def test_one_that_nobody_uses_does_not_hide_another_that_is_used():
    s, entry = at_the_end(NOW, ends=NOW + MINUTE, rules=policy())
    journal = s.journal.model_copy(update={"retiring": (retiring("two"), entry)})

    assert [entry] == [one.entry for one in lingering(replace(s, journal=journal))]


def test_a_key_that_is_not_listed_lingers_nowhere():
    entry = retiring()
    history = (record(old_valid_until=NOW),)

    assert () == lingering(snapshot(key(), journal=lineage(retiring=(entry,), history=history)))


def test_somebody_looks_when_the_last_quarter_begins():
    s, _ = at_the_end(NOW, ends=NOW + HOUR, rules=policy())

    text = "whether ak-ret...ret is still used is to be seen then"
    assert Wait(Reason("old_key_is_watched", text), NOW + 45 * MINUTE) == decide(s)


def test_a_key_that_a_target_holds_again_is_neither_watched_nor_revoked():
    entry = retiring()
    history = (record(old_valid_until=NOW),)
    journal = Journal(retiring=(entry,), history=history)

    step = decide(snapshot(endless(), holding=("ret",), journal=journal))

    assert not isinstance(step, Retire)


def test_one_that_is_held_again_does_not_hide_when_another_is_to_go():
    later = retiring("two", at=NOW + MINUTE)
    journal = Journal(retiring=(retiring(), later))

    step = decide(
        snapshot(endless(), holding=("ret",), journal=journal, policy=policy(leaving=True))
    )

    assert NOW + MINUTE == step.until

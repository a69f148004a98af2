"""What is due when, and which old key may go."""

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    SECOND,
    TICK,
    by_name,
    current,
    endless,
    in_flight,
    key,
    lineage,
    mint,
    new,
    policy,
    record,
    retiring,
    rotation,
    secret,
    shown,
    snapshot,
)

from rotator.journal import Journal
from rotator.model import Reason
from rotator.origin import delivered_key, fresh_keys
from rotator.views import age_due, expiry_due, in_use

AGED = {"policy": policy(max_age=30 * DAY)}


def after(finished_at, **changes):
    return Journal(history=(record(finished_at=finished_at),), **changes)


# --- by expiry ---


@pytest.mark.parametrize(
    ("before", "grace", "expected"),
    [(14 * DAY, HOUR, 14 * DAY), (None, HOUR, 2 * HOUR), (None, SECOND, 2 * MINUTE)],
)
def test_a_key_is_due_its_margin_before_its_expiry(before, grace, expected):
    s = snapshot(policy=policy(before_expiry=before, grace=grace))

    assert NOW + 80 * DAY - expected == expiry_due(s, key()).at


def test_a_key_without_expiry_is_never_due_for_it():
    assert None is expiry_due(snapshot(), endless())


@pytest.mark.parametrize(
    ("life", "grace", "margin"),
    [
        (90 * MINUTE, HOUR, HOUR),
        (90 * SECOND, SECOND, MINUTE),
        (24 * HOUR, 24 * HOUR, 18 * HOUR),
        (40 * SECOND, SECOND, 30 * SECOND),
    ],
)
def test_a_short_lived_key_is_due_early_enough_for_its_grace_and_its_delivery(life, grace, margin):
    short = key(created_at=NOW, expires_at=NOW + life)
    s = snapshot(policy=policy(grace=grace))

    assert NOW + life - margin == expiry_due(s, short).at


@pytest.mark.parametrize(
    ("life", "margin"), [(14 * DAY + TICK, 14 * DAY), (14 * DAY, 7 * DAY), (4 * DAY, 2 * DAY)]
)
def test_a_key_whose_whole_life_is_no_longer_than_the_margin_is_due_at_half_of_it(life, margin):
    # Somebody has refreshed it by hand: its replacements will live no longer, and be due at once.
    short = key(created_at=NOW, expires_at=NOW + life)

    assert NOW + life - margin == expiry_due(snapshot(), short).at


def test_the_reason_tells_the_expiry_and_the_margin():
    text = "expires 2027-02-11 08:31 UTC, and is replaced 14d before"

    assert Reason("key_near_expiry", text) == expiry_due(snapshot(), key()).reason


#: A key that had eighty days more, and ends with the grace of its successor.
ENDS = NOW + HOUR
BOUNDED = lineage(current=current(expires_at=NOW + 80 * DAY))
SUCCESSOR = key("new", created_at=NOW - 2 * HOUR)


def why(*others, journal=BOUNDED, ends=ENDS):
    old = key(expires_at=ends)
    return expiry_due(snapshot(old, *others, journal=journal), old).reason


def test_a_key_that_ends_with_the_grace_of_another_was_refreshed_by_somebody():
    text = "was refreshed elsewhere, and ends 2026-11-23 09:31 UTC"
    endless = lineage(current=current(expires_at=None))

    assert Reason("key_was_replaced_elsewhere", text) == why(SUCCESSOR)
    assert Reason("key_was_replaced_elsewhere", text) == why(SUCCESSOR, journal=endless)


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [
        (None, "key_near_expiry"),
        (NOW - 23 * HOUR - 5 * SECOND, "key_was_replaced_elsewhere"),
        (NOW - 23 * HOUR - 5 * SECOND - TICK, "key_near_expiry"),
        (ENDS - TICK, "key_was_replaced_elsewhere"),
        (ENDS, "key_near_expiry"),
    ],
)
def test_a_grace_is_a_day_at_most(created_at, expected):
    assert expected == why(key("new", created_at=created_at)).code


@pytest.mark.parametrize(
    ("others", "journal"),
    [
        ((), BOUNDED),
        ((key("new", created_at=NOW - 2 * HOUR, name="another name"),), BOUNDED),
        ((SUCCESSOR,), lineage(current=current(expires_at=NOW + 80 * DAY, since=NOW - 2 * HOUR))),
        ((SUCCESSOR,), lineage(current=current(expires_at=ENDS))),
        ((SUCCESSOR,), lineage("new")),
        ((SUCCESSOR,), Journal()),
    ],
    ids=["alone", "of another name", "older", "it ends as it was to", "not ours", "no lineage"],
)
def test_what_ends_otherwise_only_comes_near_its_expiry(others, journal):
    assert "key_near_expiry" == why(*others, journal=journal).code


def test_nor_was_it_somebody_else_if_a_refresh_of_ours_may_have_come_true():
    refresh = mint(strategy="refresh", grace=HOUR)
    doubts = [(refresh, "key_near_expiry"), (mint(), "key_was_replaced_elsewhere")]
    doubts += [(mint(grace=HOUR, source_id="id-two"), "key_was_replaced_elsewhere")]

    for one, expected in doubts:
        journal = lineage(current=BOUNDED.current, doubted=(rotation(one, key_id="id-two"),))
        assert expected == why(SUCCESSOR, journal=journal).code


def test_one_automatic_rotation_in_each_interval_is_enough():
    old, last = key(expires_at=NOW + 10 * DAY), NOW - MINUTE

    assert last + HOUR == expiry_due(snapshot(journal=after(last)), old).at
    assert NOW - 4 * DAY == expiry_due(snapshot(journal=after(NOW - 30 * DAY)), old).at


def test_the_interval_is_the_policys():
    s = snapshot(journal=after(NOW), policy=policy(min_interval=DAY))

    assert NOW + DAY == expiry_due(s, key(expires_at=NOW + 10 * DAY)).at


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (2 * HOUR, HOUR),
        (2 * HOUR - 2 * TICK, HOUR - TICK),
        (20 * MINUTE, 10 * MINUTE),
        (2 * TICK, TICK),
        (NOTHING, HOUR),
        (-DAY, HOUR),
    ],
)
def test_no_key_dies_of_waiting_for_the_interval(left, expected):
    s = snapshot(journal=after(NOW))

    assert NOW + expected == expiry_due(s, key(expires_at=NOW + left)).at


# --- by age ---


def test_a_key_is_due_by_age_from_its_creation():
    assert NOW + 20 * DAY == age_due(snapshot(**AGED), key()).at


def test_without_a_maximum_no_age_is_due():
    assert None is age_due(snapshot(), key())


def test_without_a_known_birth_no_age_is_due():
    assert None is age_due(snapshot(**AGED), key(created_at=None))


def test_the_reason_tells_the_age():
    text = "is replaced at an age of 30d"

    assert Reason("key_reached_max_age", text) == age_due(snapshot(**AGED), key()).reason


@pytest.mark.parametrize(
    ("created", "expected"),
    [(NOW - 10 * DAY, 27), (NOW - 2 * DAY, 28), (None, 27)],
)
def test_a_refreshed_key_is_as_young_as_its_secret(created, expected):
    s = snapshot(**AGED, journal=lineage(current=current(since=NOW - 3 * DAY)))

    assert NOW + expected * DAY == age_due(s, key(created_at=created)).at


def test_the_rotation_of_another_key_does_not_make_this_one_younger():
    s = snapshot(**AGED, journal=lineage(current=current("two", since=NOW)))

    assert NOW + 20 * DAY == age_due(s, key()).at
    assert None is age_due(s, key(created_at=None))


def test_an_age_too_waits_for_the_interval():
    s = snapshot(**AGED, journal=after(NOW - MINUTE))
    old = key(created_at=NOW - 60 * DAY, expires_at=NOW + MINUTE)

    assert NOW - MINUTE + HOUR == age_due(s, old).at


# --- what may go ---


@pytest.mark.parametrize("holding", [("old",), ("new",), ("new", "two"), ()])
def test_a_key_that_nobody_holds_is_not_in_use(holding):
    assert not in_use(snapshot(key(), key("ret"), holding=holding), retiring())


@pytest.mark.parametrize("holding", [("ret",), ("old", "ret"), ("ret", "old")])
def test_a_key_that_somebody_put_back_is_in_use(holding):
    assert in_use(snapshot(key(), holding=holding), retiring())


@pytest.mark.parametrize("holding", [(None,), ("old", None), (None, "old")])
def test_while_a_target_is_empty_the_old_key_may_be_the_last_one_anybody_has(holding):
    assert in_use(snapshot(key(), holding=holding), retiring())


def test_so_is_one_whose_former_secret_somebody_put_back():
    """It was refreshed under its id before we replaced it: the two end together."""
    was = record(old_key_id="id-ret", old_fingerprint=secret("two").fingerprint)
    others = record(old_key_id="id-old", old_fingerprint=secret("tri").fingerprint)
    journal = Journal(history=(others, was, record(old_key_id="id-ret", old_fingerprint=None)))

    assert in_use(snapshot(key(), holding=("two",), journal=journal), retiring())
    assert in_use(snapshot(key(), holding=("old", "two"), journal=journal), retiring())
    assert not in_use(snapshot(key(), holding=("tri",), journal=journal), retiring())


def test_the_key_that_the_policy_is_about_is_in_use():
    assert in_use(snapshot(key(), new(), holding=("new",)), retiring("old"))
    assert in_use(snapshot(key(), new(), holding=("two",), journal=lineage("new")), retiring("new"))


def test_each_key_that_may_be_meant_is_in_use():
    s = snapshot(key(), key("two"), holding=("tri",), policy=by_name())

    assert in_use(s, retiring("two"))
    assert in_use(s, retiring("old"))


# --- a delivered key that was refreshed since ---


def ended(expires, *, rules=None, **asked):
    """Whether the key that the target holds counts as replaced by a refresh at NOW."""
    last = mint(at=NOW, strategy="refresh", source_id="id-new", **asked)
    s = snapshot(
        key(),
        new(expires_at=expires),
        holding=("new",),
        journal=in_flight(mint(), last),
        policy=rules or policy(),
    )
    return delivered_key(s) is None


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (SECOND, True),
        (HOUR + 30 * SECOND, True),
        (HOUR + 30 * SECOND + TICK, False),
        (None, False),
    ],
)
def test_a_key_that_was_refreshed_in_this_rotation_has_only_its_grace_left(left, expected):
    expires = left and NOW + left

    assert expected == ended(expires)
    assert expected == ended(expires, expires_at=None)


def test_what_has_the_expiry_that_was_asked_for_is_the_replacement():
    asked = {"expires_at": NOW + HOUR}

    assert not ended(NOW + HOUR, **asked)
    assert not ended(NOW + HOUR - 5 * SECOND, **asked)
    assert ended(NOW + HOUR - 5 * SECOND - TICK, **asked)


def test_another_key_that_was_refreshed_says_nothing_of_this_one():
    two = mint(at=NOW, strategy="refresh", source_id="id-two")
    reissue = mint(at=NOW, source_id="id-new")
    s = snapshot(
        new(expires_at=NOW + MINUTE), holding=("new",), journal=in_flight(mint(), two, reissue)
    )

    assert delivered_key(s) is not None


def test_a_short_lived_key_that_was_refreshed_under_its_id_is_delivered_once():
    end = NOW + 50 * MINUTE
    refreshed = key(redacted=shown("new"), expires_at=end)
    s = snapshot(
        refreshed,
        holding=("new",),
        journal=in_flight(mint(at=NOW, strategy="refresh", expires_at=end)),
    )

    assert delivered_key(s) is not None


# --- a key that came late ---


def succeeds(created, expires, *, of="id-old", grace=HOUR):
    """Whether a key that was created at ``created`` is the successor of one with an end."""
    tried = mint(at=NOW - DAY, strategy="refresh", source_id=of, grace=grace)
    keys = key(expires_at=expires), new(created_at=created)
    return bool(fresh_keys(snapshot(*keys, journal=in_flight(tried))))


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (NOTHING, True),
        (SECOND - TICK, True),
        (TICK - SECOND, True),
        (SECOND, False),
        (-SECOND, False),
    ],
)
def test_a_request_that_came_true_late_is_known_by_the_grace_it_gave_its_source(late, expected):
    assert expected == succeeds(NOW - MINUTE + late, NOW - MINUTE + HOUR)


def test_a_source_that_got_no_grace_tells_nothing():
    assert not succeeds(NOW - MINUTE, None)
    assert not succeeds(NOW - MINUTE, NOW - MINUTE + HOUR, of="id-two")
    assert not succeeds(NOW - MINUTE, NOW - MINUTE, grace=None)


def test_a_reissue_gives_no_grace_to_be_known_by():
    assert not succeeds(NOW - MINUTE, NOW - MINUTE + HOUR, grace=None)

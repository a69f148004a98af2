"""What is due when, and which old key may go."""

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    by_name,
    current,
    endless,
    key,
    lineage,
    new,
    policy,
    record,
    retiring,
    snapshot,
)

from rotator.journal import Journal
from rotator.model import Reason
from rotator.views import age_due, age_reason, expiry_due, expiry_reason, in_use

AGED = {"policy": policy(max_age=30 * DAY)}


def after(finished_at, **changes):
    return Journal(history=(record(finished_at=finished_at),), **changes)


# --- by expiry ---


def test_a_key_is_due_its_margin_before_its_expiry():
    assert NOW + 66 * DAY == expiry_due(snapshot(), key())
    assert NOW + 80 * DAY - 2 * HOUR == expiry_due(
        snapshot(policy=policy(before_expiry=None)), key()
    )
    assert NOW + 80 * DAY - 2 * MINUTE == expiry_due(
        snapshot(policy=policy(before_expiry=None, grace=MINUTE / 2)), key()
    )


def test_a_key_without_expiry_is_never_due_for_it():
    assert None is expiry_due(snapshot(), endless())


def test_one_automatic_rotation_in_each_interval_is_enough():
    old = key(expires_at=NOW)

    assert NOW - MINUTE + HOUR == expiry_due(snapshot(journal=after(NOW - MINUTE)), old)
    assert NOW - 14 * DAY == expiry_due(snapshot(journal=after(NOW - 30 * DAY)), old)


def test_the_interval_is_the_policys():
    s = snapshot(journal=after(NOW), policy=policy(min_interval=DAY))

    assert NOW + DAY == expiry_due(s, key(expires_at=NOW))


def test_the_reason_tells_the_expiry_and_the_margin():
    assert Reason(
        "key_near_expiry", "expires 2027-02-11 08:31 UTC, and is replaced 14d before"
    ) == expiry_reason(snapshot(), key())
    assert Reason(
        "key_near_expiry", "expires 2027-02-11 08:31 UTC, and is replaced 2m before"
    ) == expiry_reason(snapshot(policy=policy(before_expiry=None, grace=MINUTE)), key())


# --- by age ---


def test_a_key_is_due_by_age_from_its_creation():
    assert NOW + 20 * DAY == age_due(snapshot(**AGED), key())


def test_without_a_maximum_no_age_is_due():
    assert None is age_due(snapshot(), key())


def test_without_a_known_birth_no_age_is_due():
    assert None is age_due(snapshot(**AGED), key(created_at=None))


@pytest.mark.parametrize(
    ("created", "expected"),
    [(NOW - 10 * DAY, 27), (NOW - 2 * DAY, 28), (None, 27)],
)
def test_a_refreshed_key_is_as_young_as_its_secret(created, expected):
    journal = lineage(current=current(since=NOW - 3 * DAY))

    assert NOW + expected * DAY == age_due(
        snapshot(**AGED, journal=journal), key(created_at=created)
    )


def test_the_rotation_of_another_key_does_not_make_this_one_younger():
    journal = lineage(current=current("two", since=NOW))

    assert NOW + 20 * DAY == age_due(snapshot(**AGED, journal=journal), key())
    assert None is age_due(snapshot(**AGED, journal=journal), key(created_at=None))


def test_an_age_too_waits_for_the_interval():
    s = snapshot(**AGED, journal=after(NOW - MINUTE))

    assert NOW - MINUTE + HOUR == age_due(s, key(created_at=NOW - 60 * DAY))


def test_the_reason_tells_the_age():
    assert Reason("key_reached_max_age", "is replaced at an age of 30d") == age_reason(
        snapshot(**AGED)
    )


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


def test_the_key_that_the_policy_is_about_is_in_use():
    assert in_use(snapshot(key(), new(), holding=("new",)), retiring("old"))
    assert in_use(snapshot(key(), new(), holding=("two",), journal=lineage("new")), retiring("new"))


def test_each_key_that_may_be_meant_is_in_use():
    s = snapshot(key(), key("two"), holding=("tri",), policy=by_name())

    assert in_use(s, retiring("two"))
    assert in_use(s, retiring("old"))

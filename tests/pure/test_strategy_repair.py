"""How a key is replaced whose raw key nobody has; which new keys are not the old one's equals."""

import pytest
from pure_builders import (
    ASKED,
    BINDINGS,
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    SECOND,
    TICK,
    endless,
    in_flight,
    key,
    mint,
    new,
    policy,
    service,
    snapshot,
)

from rotator.keys import Bindings, KeyType, LegacyBindings
from rotator.model import Choice, Plan
from rotator.strategy import choose_repair, privileges_differ


def repaired(old, lost, planned, **changes):
    s = snapshot(old, lost, policy=policy(**changes), journal=in_flight(planned))
    return choose_repair(s, old, lost, planned)


# --- repairs ---


@pytest.mark.parametrize("strategy", [Choice.AUTO, Choice.REISSUE])
def test_a_lost_key_is_replaced_by_a_reissue_of_the_old_one(strategy):
    old = key()

    assert Plan("reissue", old, ASKED + 90 * DAY, HOUR, 90 * DAY) == repaired(
        old, new(), mint(), strategy=strategy
    )


def test_a_repair_gives_what_was_planned_and_not_what_the_dates_of_the_old_key_tell():
    # A refresh gave the old key an end: that of its grace.
    old = key(expires_at=NOW + HOUR)

    plan = repaired(old, new(expires_at=None), mint(expires_at=None, lifetime=None))
    assert ("reissue", None, None) == (plan.strategy, plan.expires_at, plan.lifetime)
    assert ASKED + 30 * DAY == repaired(old, new(), mint(lifetime=30 * DAY)).expires_at


def test_a_repair_keeps_the_date_that_was_asked_for_where_no_lifetime_is_known():
    planned = mint(strategy="refresh", expires_at=NOW + 80 * DAY, lifetime=None)

    assert NOW + 80 * DAY == repaired(key(created_at=None), new(), planned).expires_at


def test_where_only_refreshes_are_wanted_the_replacement_is_refreshed_and_not_the_old_key():
    lost = new()

    assert Plan("refresh", lost, lost.expires_at, HOUR, 90 * DAY) == repaired(
        key(), lost, mint(), strategy=Choice.REFRESH
    )


def test_a_key_without_an_end_does_not_hand_that_on_where_an_end_was_planned():
    # A person has refreshed the key at the same time; under its id that looks like our lost one.
    planned = mint(strategy="refresh")

    plan = repaired(key(), new(expires_at=None), planned, strategy=Choice.REFRESH)
    assert planned.expires_at == plan.expires_at


def test_where_a_reissue_is_refused_the_replacement_is_refreshed():
    lost = service("new")

    assert Plan("refresh", lost, lost.expires_at, HOUR, 90 * DAY) == repaired(
        service(), lost, mint()
    )


def test_a_lost_key_that_was_refreshed_itself_is_not_taken_for_what_is_to_be_replaced():
    # A listing that is behind shows it, and not what came of the refresh.
    lost, planned = new(expires_at=NOW + HOUR), mint(strategy="refresh", source_id="id-new")

    assert Plan("reissue", key(), ASKED + 90 * DAY, HOUR, 90 * DAY) == repaired(
        key(), lost, planned.model_copy(update={"grace": HOUR}), strategy=Choice.REFRESH
    )


@pytest.mark.parametrize("given", [NOW + 90 * DAY, None], ids=["bounded", "endless"])
def test_where_it_can_only_be_refreshed_again_it_is_given_the_end_that_it_had(given):
    lost = service("new", created_at=NOW - MINUTE, expires_at=NOW + HOUR)
    planned = mint(strategy="refresh", source_id="id-new", expires_at=given, grace=HOUR)

    plan = repaired(service(), lost, planned, strategy=Choice.REFRESH)
    assert ("refresh", given) == (plan.strategy, plan.expires_at)


@pytest.mark.parametrize(
    ("grace", "left", "expected"),
    [
        (HOUR, None, HOUR),
        (25 * HOUR, None, 24 * HOUR),
        (HOUR, MINUTE, MINUTE),
        (SECOND, None, SECOND),
        (HOUR, -TICK, NOTHING),
    ],
)
def test_the_grace_of_a_lost_key_matters_to_nobody(grace, left, expected):
    lost = endless("new", expires_at=None if left is None else NOW + left)

    plan = repaired(key(), lost, mint(), strategy=Choice.REFRESH, grace=grace)
    assert expected == plan.grace


# --- privileges ---


def plan(old, bindings=None):
    return Plan("reissue", old, None, HOUR, None, bindings)


def test_a_key_of_the_same_type_and_creator_may_do_the_same():
    assert None is privileges_differ(plan(key(created_by="ann")), new(created_by="ann"))


@pytest.mark.parametrize(
    ("old", "fresh", "expected"),
    [
        (key(), service("new"), "the old key is a user key, the new one a service key"),
        (service(), new(), "the old key is a service key, the new one a user key"),
    ],
)
def test_a_key_of_another_type_is_not_an_equal(old, fresh, expected):
    assert expected == privileges_differ(plan(old), fresh)


def test_a_key_of_a_type_that_is_not_told_may_be_an_equal():
    assert None is privileges_differ(plan(key()), new(type=KeyType.UNKNOWN))


def test_a_user_key_of_another_creator_acts_as_another_user():
    assert (
        "the old key acts as another user than the one the management key belongs to"
    ) == privileges_differ(plan(key(created_by="ann")), new(created_by="bob"))


@pytest.mark.parametrize(("before", "after"), [(None, "bob"), ("ann", None), ("", "bob")])
def test_a_creator_that_is_not_told_shows_no_difference(before, after):
    assert None is privileges_differ(plan(key(created_by=before)), new(created_by=after))


def test_who_creates_a_service_key_does_not_matter():
    old, fresh = service(created_by="ann"), service("new", created_by="bob")

    assert None is privileges_differ(plan(old), fresh)


def test_a_service_key_with_other_bindings_than_asked_for_is_not_an_equal():
    fresh = service("new", bindings=Bindings(()))

    assert "the provider gave the new key other bindings than were asked for" == privileges_differ(
        plan(service(), BINDINGS), fresh
    )


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (BINDINGS, BINDINGS),
        (BINDINGS, None),
        (None, BINDINGS),
        (LegacyBindings("space-1"), BINDINGS),
    ],
)
def test_bindings_that_are_alike_or_not_told_show_no_difference(wanted, given):
    assert None is privileges_differ(plan(service(), wanted), service("new", bindings=given))

"""Policies that begin nothing: suspended, or configured no more."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    TICK,
    endless,
    in_flight,
    key,
    lineage,
    mint,
    new,
    policy,
    retiring,
    rotation,
    snapshot,
)

from rotator.decide import decide
from rotator.journal import Journal
from rotator.model import Deliver, Mint, OnDrift, Promote, Reason, Refuse, Retire, Wait
from rotator.outlook import outlook
from rotator.pacing import Opening
from rotator.standing import standing
from rotator.suspension import overdue_since

SUSPENDED = Reason("policy_is_suspended", "the policy is suspended")
LEAVING = Reason("policy_is_leaving", "the configuration has this policy no more")
DUE = key(expires_at=NOW + 13 * DAY)


def suspended(*keys, journal=None, holding=("old",), **rules):
    journal = journal or Journal()
    rules = policy(suspend=True, **rules)
    return snapshot(*keys, policy=rules, journal=journal, holding=holding)


def leaving(*keys, entries=(), **changes):
    journal = changes.pop("journal", Journal(retiring=entries))
    return snapshot(*keys, policy=policy(leaving=True), journal=journal, **changes)


# --- suspended ---


def test_a_suspended_policy_waits_for_what_would_need_a_person():
    assert Wait(SUSPENDED, NOW + 66 * DAY) == decide(suspended(key()))
    assert Wait(SUSPENDED, None) == decide(suspended(endless()))


def test_a_key_that_only_is_old_is_left_as_it_is():
    s = suspended(endless(), before_expiry=None, max_age=DAY)

    assert Wait(SUSPENDED, None) == decide(s)


@pytest.mark.parametrize(("late", "alarms"), [(DAY, True), (NOTHING, True), (-TICK, False)])
def test_a_key_that_should_be_replaced_for_its_expiry_is_told_of(late, alarms):
    s = suspended(key(expires_at=NOW + 14 * DAY - late))

    assert alarms == isinstance(decide(s), Refuse)


def test_the_alarm_says_what_to_do():
    text = "the policy is suspended, and its key expires 2026-12-06 08:31 UTC, and is replaced"
    remedy = "remove `suspend`, or run `rotator run --rotate ci-key`"

    assert Refuse(Reason("policy_is_suspended", f"{text} 14d before"), remedy) == decide(
        suspended(DUE)
    )


@pytest.mark.parametrize("on_drift", OnDrift)
def test_drift_is_told_and_not_repaired(on_drift):
    step = decide(suspended(key(), holding=("two",), on_drift=on_drift))

    assert isinstance(step, Refuse)
    assert "store_holds_unknown_key" == step.reason.code


def test_drift_that_a_late_request_of_ours_has_caused_is_repaired():
    tries = mint(strategy="refresh", at=NOW - HOUR), mint(at=NOW - HOUR)
    journal = lineage(doubted=(rotation(*tries),))

    assert isinstance(decide(suspended(key(), holding=("two",), journal=journal)), Mint)


def test_a_person_may_rotate_all_the_same():
    assert isinstance(decide(replace(suspended(key()), demanded=True)), Mint)


def test_an_old_key_stays():
    s = suspended(key(), key("ret"), journal=Journal(retiring=(retiring(),)))

    assert Wait(SUSPENDED, NOW + 66 * DAY) == decide(s)


def test_an_old_key_stays_also_where_the_current_one_is_not_found():
    s = suspended(key("ret"), journal=Journal(retiring=(retiring(),)))

    assert "key_not_found" == decide(s).reason.code


def test_what_is_in_flight_goes_on():
    journal = in_flight()

    assert isinstance(decide(suspended(key(), new(), holding=("new",), journal=journal)), Promote)
    assert isinstance(decide(suspended(key(), new(), holding=("old",), journal=journal)), Mint)
    both = replace(
        suspended(key(), new(), holding=("new", "old"), journal=journal),
    )
    assert isinstance(decide(both), Deliver)


def test_a_plan_says_that_it_is_suspended_until_when():
    row = outlook(suspended(key()))

    assert ("wait", NOW + 66 * DAY, "policy_is_suspended") == (row.action, row.at, row.reason)


# --- leaving ---


def test_a_policy_that_is_configured_no_more_begins_nothing():
    assert Wait(LEAVING, None) == decide(leaving(DUE))
    assert Wait(LEAVING, None) == decide(leaving(key(), holding=("two",)))


def test_its_old_keys_still_go_when_their_grace_is_over():
    later = retiring(at=NOW + MINUTE)

    assert Wait(LEAVING, NOW + MINUTE) == decide(leaving(key(), key("ret"), entries=(later,)))
    step = decide(leaving(key(), key("ret"), entries=(retiring(),)))
    assert isinstance(step, Retire)
    assert retiring() == step.entry


def test_those_that_are_in_use_are_not_waited_for():
    assert Wait(LEAVING, None) == decide(leaving(key(), entries=(retiring("old"),)))


def test_what_it_has_begun_ends():
    assert isinstance(decide(leaving(key(), new(), holding=("new",), journal=in_flight())), Promote)


@pytest.mark.parametrize(
    ("s", "since"),
    [
        (suspended(key()), None),
        (suspended(DUE), NOW - DAY),
        (suspended(key(expires_at=NOW + 14 * DAY)), NOW),
        (suspended(endless()), None),
        (suspended(), None),
        (suspended(key(), key("two")), None),
        (suspended(key(created_at=NOW - 40 * DAY), max_age=30 * DAY), NOW - 10 * DAY),
        (suspended(key(created_at=NOW - 20 * DAY), max_age=30 * DAY), None),
        (suspended(DUE, max_age=30 * DAY, journal=in_flight(mint(at=NOW))), None),
        (snapshot(DUE), None),
    ],
)
def test_a_rotation_that_is_stopped_is_known_by_when_it_was_due(s, since):
    assert since == overdue_since(s)


def test_a_window_does_not_hide_what_the_suspension_stops():
    later = SimpleNamespace(opening=lambda moment: Opening(moment + HOUR, moment + 2 * HOUR))
    old = key(created_at=NOW - 40 * DAY)

    assert NOW - 10 * DAY == overdue_since(suspended(old, max_age=30 * DAY, windows=(later,)))


def test_who_asks_is_told_what_ends_it():
    row = standing(suspended(key(created_at=NOW - 40 * DAY), max_age=30 * DAY))

    assert "" == standing(suspended(key())).stopped
    assert row.stopped == (
        "suspended, and overdue since 2026-11-13 08:31 UTC: remove `suspend`, or run"
        " `rotator run --rotate ci-key`"
    )

import pytest
from pure_builders import (
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    SECOND,
    TICK,
    by_name,
    in_flight,
    key,
    mint,
    shown,
    snapshot,
)

from rotator import facts
from rotator.errors import Rejected
from rotator.journal import Journal
from rotator.model import Reason

FACTS_OF_OLD = {"key_id": "id-old", "redacted_key": shown(), "expires_at": key().expires_at}
FACTS_OF_ROTATION = {
    "reason": "key_near_expiry",
    "rotation_id": "r1",
    "strategy": "reissue",
    "old_key_id": "id-old",
    "old_redacted_key": "ak-old...old",
}


def test_a_key_is_told_by_its_id_its_look_and_its_end():
    assert FACTS_OF_OLD == facts.of_key(key())


def test_the_key_of_a_policy_is_told():
    assert FACTS_OF_OLD == facts.of_current(snapshot(key()))


def test_of_no_key_and_of_several_nothing_is_told():
    assert {} == facts.of_current(snapshot())
    assert {} == facts.of_current(snapshot(key(), key("two"), policy=by_name()))


def test_a_rotation_is_told_with_its_policy_and_the_reason_it_began_for():
    s = snapshot(key(), journal=in_flight())

    assert FACTS_OF_ROTATION | {"policy": "ci-key"} == facts.of_rotation(s)
    assert FACTS_OF_ROTATION | {"policy": "ci-key"} == facts.of_rotation(s, Reason("lost", "x"))


def test_without_a_rotation_the_policy_and_the_reason_given_are_told():
    assert {"policy": "ci-key"} == facts.of_rotation(snapshot(key()))
    assert {"policy": "ci-key", "reason": "lost"} == facts.of_rotation(
        snapshot(key()), Reason("lost", "x")
    )


def test_of_a_journal_at_rest_no_rotation_is_told():
    assert {} == facts.of_journal(Journal())


def test_the_strategy_is_that_of_the_latest_mint():
    journal = in_flight(mint(), mint(strategy="refresh"))

    assert FACTS_OF_ROTATION | {"strategy": "refresh"} == facts.of_journal(journal)


def test_an_error_is_told_with_its_kind_and_its_remedy():
    assert {
        "error": "name is taken",
        "error_code": "rejected",
        "remedy": "choose another",
    } == facts.of_error(Rejected("name is taken", remedy="choose another"))


@pytest.mark.parametrize(
    ("deadline", "left"),
    [
        (NOW + MINUTE, 60.0),
        (NOW - SECOND, -1.0),
        (NOW + SECOND + 1234 * TICK, 1.001),
        (None, None),
    ],
)
def test_grace_is_told_with_what_is_left_of_it(deadline, left):
    assert {"grace_deadline": deadline, "grace_seconds_left": left} == facts.of_grace(deadline, NOW)


@pytest.mark.parametrize(
    ("left", "whole", "expected"),
    [
        (None, HOUR, "warning"),
        (HOUR, HOUR, "warning"),
        (HOUR, NOTHING, "warning"),
        (30 * MINUTE, HOUR, "warning"),
        (30 * MINUTE - TICK, HOUR, "error"),
        (6 * MINUTE, HOUR, "error"),
        (6 * MINUTE - TICK, HOUR, "critical"),
        (NOTHING, HOUR, "critical"),
        (-HOUR, HOUR, "critical"),
        (NOTHING, TICK, "critical"),
    ],
)
def test_a_failed_delivery_is_the_graver_the_less_grace_is_left(left, whole, expected):
    assert expected == facts.urgency(left, whole)


@pytest.mark.parametrize(
    ("least", "left", "expected"),
    [
        ("info", HOUR, "warning"),
        ("error", HOUR, "error"),
        ("error", 20 * MINUTE, "error"),
        ("warning", 20 * MINUTE, "error"),
        ("error", MINUTE, "critical"),
        ("critical", HOUR, "critical"),
    ],
)
def test_a_look_that_failed_is_as_grave_as_its_cause_and_as_what_is_left(least, left, expected):
    assert expected == facts.alarm(least, left, HOUR)

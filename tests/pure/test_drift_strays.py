"""Keys that came of requests which everybody had given up."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    ME,
    MINUTE,
    NOW,
    SECOND,
    TICK,
    by_name,
    endless,
    in_flight,
    key,
    lineage,
    mint,
    new,
    record,
    retiring,
    rotation,
    secret,
    shown,
    snapshot,
    unseen,
)

from rotator.decide import decide
from rotator.journal import Journal, Retiring
from rotator.keys import KeyStatus
from rotator.model import Reason, Retire

DOUBT = Journal(doubted=(rotation(mint(), mint()),))


def code(step):
    return step.reason.code


# --- stray_key_appeared ---


def strays(*keys, holding=("old",), mints=(), **changes):
    tries = mints or (mint(), mint(at=NOW - HOUR))
    journal = Journal(doubted=(rotation(*tries),)).model_copy(update=changes)
    return decide(snapshot(key(), *keys, holding=holding, journal=journal))


def is_stray(*keys, **changes):
    return isinstance(strays(*keys, **changes), Retire)


def test_a_key_that_came_of_a_request_we_had_given_up_leaves():
    entry = Retiring(key_id="id-new", redacted="ak-new...new", at=NOW, rotation="r1")
    text = "ak-new...new came of a request that rotation r1 had given up"

    assert Retire(Reason("stray_key_appeared", text), entry) == strays(new())


@pytest.mark.parametrize(
    ("created", "expires", "expected"),
    [
        (-5 * SECOND, TICK * 0, True),
        (-5 * SECOND - TICK, TICK * 0, False),
        (HOUR, TICK * 0, True),
        (HOUR, SECOND - TICK, True),
        (HOUR, TICK - SECOND, True),
        (HOUR, SECOND, False),
        (HOUR, -SECOND, False),
    ],
)
def test_a_late_key_is_ours_when_it_has_the_very_expiry_that_was_asked_for(
    created, expires, expected
):
    late = new(created_at=NOW - MINUTE + created, expires_at=NOW + 90 * DAY + expires)

    assert expected == is_stray(late, mints=(mint(),))


def test_a_late_refresh_is_not_told_by_its_expiry_alone():
    # It keeps the one that the key had, whoever refreshes it.
    early = new(created_at=NOW - MINUTE - 3 * SECOND, expires_at=NOW + 90 * DAY)

    assert is_stray(early)
    assert not is_stray(early, mints=(mint(grace=HOUR), mint(grace=HOUR)))


# A day is what a person takes to use a key that they made.


def forgotten(late=HOUR - TICK, ago=DAY, **changes):
    """An endless key, created ``ago``, ``late`` after a mint that asked for one."""
    created = NOW - ago
    tried = mint(at=created - late, expires_at=None)
    return is_stray(new(**{"created_at": created, "expires_at": None} | changes), mints=(tried,))


def test_a_late_key_without_expiry_that_nobody_uses_is_ours():
    assert forgotten()
    assert forgotten(expires_at=NOW + DAY)
    assert forgotten(late=-2 * SECOND)


@pytest.mark.parametrize(
    "other",
    [
        {"late": HOUR},
        {"late": -2 * SECOND - TICK},
        {"ago": DAY - TICK},
        {"last_used_at": NOW},
        {"created_at": None, "name": "x"},
    ],
)
def test_a_late_key_without_expiry_might_be_a_persons(other):
    assert not forgotten(**other)


def test_a_late_key_without_dates_might_be_a_persons():
    late = NOW + HOUR

    assert not is_stray(new(created_at=late, expires_at=None))
    assert not is_stray(new(created_at=late), mints=(mint(expires_at=None),))
    assert not is_stray(new(created_at=None, expires_at=NOW + 91 * DAY))
    assert not is_stray(new(created_at=None, expires_at=None))


def test_a_key_that_the_moment_explains_is_ours_also_without_expiry():
    assert is_stray(new(expires_at=None), mints=(mint(expires_at=None),))
    assert is_stray(new(created_at=None))


@pytest.mark.parametrize(
    "other",
    [
        new(name="x"),
        new(status=KeyStatus.REVOKED),
        new(expires_at=NOW),
        key("two"),
    ],
)
def test_what_is_not_new_or_works_no_more_is_no_stray(other):
    assert not is_stray(other)


def test_what_is_known_already_is_no_stray():
    assert not is_stray(new(), retiring=(retiring("new", at=NOW + DAY),))
    assert not is_stray(new(), history=(record(key_id="id-new"),))
    assert not is_stray(new(), doubted=(rotation(mint(), mint(), siblings=("id-new",)),))


def test_the_key_of_the_policy_is_no_stray():
    s = snapshot(new(), holding=("new",), journal=DOUBT, policy=by_name())

    assert "key_near_expiry" == code(decide(s))


def test_the_only_key_of_the_policy_is_no_stray_even_if_none_can_see_that_it_is_in_use():
    s = snapshot(new(redacted=unseen()), holding=("new",), journal=DOUBT, policy=by_name())

    assert not isinstance(decide(s), Retire)


def test_a_stray_that_may_be_in_use_stays():
    assert not is_stray(new(), holding=(None,))


def test_a_stray_leaves_though_the_key_of_the_policy_is_gone():
    s = snapshot(new(), journal=DOUBT)

    assert isinstance(decide(s), Retire)
    assert "key_not_found" == code(decide(replace(s, others=frozenset({"id-new"}))))


def test_a_stray_does_not_hide_another():
    assert "id-two" == strays(new(), new("two"), history=(record(key_id="id-new"),)).entry.key_id


def test_the_old_id_is_no_stray_whatever_it_looks_like():
    journal = lineage("new", doubted=(rotation(mint(), mint()),))
    s = snapshot(key(redacted=shown("two")), new(), holding=("new",), journal=journal)

    assert not isinstance(decide(s), Retire)


def test_while_a_rotation_is_in_flight_there_are_neither_strays_nor_drift():
    journal = in_flight(mint(owner=ME)).model_copy(update={"doubted": DOUBT.doubted})
    s = snapshot(endless(), holding=("two",), journal=journal)

    assert "mint_left_no_trace" == code(decide(s))
    assert secret("two") == s.held[0].value


def test_a_late_key_does_not_make_a_name_ambiguous():
    doubt = rotation(mint(at=NOW - HOUR), mint(at=NOW - HOUR))
    late = new(created_at=NOW - MINUTE)
    s = snapshot(key(), late, policy=by_name(), journal=Journal(doubted=(doubt,)))

    step = decide(s)

    assert ("stray_key_appeared", "id-new") == (step.reason.code, step.entry.key_id)
    assert "key_is_ambiguous" == decide(replace(s, journal=Journal())).reason.code


def test_it_is_not_revoked_while_a_target_holds_it():
    doubt = rotation(mint(at=NOW - HOUR), mint(at=NOW - HOUR))
    late = new(created_at=NOW - MINUTE)
    s = snapshot(key(), late, holding=("new",), policy=by_name(), journal=Journal(doubted=(doubt,)))

    assert "key_is_ambiguous" == decide(s).reason.code


@pytest.mark.parametrize(
    ("reason", "ends", "expected"),
    [
        ("store_holds_another_key", NOW + TICK, False),
        ("store_holds_another_key", NOW, True),
        ("store_holds_another_key", None, True),
        ("key_near_expiry", NOW + HOUR, True),
    ],
)
def test_a_stray_that_the_store_has_held_keeps_its_grace(reason, ends, expected):
    # It was delivered after all, and found there: consumers have read it.
    last = record(reason=reason, old_valid_until=ends)
    late = new(created_at=NOW - MINUTE + HOUR)

    assert expected == is_stray(late, mints=(mint(),), history=(last,))

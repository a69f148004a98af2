"""Who holds the lease, and how long another process gets to deliver what it minted."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    ME,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    TICK,
    by_name,
    in_flight,
    key,
    lease,
    mint,
    new,
    retiring,
    snapshot,
)

from rotator.decide import decide
from rotator.journal import Journal
from rotator.model import Lock, Locked, Mint, Reason, Refuse, Retire, Wait

SOON = key(expires_at=NOW + 14 * DAY)
LOST = Reason(
    "raw_key_was_lost", "ak-new...new was minted for rotation r1 and never reached the store"
)
THEIRS = lease(OTHER, until=NOW + MINUTE)
HELD = Locked(
    Reason(
        "another_holds_the_lease", "another holds the lease until 2026-11-23 08:32 UTC and is at it"
    ),
    OTHER,
    NOW + MINUTE,
)


def with_lease(s, held):
    return decide(replace(s, journal=s.journal.model_copy(update={"lease": held})))


# --- the lease ---


@pytest.mark.parametrize(
    "s",
    [
        snapshot(SOON),
        snapshot(key(), demanded=True),
        snapshot(key(), journal=Journal(retiring=(retiring(),))),
        snapshot(key(), new(), holding=("new",), journal=in_flight()),
        snapshot(key(), new(), holding=("new", "old"), journal=in_flight()),
        snapshot(key(), new(), journal=in_flight()),
        snapshot(key(), new(), journal=in_flight(mint(owner=OTHER))),
        snapshot(key(), journal=in_flight(mint(at=NOW))),
        snapshot(key(), journal=in_flight()),
    ],
    ids=lambda s: type(decide(s)).__name__ + "_" + decide(s).reason.code,
)
def test_whoever_holds_the_lease_is_left_to_it(s):
    assert HELD == with_lease(s, THEIRS)


@pytest.mark.parametrize(
    ("s", "kind"),
    [
        (snapshot(key()), Wait),
        (snapshot(), Refuse),
        (snapshot(key(), key("two"), policy=by_name()), Refuse),
    ],
)
def test_looking_on_needs_no_lease(s, kind):
    assert isinstance(with_lease(s, THEIRS), kind)


@pytest.mark.parametrize(
    "held",
    [None, lease(ME), lease(OTHER, until=NOW), lease(OTHER, until=NOW - TICK)],
)
def test_our_own_lease_and_one_that_has_run_out_bind_nobody(held):
    assert isinstance(with_lease(snapshot(SOON), held), Mint)


def test_a_lease_binds_to_its_last_moment():
    assert isinstance(with_lease(snapshot(SOON), lease(OTHER, until=NOW + TICK)), Locked)


# --- the handover of a lost key ---


def lost(held=None, owner=OTHER, **changes):
    s = snapshot(key(), new(), journal=in_flight(mint(owner=owner), **changes))
    return with_lease(s, held)


def test_a_key_that_we_lost_ourselves_is_replaced_at_once():
    assert isinstance(lost(owner=ME), Mint)


@pytest.mark.parametrize(("add", "binds"), [(0 * SECOND, True), (TICK, False)])
def test_a_lease_of_a_clock_that_nobody_follows_binds_nobody(add, binds):
    ahead = lease(OTHER, taken_at=NOW + HOUR + add, until=NOW + 9 * HOUR)

    assert not lease(OTHER, until=NOW).binds(NOW)
    assert binds is ahead.binds(NOW)
    assert binds is ahead.is_anothers(ME, NOW)
    assert not ahead.is_anothers(OTHER, NOW)


@pytest.mark.parametrize("held", [None, lease(ME, until=NOW), lease(OTHER, until=NOW)])
def test_before_the_key_of_another_is_replaced_the_lease_is_taken(held):
    assert Lock(LOST) == lost(held)


@pytest.mark.parametrize("ago", [0 * SECOND, 20 * SECOND - TICK])
def test_the_other_then_has_a_while_to_deliver(ago):
    taken_at = NOW - ago

    assert Wait(LOST, taken_at + 20 * SECOND, soon=True) == lost(lease(taken_at=taken_at))


def test_after_that_while_its_key_is_replaced():
    assert isinstance(lost(lease(taken_at=NOW - 20 * SECOND)), Mint)


@pytest.mark.parametrize(
    ("left", "kind"),
    [(40 * SECOND, Lock), (40 * SECOND - TICK, Mint), (-MINUTE, Mint)],
)
def test_there_is_no_while_to_give_when_the_old_key_ends_within_it(left, kind):
    assert isinstance(lost(grace_deadline=NOW + left), kind)


def test_the_latest_mint_says_whose_key_was_lost():
    journal = in_flight(mint(owner=OTHER), mint(owner=ME))

    assert isinstance(decide(snapshot(key(), new(), journal=journal)), Mint)
    journal = in_flight(mint(owner=ME), mint(owner=OTHER))
    assert isinstance(decide(snapshot(key(), new(), journal=journal)), Lock)


def test_a_mint_of_another_that_left_no_trace_needs_no_handover():
    journal = in_flight(mint(owner=OTHER))

    assert isinstance(decide(snapshot(key(), journal=journal)), Mint)


def test_a_retirement_needs_no_lease():
    assert isinstance(decide(snapshot(key(), journal=Journal(retiring=(retiring(),)))), Retire)

"""Minted keys on this disk: when one is delivered after all, and when one is destroyed."""

import pytest
from pure_builders import (
    BINDINGS,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    TARGETS,
    endless,
    in_flight,
    key,
    lease,
    mint,
    new,
    policy,
    rotation,
    secret,
    service,
    snapshot,
)

from rotator.decide import decide
from rotator.journal import Journal
from rotator.keys import Bindings, OrgBinding, Role
from rotator.model import Deliver, Destroy, Reason, Restore, Spooled
from rotator.strategy import spooled_key_differs

OTHERS = Bindings((OrgBinding("org-2", Role(name="member")),))


def spooled(label="new", **changes):
    default = {"policy": "ci-key", "rotation": "r1", "mint": 1, "secret": secret(label)}
    return Spooled(**default | changes)


def look(*keys, entries=(), holding=("old",), journal=None, **changes):
    return decide(
        snapshot(
            *keys,
            holding=holding,
            journal=journal or in_flight(),
            spooled=tuple(entries),
            policy=policy(targets=TARGETS[: len(holding)]),
            **changes,
        )
    )


def test_a_minted_key_that_lies_on_this_disk_is_delivered():
    entry = spooled()
    text = "ak-new...new was minted for rotation r1 and lies sealed on this disk"

    assert Restore(Reason("spooled_key_found", text), new(), secret("new"), entry) == look(
        key(), new(), entries=[entry]
    )


def test_a_delivered_key_goes_before_a_spooled_one():
    step = look(key(), new(), entries=[spooled()], holding=("new", "old"))

    assert isinstance(step, Deliver)


def test_of_two_spooled_keys_the_newest_is_delivered():
    entries = [spooled(), spooled("two", mint=2)]
    two = new("two", created_at=NOW - 10 * SECOND)
    journal = in_flight(mint(), mint(at=NOW - 20 * SECOND))

    assert entries[1] == look(key(), new(), two, entries=entries, journal=journal).entry


@pytest.mark.parametrize(
    "entry",
    [spooled(secret=None), spooled("two"), spooled("old")],
    ids=["not opened", "not listed", "the key that was"],
)
def test_what_is_not_the_new_key_is_not_delivered(entry):
    assert "raw_key_was_lost" == look(key(), new(), entries=[entry]).reason.code


def test_a_key_that_was_refreshed_since_has_only_its_grace_left_and_is_not_delivered():
    journal = in_flight(mint(), mint(strategy="refresh", source_id="id-new"))
    ending = new(expires_at=NOW + HOUR - MINUTE)

    assert (
        "raw_key_was_lost" == look(key(), ending, entries=[spooled()], journal=journal).reason.code
    )


@pytest.mark.parametrize("journal", [Journal(), in_flight()], ids=["over", "another in flight"])
def test_a_key_whose_rotation_is_over_is_destroyed(journal):
    entry = spooled(rotation="r0", secret=None)
    text = "rotation r0 is over, and its key still lay on this disk"

    assert Destroy(Reason("spooled_key_is_spent", text), entry) == look(
        key(), entries=[entry], journal=journal
    )


def test_while_another_process_holds_the_lease_the_disk_is_left_alone():
    journal = in_flight().model_copy(update={"lease": lease("other")})

    step = look(key(), new(), entries=[spooled()], journal=journal)

    assert "another_holds_the_lease" == step.reason.code


# --- spooled_key_differs ---


def differs(new_key, old=None, entry=None, bindings=None, mints=()):
    keys = [old] if old else []
    s = snapshot(*keys, journal=in_flight(*mints), policy=policy(bindings=bindings))
    return spooled_key_differs(s, new_key, entry or spooled())


def test_a_refreshed_key_is_the_same_key():
    assert differs(service("new"), key(), mints=[mint(strategy="refresh")]) is False


def test_a_reissued_key_is_compared_with_the_old_one():
    assert differs(new(), key()) is False
    assert differs(service("new"), key()) is True
    assert differs(new(created_by="b"), key(created_by="a")) is True


@pytest.mark.parametrize("shows", [True, False], ids=["by the listing", "by the policy"])
def test_the_privileges_are_those_of_the_old_key(shows):
    old = service(bindings=BINDINGS if shows else None)
    more = None if shows else BINDINGS

    assert differs(service("new", bindings=BINDINGS), old, bindings=more) is False


@pytest.mark.parametrize("shows", [True, False], ids=["by the listing", "by the policy"])
def test_a_spooled_key_that_may_do_more_or_less_is_another(shows):
    old = service(bindings=BINDINGS if shows else None)
    more = None if shows else BINDINGS

    assert differs(service("new", bindings=OTHERS), old, bindings=more) is True


def test_what_the_listing_shows_of_the_old_key_goes_before_what_the_policy_says():
    old = service(bindings=BINDINGS)

    assert differs(service("new", bindings=BINDINGS), old, bindings=OTHERS) is False


def test_what_cannot_be_compared_counts_as_different():
    assert differs(new()) is True, "the old key is gone"
    assert differs(new(), key(), spooled(mint=2)) is True, "the journal knows of no second mint"


def test_nothing_in_flight_is_nothing_to_compare_with():
    s = snapshot(endless(), journal=Journal())

    assert spooled_key_differs(s, new(), spooled()) is True
    assert "r1" == rotation().id

"""With nothing in flight and nothing to rotate: what leaves, and what is waited for."""

import pytest
from pure_builders import DAY, HOUR, MINUTE, NOW, TICK, endless, key, policy, retiring, snapshot

from rotator.decide import decide
from rotator.journal import Journal
from rotator.model import Reason, Retire, Wait

SOON = key(expires_at=NOW + 14 * DAY)
LEAVING = Journal(retiring=(retiring(),))
SHOULD_LEAVE = Reason("retirement_is_due", "the grace period of ak-ret...ret is over")


def code(step):
    return step.reason.code


# --- retirement_is_due ---


def retires(at=NOW, *, holding=("old",), label="ret"):
    journal = Journal(retiring=(retiring(label, at=at),))
    return decide(snapshot(key(), key("ret"), holding=holding, journal=journal))


def test_an_old_key_leaves_when_its_grace_is_over():
    assert Retire(SHOULD_LEAVE, retiring()) == retires()
    assert Wait(
        Reason("retirement_is_due", "ak-ret...ret is to be revoked then"), NOW + TICK
    ) == retires(NOW + TICK)


@pytest.mark.parametrize("holding", [(None,), ("old", None), (None, "old")])
def test_while_a_target_is_empty_no_old_key_leaves(holding):
    assert NOW + 66 * DAY == retires(NOW - DAY, holding=holding).until


@pytest.mark.parametrize("holding", [("ret",), ("old", "ret"), ("ret", "old")])
def test_an_old_key_that_somebody_put_back_stays(holding):
    assert "store_holds_another_key" == code(retires(NOW - DAY, holding=holding))


def test_the_key_of_the_policy_stays_whatever_the_journal_says():
    assert NOW + 66 * DAY == retires(holding=("old",), label="old").until


def test_those_that_may_go_do_not_wait_for_those_that_may_not():
    entries = retiring("old"), retiring("two", at=NOW + TICK), retiring("tri"), retiring("one")
    s = snapshot(key(), journal=Journal(retiring=entries))

    assert entries[2] == decide(s).entry


def test_a_rotation_comes_before_a_retirement():
    assert "key_near_expiry" == code(decide(snapshot(SOON, journal=LEAVING)))


# --- nothing_is_due ---


def test_a_key_without_end_or_age_waits_for_nothing():
    text = "the key has no expiry and the policy no `max_age`, so that nothing will ever be due"

    assert Wait(Reason("nothing_is_due", text), None) == decide(snapshot(endless()))


def test_a_key_whose_age_is_not_told_cannot_reach_one():
    text = "the key has no expiry and its age is not told, so that nothing will ever be due"
    s = snapshot(endless(created_at=None), policy=policy(before_expiry=None, max_age=DAY))

    assert Wait(Reason("nothing_is_due", text), None) == decide(s)


def test_the_next_moment_that_matters_is_waited_for():
    rules = policy(max_age=30 * DAY)
    journal = Journal(retiring=(retiring(at=NOW + 20 * DAY + TICK),))

    assert NOW + 20 * DAY == decide(snapshot(key(), policy=rules, journal=journal)).until
    assert "key_reached_max_age" == code(decide(snapshot(key(), policy=rules, journal=journal)))
    assert "key_near_expiry" == code(
        decide(snapshot(key(expires_at=NOW + 20 * DAY), policy=rules, journal=journal))
    )


def test_a_retirement_may_be_what_is_waited_for():
    journal = Journal(retiring=(retiring("two", at=NOW + HOUR), retiring(at=NOW + MINUTE)))
    step = decide(snapshot(key(), journal=journal))

    assert (NOW + MINUTE, "ak-ret...ret is to be revoked then") == (step.until, step.reason.text)
    assert not step.soon


def test_of_two_moments_that_are_one_the_expiry_is_told():
    journal = Journal(retiring=(retiring("two", at=NOW + DAY), retiring(at=NOW + DAY)))
    s = snapshot(key(expires_at=NOW + 15 * DAY), journal=journal)

    assert "key_near_expiry" == code(decide(s))
    assert (
        "ak-two...two is to be revoked then" == decide(snapshot(key(), journal=journal)).reason.text
    )

"""With nothing in flight: when each check speaks, when it is silent, and who comes first."""

from dataclasses import replace

import pytest
from pure_builders import (
    ASKED,
    BINDINGS,
    DAY,
    HOUR,
    NOW,
    OTHER,
    TARGETS,
    TICK,
    by_name,
    current,
    endless,
    in_flight,
    key,
    lease,
    lineage,
    mint,
    new,
    notice,
    policy,
    record,
    retiring,
    service,
    snapshot,
)

from rotator.decide import CHECKS, decide
from rotator.journal import Journal
from rotator.keys import KeyStatus, KeyType
from rotator.model import (
    Choice,
    Deliver,
    Destroy,
    Mint,
    Notify,
    Plan,
    Promote,
    Reason,
    Refuse,
    Retire,
    Selector,
    Spooled,
    Wait,
)

SOON = key(expires_at=NOW + 14 * DAY)
LEAVING = Journal(retiring=(retiring(),))
SHOULD_LEAVE = Reason("retirement_is_due", "the grace period of ak-ret...ret is over")


def code(step):
    return step.reason.code


def test_the_checks_come_in_this_order():
    assert [
        "spooled_key_is_spent",
        "delivery_is_incomplete",
        "delivery_is_unrecorded",
        "spooled_key_found",
        "too_many_mints",
        "raw_key_was_lost",
        "old_key_is_gone",
        "mint_left_no_trace",
        "key_was_revoked_elsewhere",
        "key_not_found",
        "key_is_ambiguous",
        "rotation_was_demanded",
        "policy_is_suspended",
        "policy_is_leaving",
        "key_near_expiry",
        "key_reached_max_age",
        "store_has_drifted",
        "retirement_is_due",
        "stray_key_appeared",
        "target_is_empty",
        "nothing_is_due",
    ] == [check.__name__ for check in CHECKS]


# --- key_not_found ---


def not_found(what):
    return Refuse(
        Reason("key_not_found", f"the provider lists no active {what}"),
        remedy="it may be revoked or expired, or hidden from the management key: create a key, name"
        " it in the policy under `key`, and add `space_id` or `type: service` for a service key",
    )


def test_a_key_that_is_not_listed_needs_a_person():
    assert not_found("key id-old") == decide(snapshot(key("two")))


def test_a_revoked_key_is_as_good_as_not_listed():
    assert not_found("key id-old") == decide(snapshot(key(status=KeyStatus.REVOKED)))


def test_a_name_that_nobody_has_needs_a_person():
    rules = by_name(selector=Selector(name="ci", space_id="s1"))

    assert not_found("key of name 'ci' in space s1") == decide(snapshot(policy=rules))


def test_a_lineage_that_is_lost_is_named_by_its_last_key():
    over = lineage("new", current=current("new", expires_at=NOW))

    assert not_found("key id-new") == decide(snapshot(key(), journal=over))


def test_old_keys_leave_even_when_the_new_one_is_not_listed():
    assert Retire(SHOULD_LEAVE, retiring()) == decide(snapshot(journal=LEAVING))


# --- key_is_ambiguous ---


def test_several_keys_of_one_name_need_a_person():
    s = snapshot(key("two"), key(), key("tri"), policy=by_name(), demanded=True)

    assert Refuse(
        Reason("key_is_ambiguous", "3 active keys are named 'ci': id-old, id-tri, id-two"),
        remedy="name one of them by `key.id`",
    ) == decide(s)


def test_two_keys_of_one_name_are_ambiguous_already():
    assert "key_is_ambiguous" == code(decide(snapshot(key(), key("two"), policy=by_name())))


def test_old_keys_leave_whichever_key_is_meant():
    named = key(), key("two")

    assert Retire(SHOULD_LEAVE, retiring()) == decide(
        snapshot(*named, key("ret"), policy=by_name(), journal=LEAVING)
    )
    assert "key_is_ambiguous" == code(
        decide(snapshot(*named, key("ret"), policy=by_name(), holding=("ret",), journal=LEAVING))
    )


@pytest.mark.parametrize(
    "other",
    [key("two", name="x"), key("two", status=KeyStatus.REVOKED), key("ret")],
)
def test_a_name_that_one_key_has_is_clear(other):
    s = snapshot(key(), other, policy=by_name(), journal=LEAVING)

    assert SHOULD_LEAVE == decide(s).reason


def test_a_namesake_that_came_later_does_not_touch_the_lineage():
    journal = lineage("new", selector="name 'ci'")
    s = snapshot(new(), key("two"), holding=("new",), policy=by_name(), journal=journal)

    assert "key_near_expiry" == code(decide(s))
    assert "id-new" == decide(replace(s, demanded=True)).plan.source.id


# --- rotation_was_demanded ---


def test_a_person_can_ask_for_a_rotation_at_any_time():
    old = endless()

    assert Mint(
        Reason("rotation_was_demanded", "a rotation was asked for by hand"),
        Plan("refresh", old, None, HOUR),
    ) == decide(snapshot(old, demanded=True))


def test_a_person_need_not_wait_for_the_interval():
    journal = Journal(history=(record(finished_at=NOW),))

    assert "rotation_was_demanded" == code(decide(snapshot(SOON, journal=journal, demanded=True)))


def test_who_asks_for_what_cannot_be_done_is_told_so():
    s = snapshot(service(), policy=policy(strategy=Choice.REISSUE), demanded=True)

    assert "bindings_unknown" == code(decide(s))


# --- key_near_expiry ---


def test_a_key_is_rotated_from_its_margin_on():
    late, early = SOON, key(expires_at=NOW + 14 * DAY + TICK)

    assert Mint(
        Reason("key_near_expiry", "expires 2026-12-07 08:31 UTC, and is replaced 14d before"),
        Plan("reissue", late, ASKED + 24 * DAY, HOUR, 24 * DAY),
    ) == decide(snapshot(late))
    assert Wait(
        Reason("key_near_expiry", "expires 2026-12-07 08:31 UTC, and is replaced 14d before"),
        NOW + TICK,
    ) == decide(snapshot(early))


@pytest.mark.parametrize("expires_at", [NOW, NOW - DAY])
def test_an_expired_key_that_is_still_listed_is_replaced(expires_at):
    assert "reissue" == decide(snapshot(key(expires_at=expires_at))).plan.strategy


def test_a_key_of_unknown_status_is_rotated_like_an_active_one():
    odd = key(status=KeyStatus.UNKNOWN, expires_at=NOW + DAY)

    assert odd == decide(snapshot(odd)).plan.source


def test_a_key_near_its_end_waits_for_the_interval():
    journal = Journal(history=(record(finished_at=NOW - HOUR + TICK),))

    assert NOW + TICK == decide(snapshot(SOON, journal=journal)).until
    assert "reissue" == decide(snapshot(SOON, journal=journal, now=NOW + TICK)).plan.strategy


def test_a_rotation_that_cannot_be_done_is_refused_with_its_remedy():
    s = snapshot(service(expires_at=NOW + DAY), policy=policy(strategy=Choice.REISSUE))

    assert "bindings_unknown" == code(decide(s))


def test_an_expiry_comes_before_an_age():
    old = key(created_at=NOW - 90 * DAY, expires_at=NOW + DAY)

    assert "key_near_expiry" == code(decide(snapshot(old, policy=policy(max_age=30 * DAY))))


# --- key_reached_max_age ---


def test_a_key_is_rotated_at_its_age():
    rules = policy(max_age=10 * DAY)
    young = endless(created_at=NOW - 10 * DAY + TICK)
    reason = Reason("key_reached_max_age", "is replaced at an age of 10d")

    assert Mint(reason, Plan("refresh", endless(), None, HOUR)) == decide(
        snapshot(endless(), policy=rules)
    )
    assert Wait(reason, NOW + TICK) == decide(snapshot(young, policy=rules))


def test_a_key_that_is_too_old_may_still_need_a_person():
    rules = policy(max_age=DAY, strategy=Choice.REISSUE)

    assert "key_type_unknown" == code(decide(snapshot(key(type=KeyType.UNKNOWN), policy=rules)))


def test_a_service_key_is_reissued_with_what_it_may_do():
    old = service(expires_at=NOW + DAY, bindings=BINDINGS)

    assert BINDINGS == decide(snapshot(old)).plan.bindings


# --- lineages ---


def test_after_a_reissue_the_new_key_is_looked_after():
    later = new(created_at=NOW - 60 * DAY, expires_at=NOW + DAY)
    s = snapshot(key(expires_at=NOW), later, journal=lineage("new"))

    assert "id-new" == decide(s).plan.source.id


def test_a_policy_that_was_edited_to_another_key_looks_after_that():
    two = key("two", expires_at=NOW + DAY)
    s = snapshot(new(), two, journal=lineage("new"), policy=policy(selector=Selector(id="id-two")))

    assert two == decide(s).plan.source


def test_what_was_known_of_the_key_before_says_nothing_about_another():
    journal = lineage("new", current=current("new", since=NOW, lifetime=DAY))
    rules = policy(selector=Selector(id="id-two"), max_age=10 * DAY)
    plan = decide(snapshot(key("two"), journal=journal, policy=rules)).plan

    assert ("refresh", 90 * DAY) == (plan.strategy, plan.lifetime)


# --- by a clock that is wrong ---

FAR = 3 * DAY
ASTRAY = "clock_is_astray"


def astray(*keys, by=FAR, **changes):
    return decide(snapshot(*keys, astray=by, **changes))


@pytest.mark.parametrize(
    ("by", "way"),
    [(2 * HOUR, "2h behind the provider's"), (-FAR, "3d ahead of the provider's")],
)
def test_by_a_clock_that_is_hours_off_no_rotation_is_begun(by, way):
    text = f"this machine's clock is {way}, too far to be followed"
    remedy = "set the clock (NTP); if it is right, see what stands between us and the provider"

    assert Refuse(Reason(ASTRAY, text), remedy) == astray(SOON, by=by)


def test_nor_is_anything_carried_on_that_a_moment_is_written_of():
    proved = {"holding": ("new",), "journal": in_flight()}

    assert isinstance(decide(snapshot(key(), new(), **proved)), Promote)
    assert ASTRAY == code(astray(key(), new(), **proved))
    assert isinstance(decide(snapshot(key(), key("ret"), journal=LEAVING)), Retire)
    assert ASTRAY == code(astray(key(), key("ret"), journal=LEAVING))
    waiting = {
        "journal": lineage(notices=(notice(),), history=(record(),)),
        "policy": policy(hooks=("web",)),
    }
    assert isinstance(decide(snapshot(key(), **waiting)), Notify)
    assert ASTRAY == code(astray(key(), **waiting))


def test_what_is_right_at_any_time_is_done():
    half = {"holding": ("new", "old"), "journal": in_flight(), "policy": policy(targets=TARGETS)}

    assert isinstance(astray(key(), new(), **half), Deliver)
    assert "key_not_found" == code(astray())
    spent = (Spooled("ci-key", "r0", 1, None),)
    assert isinstance(astray(key(), spooled=spent), Destroy)
    theirs = Journal(lease=lease(OTHER))
    assert isinstance(astray(SOON, journal=theirs), Refuse), "of its end too a wrong clock is wrong"


def test_that_nothing_is_due_is_not_believed_either():
    settling = in_flight(mint(at=NOW))

    assert isinstance(decide(snapshot(key())), Wait)
    assert ASTRAY == code(astray(key()))
    assert decide(snapshot(key(), journal=settling)).soon
    assert ASTRAY == code(astray(key(), journal=settling))
    empty = {"holding": ("old", None), "journal": lineage(), "policy": policy(targets=TARGETS)}
    assert isinstance(decide(snapshot(key(), **empty)), Deliver)
    assert ASTRAY == code(astray(key(), **empty)), "that can wait"


def test_hooks_are_told_before_a_target_is_filled():
    waiting = lineage(notices=(notice(),), history=(record(),))
    rules = policy(targets=TARGETS, hooks=("web",))

    assert isinstance(
        decide(snapshot(key(), holding=("old", None), journal=waiting, policy=rules)), Notify
    )
    half = in_flight().model_copy(update={"notices": (notice(),), "history": (record(),)})
    s = snapshot(key(), new(), holding=("new", "old"), journal=half, policy=rules)
    assert isinstance(decide(s), Deliver)

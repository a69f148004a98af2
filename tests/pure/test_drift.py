"""Store and provider disagree with nothing in flight: whose doing it was, and what follows."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    NOW,
    OTHER,
    SECOND,
    TARGETS,
    TICK,
    current,
    key,
    lease,
    lineage,
    mint,
    policy,
    record,
    retiring,
    rotation,
    secret,
    service,
    shown,
    snapshot,
    unseen,
)

from rotator.decide import decide
from rotator.drift import doubted, verdict
from rotator.journal import Journal
from rotator.keys import KeyStatus
from rotator.model import (
    Choice,
    Deliver,
    Locked,
    Mint,
    OnDrift,
    Plan,
    Reason,
    Refuse,
    Wait,
)
from rotator.secrets import Redacted

ROTATE = policy(on_drift=OnDrift.ROTATE)
BOTH = policy(targets=TARGETS, on_drift=OnDrift.ROTATE)
DOUBT = Journal(doubted=(rotation(mint(), mint()),))
UNKNOWN = Reason(
    "store_holds_unknown_key",
    "app/one#key holds a key that the provider does not list, and not ak-old...old",
)


def code(step):
    return step.reason.code


# --- store_has_drifted: what it sees ---


def test_a_store_that_holds_what_nobody_knows_needs_a_person():
    assert Refuse(
        UNKNOWN,
        remedy="put the right key back, or run `rotator run --rotate ci-key`;"
        " `rotate.on_drift: rotate` does so by itself",
    ) == decide(snapshot(key(), holding=("two",)))


def test_a_store_that_holds_another_working_key_is_told_which():
    step = decide(snapshot(key(), key("two", name="x"), holding=("old", "two")))

    assert (
        Reason(
            "store_holds_another_key",
            "app/two#key holds ak-two...two, a working key, and not ak-old...old",
        )
        == step.reason
    )


@pytest.mark.parametrize("dead", [{"status": KeyStatus.REVOKED}, {"expires_at": NOW}])
def test_another_key_that_does_not_work_is_as_good_as_unknown(dead):
    assert UNKNOWN == decide(snapshot(key(), key("two", **dead), holding=("two",))).reason


def test_a_key_that_somebody_refreshed_by_hand_is_told_as_such():
    refreshed = key(redacted=shown("two"))
    step = decide(snapshot(refreshed, journal=lineage()))

    assert (
        Reason(
            "key_was_refreshed_elsewhere",
            "id-old was refreshed elsewhere, and app/one#key holds its former secret",
        )
        == step.reason
    )


def test_without_a_lineage_of_this_key_nobody_knows_what_it_looked_like():
    refreshed = key(redacted=shown("two"))

    assert "store_holds_unknown_key" == code(decide(snapshot(refreshed)))
    assert "store_holds_unknown_key" == code(
        decide(snapshot(refreshed, journal=lineage("new", selector="x")))
    )
    assert "store_holds_unknown_key" == code(
        decide(snapshot(key(), holding=("two",), journal=lineage()))
    )


@pytest.mark.parametrize("holding", [("old",), ("old", "old"), (None,), (None, "old"), ()])
def test_a_store_that_holds_the_key_or_nothing_has_not_drifted(holding):
    assert isinstance(decide(snapshot(key(), holding=holding)), Wait)


@pytest.mark.parametrize("look", [unseen(), Redacted("ak-", "old"), Redacted("", "old")])
def test_what_cannot_be_told_apart_has_not_drifted(look):
    assert isinstance(decide(snapshot(key(redacted=look), holding=("two",))), Wait)


def test_a_tail_alone_can_be_told_apart():
    look = Redacted("", "0old")

    assert isinstance(decide(snapshot(key(redacted=look))), Wait)
    assert isinstance(decide(snapshot(key(redacted=look), holding=("two",))), Refuse)


@pytest.mark.parametrize(("ago", "kind"), [(20 * SECOND, Refuse), (20 * SECOND - TICK, Wait)])
def test_just_after_a_rotation_a_listing_may_be_late(ago, kind):
    journal = lineage(current=current(since=NOW - ago))

    assert isinstance(decide(snapshot(key(), holding=("two",), journal=journal)), kind)


def test_a_rotation_that_is_due_comes_first():
    soon = key(expires_at=NOW + DAY)

    assert "key_near_expiry" == code(decide(snapshot(soon, holding=("two",))))


def test_no_key_leaves_while_the_store_has_drifted():
    journal = Journal(retiring=(retiring(),))

    assert isinstance(decide(snapshot(key(), holding=("two",), journal=journal)), Refuse)


# --- store_has_drifted: what follows ---


def test_a_policy_can_want_it_repaired():
    old = key()

    assert Mint(UNKNOWN, Plan("refresh", old, old.expires_at, HOUR, 90 * DAY)) == decide(
        snapshot(old, holding=("two",), policy=ROTATE)
    )


def test_a_repair_that_cannot_be_done_is_refused():
    rules = replace(ROTATE, strategy=Choice.REISSUE)

    assert "bindings_unknown" == code(decide(snapshot(service(), holding=("two",), policy=rules)))


def test_two_who_repair_against_each_other_do_so_once_an_interval():
    late, early = (
        Journal(history=(record(finished_at=NOW - HOUR + add),)) for add in (TICK * 0, TICK)
    )
    s = snapshot(key(), holding=("two",), policy=ROTATE)

    assert isinstance(decide(replace(s, journal=late)), Mint)
    assert Wait(UNKNOWN, NOW + TICK) == decide(replace(s, journal=early))


@pytest.mark.parametrize("rules", [policy(), ROTATE])
def test_what_our_own_late_request_may_have_done_is_repaired_at_once(rules):
    journal = DOUBT.model_copy(update={"history": (record(finished_at=NOW),)})

    step = decide(snapshot(key(), holding=("two",), journal=journal, policy=rules))

    assert isinstance(step, Mint)
    assert UNKNOWN == step.reason


@pytest.mark.parametrize(
    ("ago", "kind"), [(2 * HOUR - TICK, Mint), (2 * HOUR, Refuse)], ids=["of late", "long ago"]
)
def test_what_is_written_long_after_a_lost_mint_is_somebodys_own(ago, kind):
    """A process that was stopped in a write wakes up sooner, where no check-and-set stops it."""
    late = Journal(doubted=(rotation(mint(at=NOW - DAY), mint(at=NOW - ago)),))

    assert isinstance(decide(snapshot(key(), holding=("two",), journal=late)), kind)


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ({"current": current("two", key_id="id-old")}, Mint),
        ({"current": current("three", key_id="id-old")}, Refuse),
        ({}, Refuse),
    ],
    ids=["as we left it", "not as we left it", "nor as it was before"],
)
def test_a_late_mint_is_repaired_however_late_for_it_leaves_the_store_as_it_was(known, kind):
    late = rotation(mint(at=NOW - DAY), mint(at=NOW - DAY))
    journal = Journal(selector="id id-old", doubted=(late,), **known)

    assert isinstance(decide(snapshot(key(), holding=("two",), journal=journal)), kind)


def test_before_the_first_record_it_is_what_the_rotation_began_with():
    began = secret("two").fingerprint
    late = rotation(mint(at=NOW - DAY), mint(at=NOW - DAY), fingerprint=began)
    s = snapshot(key(), holding=("two",), journal=Journal(doubted=(late,)))

    assert isinstance(decide(s), Mint)


# --- target_is_empty ---


@pytest.mark.parametrize("holding", [("old", None), (None, "old"), (None, "old", "old")])
def test_a_target_that_holds_nothing_gets_what_another_has(holding):
    s = snapshot(key(), holding=holding, journal=lineage(), policy=BOTH)
    empty = s.held[holding.index(None)].target
    text = f"{empty} holds no key, and another target has ak-old...old"

    assert Deliver(Reason("target_is_empty", text), key(), secret()) == decide(s)


def test_all_that_hold_nothing_are_named():
    step = decide(snapshot(key(), holding=(None, "old", None), journal=lineage(), policy=BOTH))

    assert step.reason.text.startswith("app/one#key, app/three#key holds no key, and another")


@pytest.mark.parametrize(
    ("journal", "holding"),
    [
        (lineage(rotation=rotation()), ("old", None)),
        (Journal(), ("old", None)),
        (lineage("other"), ("old", None)),
        (lineage(current=current(fingerprint="another")), ("old", None)),
        (lineage(), ("two", None)),
        (lineage(), ("old", "old")),
        (lineage(), ("old", "two")),
        (lineage(), ("old", None, "two")),
    ],
    ids=[
        "in flight",
        "not ours",
        "another key",
        "not that",
        "no other has it",
        "none is empty",
        "not empty",
        "drift",
    ],
)
def test_nothing_but_the_key_that_we_delivered_is_copied_to_what_is_empty(journal, holding):
    s = snapshot(key(), holding=holding, journal=journal, policy=policy(targets=TARGETS))

    assert not isinstance(decide(s), Deliver)


def test_what_looks_like_it_and_is_listed_otherwise_is_not_copied():
    """Somebody has refreshed it under its id: what the other target holds will end."""
    s = snapshot(
        key(redacted=shown("two")),
        holding=("old", None),
        journal=lineage(),
        policy=policy(targets=TARGETS),
    )

    assert "key_was_refreshed_elsewhere" == code(decide(s))


EMPTY = Reason("store_holds_nothing", "app/one#key was emptied: it held a key that was delivered")


def test_what_was_delivered_and_is_in_no_target_any_more_was_emptied():
    s = snapshot(key(), holding=(None, None), journal=lineage(), policy=BOTH)

    assert EMPTY == verdict(s)
    assert EMPTY == decide(s).reason
    assert isinstance(decide(s), Mint)
    assert isinstance(decide(replace(s, policy=policy(targets=TARGETS))), Refuse)


@pytest.mark.parametrize(
    ("journal", "holding"),
    [
        (Journal(), (None, None)),
        (lineage("other"), (None, None)),
        (lineage(current=current(since=NOW - SECOND)), (None, None)),
        (lineage(), ("old", None)),
        (lineage(), (None, "old")),
    ],
    ids=["not delivered", "another key", "just now", "the second is new", "the first is new"],
)
def test_a_target_that_waits_for_its_first_key_was_not(journal, holding):
    s = snapshot(key(), holding=holding, journal=journal, policy=BOTH)

    assert None is verdict(s)


def test_no_late_request_of_ours_empties_a_target():
    journal = lineage(doubted=DOUBT.doubted)
    s = snapshot(key(), holding=(None,), journal=journal, policy=policy())

    assert isinstance(decide(s), Refuse)


def repaired(*ends, reason=UNKNOWN.code):
    return tuple(record(reason=reason, finished_at=end) for end in ends)


@pytest.mark.parametrize("rules", [policy(), ROTATE])
def test_our_own_late_requests_are_not_repaired_for_ever(rules):
    """Where each repair fails, say because Arize accepts new keys too late, each made a new key."""
    ends = [NOW - HOUR + n * TICK for n in (5, 4, 3, 2, 1)]
    refusals = (record(reason=UNKNOWN.code, key_id="", outcome="failed", finished_at=NOW),) * 9
    by_hand = repaired(*[NOW - TICK] * 9, reason="rotation_was_demanded")
    s = snapshot(key(), holding=("two",), policy=rules)
    less = DOUBT.model_copy(update={"history": (*refusals, *by_hand, *repaired(*ends[:4]))})
    often = less.model_copy(update={"history": (*less.history, *repaired(ends[4]))})

    assert Wait(UNKNOWN, NOW + TICK) == decide(replace(s, journal=often))
    assert isinstance(decide(replace(s, journal=often, now=NOW + TICK)), Mint)
    assert isinstance(decide(replace(s, journal=less)), Mint)


@pytest.mark.parametrize(
    ("changes", "third"),
    [({}, HOUR / 3), ({"min_interval": DAY}, HOUR / 3), ({"min_interval": HOUR / 2}, HOUR / 6)],
    ids=["both are an hour", "the grace is shorter", "the interval is shorter"],
)
def test_two_of_the_repairs_wait_for_better_luck_while_the_former_key_has_its_grace(changes, third):
    s = snapshot(key(), holding=("two",), policy=policy(grace=HOUR, **changes))

    def tried(*ends):
        return replace(s, journal=DOUBT.model_copy(update={"history": repaired(*ends)}))

    assert isinstance(decide(tried(NOW, NOW)), Mint)
    assert Wait(UNKNOWN, NOW + third) == decide(tried(NOW, NOW, NOW))
    assert Wait(UNKNOWN, NOW + third) == decide(tried(NOW, NOW - TICK, NOW - TICK, NOW - TICK))
    assert isinstance(decide(tried(*[NOW - third] * 3)), Mint)


def test_an_old_doubt_is_none():
    late, later = (
        rotation(mint(at=NOW - 9 * DAY), mint(at=NOW - 2 * DAY + add)) for add in (TICK * 0, TICK)
    )
    s = snapshot(key(), holding=("two",), journal=Journal(doubted=(late,)))

    assert isinstance(decide(s), Refuse)
    assert (later,) == doubted(snapshot(journal=Journal(doubted=(later, late))))


def test_another_who_holds_the_lease_is_left_to_it():
    journal = Journal(lease=lease(OTHER))

    assert isinstance(
        decide(snapshot(key(), holding=("two",), journal=journal, policy=ROTATE)), Locked
    )


@pytest.mark.parametrize("journal", [DOUBT, Journal()], ids=["ours", "by policy"])
def test_a_repair_by_refresh_asks_for_no_longer_life_which_might_be_refused(journal):
    rules = policy(strategy=Choice.REFRESH, lifetime=90 * DAY, on_drift=OnDrift.ROTATE)
    step = decide(snapshot(key(), holding=("two",), journal=journal, policy=rules))

    assert key().expires_at == step.plan.expires_at

"""With a rotation in flight: what became of its key, and what follows from that."""

from dataclasses import replace

import pytest
from pure_builders import (
    ASKED,
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    SECOND,
    TARGETS,
    TICK,
    current,
    endless,
    in_flight,
    key,
    lineage,
    mint,
    new,
    policy,
    record,
    retiring,
    rotation,
    secret,
    service,
    shown,
    snapshot,
)

from rotator.decide import decide
from rotator.flight import old_key_ends
from rotator.journal import Journal
from rotator.model import (
    Choice,
    Deliver,
    Fail,
    Limits,
    Mint,
    Plan,
    Promote,
    Reason,
    Refuse,
    Selector,
    Wait,
)


def code(step):
    return step.reason.code


def look(*keys, mints=(), holding=("old",), demanded=False, rules=None, **changes):
    journal = in_flight(*mints, **changes)
    return decide(
        snapshot(
            *keys,
            holding=holding,
            journal=journal,
            demanded=demanded,
            policy=rules or policy(targets=TARGETS),
        )
    )


# --- delivery_is_incomplete ---


@pytest.mark.parametrize(
    ("holding", "missing"),
    [
        (("new", "old"), "app/two#key"),
        (("old", "new", None), "app/one#key, app/three#key"),
        (("two", "new"), "app/one#key"),
    ],
)
def test_targets_that_lack_the_new_key_get_it(holding, missing):
    text = f"ak-new...new is in the store, but not yet at {missing}"

    assert Deliver(Reason("delivery_is_incomplete", text), new(), secret("new")) == look(
        key(), new(), holding=holding
    )


# --- delivery_is_unrecorded ---


@pytest.mark.parametrize("holding", [("new",), ("new", "new")])
def test_a_key_that_all_targets_have_is_proved_and_recorded(holding):
    text = "ak-new...new is in the store and waits to be proved and recorded"

    assert Promote(Reason("delivery_is_unrecorded", text), new(), secret("new")) == look(
        key(), new(), holding=holding
    )


def test_a_refreshed_key_is_recorded_under_its_old_id():
    refreshed = key(redacted=shown("new"))

    assert refreshed == look(refreshed, holding=("new",)).key


def test_a_delivery_is_recorded_whatever_else_is_the_matter():
    mints = (mint(),) * 5
    step = look(new(), holding=("new",), mints=mints, demanded=True)

    assert "delivery_is_unrecorded" == code(step)


@pytest.mark.parametrize(
    ("label", "holding", "copied"),
    [
        ("new", ("new", "old", "old"), True),
        ("new", ("old", None, "new"), True),
        ("new", ("old", "old", "old"), False),
        ("new", ("new", "new", "new"), False),
        ("new", ("new", None, "new"), False),
        ("two", ("new", "old", "old"), False),
    ],
)
def test_a_target_that_a_rotation_has_left_out_gets_its_key(label, holding, copied):
    """Whoever ended it went by rules without that target."""
    done = record(key_id="id-new", old_fingerprint=secret().fingerprint)
    journal = lineage("new", history=(done,))
    journal = journal.model_copy(update={"current": current("new", since=NOW)})
    s = snapshot(key(label), holding=holding, journal=journal, policy=policy(targets=TARGETS))
    left = ", ".join(str(one.target) for one in s.held if one.value != secret("new"))
    text = f"ak-new...new is in the store, but not yet at {left}"

    step = Deliver(Reason("delivery_is_incomplete", text), key("new"), secret("new"))
    assert copied == (step == decide(s))


# --- too_many_mints ---


def test_a_rotation_that_keeps_losing_its_keys_asks_for_a_person():
    until = NOW - MINUTE + HOUR

    assert Refuse(
        Reason("too_many_mints", "5 keys were minted in rotation r1 and none arrived"),
        remedy="look at the errors of the store and the provider; tried again on its own at"
        " 2026-11-23 09:30 UTC",
        until=until,
    ) == look(key(), new(), mints=(mint(),) * 5)


def test_the_last_of_the_mints_tells_when_it_is_tried_again():
    early, late = mint(at=NOW - 2 * HOUR), mint(at=NOW - HOUR + TICK)

    assert NOW + TICK == look(key(), mints=(early,) * 5 + (late,)).until
    assert "raw_key_was_lost" == code(
        look(key(), new(created_at=NOW - HOUR), mints=(early,) * 5 + (mint(at=NOW - HOUR),))
    )


def test_fewer_mints_are_not_too_many():
    assert "raw_key_was_lost" == code(look(key(), new(), mints=(mint(),) * 4))


def test_how_many_is_a_limit():
    s = snapshot(key(), new(), journal=in_flight(mint(), mint()), limits=Limits(mints=2))

    assert "too_many_mints" == code(decide(s))
    assert "raw_key_was_lost" == code(decide(replace(s, limits=Limits(mints=3))))


def test_it_does_not_pause_until_the_secret_has_died_that_a_late_refresh_replaced():
    """The store holds that, and under the id of it the provider lists one that nobody has."""
    refreshed = (mint(strategy="refresh", grace=grace) for grace in (HOUR, 2 * HOUR, None))
    late = rotation(*refreshed, mint(strategy="refresh", grace=MINUTE, source_id="id-other"))
    before = secret("former").fingerprint
    lost = rotation(*(mint(),) * 5, started_at=NOW - 2 * MINUTE, fingerprint=before)
    s = snapshot(
        key(), holding=("former",), journal=Journal(rotation=lost, doubted=(late,)), policy=policy()
    )

    def until(snapshot_):
        return decide(snapshot_).until

    with_empty = replace(s, held=snapshot(key(), holding=("former", None)).held)

    assert NOW - MINUTE + (HOUR - MINUTE) / 2 == until(s) == until(with_empty)
    assert NOW - MINUTE + HOUR == until(replace(s, journal=Journal(rotation=lost)))
    assert NOW - MINUTE + HOUR == until(replace(s, held=snapshot(key()).held))


@pytest.mark.parametrize(
    ("holding", "pause"), [(("old",), HOUR), (("one",), HOUR / 2), (("old", "one"), HOUR / 2)]
)
def test_nor_until_that_has_died_which_it_had_delivered_before_a_late_mint_replaced_it(
    holding, pause
):
    """When that was is not told; the grace of the old key is over already."""
    over = {"started_at": NOW - 2 * HOUR, "grace_deadline": NOW - HOUR}
    listed = key(redacted=shown("new"), expires_at=None)
    s = snapshot(listed, holding=holding, journal=in_flight(*(mint(),) * 5, **over))

    assert NOW - MINUTE + pause == decide(replace(s, policy=policy(targets=TARGETS))).until


def test_a_listed_key_that_a_target_holds_lives_as_long_as_the_listing_says():
    there = key("ret", expires_at=NOW + 20 * MINUTE)
    journal = in_flight(*(mint(),) * 5, siblings=("id-ret",))
    s = snapshot(key(), there, holding=("ret",), journal=journal)
    endless_there = replace(s, keys=(key(), endless("ret")))

    assert NOW - MINUTE + 21 * MINUTE / 2 == decide(s).until
    assert NOW - MINUTE + HOUR == decide(endless_there).until


# --- raw_key_was_lost ---

LOST = Reason(
    "raw_key_was_lost", "ak-new...new was minted for rotation r1 and never reached the store"
)


def test_a_lost_key_is_replaced_by_a_reissue_of_the_old_one():
    old = key()

    assert Mint(LOST, Plan("reissue", old, ASKED + 90 * DAY, HOUR, 90 * DAY)) == look(old, new())


def test_where_the_old_key_is_gone_the_lost_one_is_copied():
    lost = new()

    assert Mint(LOST, Plan("reissue", lost, ASKED + 90 * DAY, HOUR, 90 * DAY)) == look(lost)


def test_where_only_refreshes_are_wanted_the_lost_key_is_refreshed():
    lost = new()
    rules = policy(strategy=Choice.REFRESH)

    assert Mint(LOST, Plan("refresh", lost, lost.expires_at, HOUR, 90 * DAY)) == look(
        key(), lost, rules=rules
    )


def test_the_latest_mint_says_what_the_lost_key_was_to_be():
    mints = mint(lifetime=DAY), mint(lifetime=30 * DAY)

    assert 30 * DAY == look(key(), new(), mints=mints).plan.lifetime


def test_the_newest_of_several_lost_keys_stands_for_them():
    newest = new("two", created_at=NOW - MINUTE + SECOND)
    rules = policy(strategy=Choice.REFRESH)

    assert newest == look(key(), new(), newest, rules=rules).plan.source


# --- old_key_is_gone ---


@pytest.mark.parametrize(
    ("selector", "patience"),
    [("id id-old", HOUR), ("id id-other", 20 * SECOND)],
    ids=["an answer may be late", "a person names another key"],
)
def test_where_the_old_key_is_gone_the_rotation_is_given_up(selector, patience):
    def after(age, *keys):
        return look(*keys, mints=(mint(at=NOW - age),), selector=selector)

    gone = Reason(
        "old_key_is_gone", "ak-old...old is gone, and rotation r1 has brought no other key"
    )

    assert Fail(gone) == after(patience)
    assert Fail(gone) != after(patience - TICK)
    assert not isinstance(after(patience, key()), Fail)
    assert not isinstance(after(patience, new(created_at=NOW - patience)), Fail)


# --- mint_left_no_trace ---


def test_an_old_key_goes_in_its_time_also_while_the_one_that_is_meant_is_lost():
    entry = retiring()
    journal = in_flight(mint(at=NOW - HOUR / 2)).model_copy(update={"retiring": (entry,)})

    step = decide(snapshot(key("ret"), holding=("old",), journal=journal))

    assert ("retirement_is_due", entry) == (step.reason.code, step.entry)


NO_TRACE = Reason("mint_left_no_trace", "rotation r1 was begun, and no new key came of it")


def test_a_mint_that_left_no_trace_is_tried_again():
    old, tried = endless(), mint(lifetime=None, expires_at=None)

    assert Mint(NO_TRACE, Plan("refresh", old, None, HOUR)) == look(old, mints=(tried,))


@pytest.mark.parametrize(
    ("ago", "waits"), [(20 * SECOND, False), (20 * SECOND - TICK, True), (SECOND, True)]
)
def test_a_listing_gets_time_to_show_what_happened(ago, waits):
    step = look(key(), mints=(mint(at=NOW - HOUR), mint(at=NOW - ago)))

    text = "the last mint was not answered; a listing will show whether it happened"
    wait = Wait(Reason("mint_is_settling", text), NOW - ago + 20 * SECOND, soon=True)
    assert waits == (wait == step)
    assert waits or isinstance(step, Mint)


@pytest.mark.parametrize(("ahead", "waits"), [(HOUR, True), (HOUR + TICK, False)])
def test_a_mint_of_the_future_has_settled(ahead, waits):
    """Somebody wrote it by a clock that nobody follows: a listing shows what came of it."""
    step = look(key(), mints=(mint(at=NOW + ahead),))

    assert waits == (step.reason.code == "mint_is_settling")


def test_a_mint_that_cannot_be_tried_again_is_refused():
    rules = policy(strategy=Choice.REISSUE)

    assert "bindings_unknown" == code(look(service(), rules=rules))


def test_a_rotation_whose_key_is_gone_needs_a_person():
    step = look(key("two"))

    assert ("key_not_found", "the provider lists no active key id-old") == (
        code(step),
        step.reason.text,
    )


def test_a_rotation_goes_on_although_the_policy_names_another_key_by_now():
    rules = policy(selector=Selector(id="id-two"))

    assert "id-old" == look(key(), key("two", name="x"), rules=rules).plan.source.id


# --- a human's namesake ---


def test_a_namesake_that_a_person_made_is_neither_repaired_nor_recorded():
    theirs = new("two", created_at=NOW - 2 * MINUTE)

    assert NO_TRACE == look(key(), theirs).reason
    assert "id-old" == look(key(), theirs).plan.source.id


def test_a_namesake_from_before_is_not_ours_even_when_a_target_holds_it():
    assert NO_TRACE == look(key(), new(), holding=("new",), siblings=("id-new",)).reason


@pytest.mark.parametrize(
    ("left", "pause"),
    [
        (3 * HOUR, HOUR),
        (HOUR, 30 * MINUTE),
        (90 * SECOND, MINUTE),
        (NOTHING, HOUR),
        (-SECOND, HOUR),
        (None, HOUR),
    ],
)
def test_the_pause_of_a_rotation_out_of_luck_leaves_time_before_the_old_key_ends(left, pause):
    last = NOW - 10 * SECOND
    deadline = None if left is None else last + left
    mints = [mint(at=NOW - MINUTE)] * 4 + [mint(at=last)]

    assert last + pause == look(key(), mints=mints, grace_deadline=deadline).until


def test_where_nothing_ends_the_pause_is_as_long_as_between_rotations():
    mints = [mint(at=NOW - MINUTE)] * 5

    assert NOW - MINUTE + HOUR == look(endless(), mints=mints, expires_at=None).until


@pytest.mark.parametrize("held", ["old", "two"])
def test_the_pause_leaves_time_before_whatever_consumers_use_ends(held):
    """The old key itself, or a former one that somebody has put back."""
    last = NOW - 10 * SECOND
    mints = [mint(at=NOW - MINUTE)] * 4 + [mint(at=last)]
    ends = {"old": last + 3 * HOUR, "two": last + 3 * HOUR} | {held: last + HOUR}
    old, other = key(expires_at=ends["old"]), key("two", name="x", expires_at=ends["two"])

    found = look(old, other, holding=(held, "old"), mints=mints, expires_at=old.expires_at)

    assert last + 30 * MINUTE == found.until


@pytest.mark.parametrize(
    ("deadline", "expiry", "expected"),
    [
        (NOW + HOUR, NOW + MINUTE, NOW + MINUTE),
        (NOW + MINUTE, NOW + HOUR, NOW + MINUTE),
        (NOW + MINUTE, None, NOW + MINUTE),
        (None, NOW + HOUR, NOW + HOUR),
        (None, None, None),
    ],
)
def test_the_old_key_ends_with_its_grace_or_its_life(deadline, expiry, expected):
    journal = in_flight(grace_deadline=deadline, expires_at=expiry)

    assert expected == old_key_ends(snapshot(key(), journal=journal))


def test_without_a_rotation_no_key_is_old():
    assert None is old_key_ends(snapshot(key()))


def test_a_key_that_was_refused_is_not_one_that_was_lost():
    journal = in_flight(mint(), mint()).model_copy(update={"retiring": (retiring("new"),)})

    step = decide(snapshot(key(), new(), new("two"), journal=journal))

    assert "ak-two...two was minted for rotation r1 and never reached the store" == step.reason.text

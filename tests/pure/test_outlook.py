"""What ``plan`` foresees: the next thing that changes something."""

from dataclasses import replace

import pytest
from pure_builders import (
    ASKED,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    TARGETS,
    TICK,
    by_name,
    endless,
    in_flight,
    key,
    lease,
    lineage,
    mint,
    new,
    policy,
    record,
    retiring,
    service,
    snapshot,
)

from rotator.errors import Rejected
from rotator.journal import Journal
from rotator.model import Choice, Reason, Refuse, Target
from rotator.outlook import Outlook, Write, outlook, rotation_ahead, unseen

SOON = key(expires_at=NOW + 14 * DAY)
SHARED = Refuse(Reason("key_is_shared", "two have it"), "name another key")
WHY_SOON = {
    "reason": "key_near_expiry",
    "text": "expires 2026-12-07 08:31 UTC, and is replaced 14d before",
}


def row(of, action, **changes):
    """What is always told of a policy and its key."""
    default = Outlook(
        policy="ci-key",
        action=action,
        at=NOW,
        reason="",
        text="",
        key_id=of.id,
        redacted_key=str(of.redacted),
        expires_at=of.expires_at,
        targets=("app/one#key",),
        writes=() if action == "wait" else (Write("app/one", ("key",)),),
    )
    return replace(default, **changes)


def act(s):
    seen = outlook(s)
    return seen.action, seen.reason, seen.at


# --- now ---


def test_a_rotation_that_is_due_is_told_with_what_it_will_do():
    assert row(SOON, "reissue", **WHY_SOON, new_expires_at=ASKED + 24 * DAY, grace=HOUR) == outlook(
        snapshot(SOON)
    )


def test_a_refresh_is_told_as_one():
    old = endless()

    assert row(
        old,
        "refresh",
        reason="rotation_was_demanded",
        text="a rotation was asked for by hand",
        grace=HOUR,
    ) == outlook(snapshot(old, demanded=True))


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        (
            snapshot(key(), new(), holding=("new", "old"), journal=in_flight()),
            ("deliver", "delivery_is_incomplete"),
        ),
        (
            snapshot(key(), new(), holding=("new",), journal=in_flight()),
            ("promote", "delivery_is_unrecorded"),
        ),
        (
            snapshot(key(), journal=Journal(retiring=(retiring(),))),
            ("retire", "retirement_is_due"),
        ),
        (
            snapshot(key(), new(), journal=in_flight(mint(owner=OTHER))),
            ("lock", "raw_key_was_lost"),
        ),
    ],
)
def test_what_is_to_be_done_now_is_told(s, expected):
    assert (*expected, NOW) == act(s)


def test_a_policy_that_another_is_at_is_told_until_when():
    s = snapshot(SOON, journal=Journal(lease=lease(OTHER, until=NOW + MINUTE)))

    assert ("locked", "another_holds_the_lease", NOW + MINUTE) == act(s)


def test_a_refusal_is_told_with_its_remedy_and_without_a_time_where_it_has_none():
    s = snapshot(service(expires_at=NOW + DAY), policy=policy(strategy=Choice.REISSUE))
    seen = outlook(s)

    assert ("refuse", "bindings_unknown", None) == (seen.action, seen.reason, seen.at)
    assert seen.remedy.startswith("write them under `key.bindings`")


def test_a_refusal_may_say_when_it_is_looked_at_again():
    s = snapshot(key(), journal=in_flight(*(mint(),) * 5))

    assert ("refuse", "too_many_mints", NOW - MINUTE + HOUR) == act(s)


def test_of_no_key_and_of_several_none_is_told():
    for s in (snapshot(), snapshot(key(), key("two"), policy=by_name())):
        seen = outlook(s)

        assert (None, None, None) == (seen.key_id, seen.redacted_key, seen.expires_at)


def test_the_targets_are_told_and_which_of_them_are_empty():
    s = snapshot(key(), holding=("old", None, None), policy=policy(targets=TARGETS))
    seen = outlook(s)

    assert ("app/one#key", "app/two#key", "app/three#key") == seen.targets
    assert ("app/two#key", "app/three#key") == seen.empty_targets


def test_what_a_rotation_will_write_is_told_by_the_names_of_the_fields():
    metadata = {"key_id": "arize_id", "rotated_at": "arize_rotated"}
    targets = (Target("app/one", "key", metadata=metadata), Target("two", "token", mount="team"))
    s = snapshot(SOON, policy=policy(targets=targets))

    assert (
        Write("app/one", ("key", "arize_id", "arize_rotated")),
        Write("team/two", ("token",)),
    ) == outlook(s).writes


def test_of_a_delivery_only_what_is_missing_will_be_written():
    s = snapshot(
        *(key(), new()),
        holding=("new", "old"),
        journal=in_flight(),
        policy=policy(targets=TARGETS[:2]),
    )

    assert (Write("app/two", ("key",)),) == outlook(s).writes


def test_the_key_that_rotator_works_with_is_marked():
    assert [True, False] == [outlook(snapshot(key(), own=own)).own for own in (True, False)]


def test_what_could_not_be_seen_is_told_with_what_to_do():
    seen = unseen("ci", Rejected("no such space", remedy="check it"))

    assert Outlook("ci", "failed", None, "rejected", "no such space", remedy="check it") == seen


def test_a_person_is_needed_where_it_does_not_go_on_and_where_nobody_knows():
    refused, well = (outlook(snapshot(*keys)) for keys in ((), (key(),)))

    assert [True, True, False] == [
        row.needs_a_person for row in (unseen("ci", Rejected("")), refused, well)
    ]


# --- later ---


def test_a_rotation_to_come_is_told_with_its_time_and_what_it_will_do():
    old = key()

    assert row(
        old,
        "reissue",
        at=NOW + 66 * DAY,
        reason="key_near_expiry",
        text="expires 2027-02-11 08:31 UTC, and is replaced 14d before",
        new_expires_at=ASKED + 156 * DAY,
        grace=HOUR,
    ) == outlook(snapshot(old))


def test_a_retirement_to_come_is_told_as_one():
    s = snapshot(key(), journal=Journal(retiring=(retiring(at=NOW + TICK),)))
    seen = outlook(s)

    assert ("retire", "retirement_is_due", NOW + TICK) == act(s)
    assert "ak-ret...ret is to be revoked then" == seen.text


def test_a_refusal_to_come_is_told_today():
    s = snapshot(service(), policy=policy(strategy=Choice.REISSUE))
    seen = outlook(s)

    assert ("refuse", "key_near_expiry", NOW + 66 * DAY) == act(s)
    assert seen.text.endswith("a reissue must not guess them")
    assert seen.remedy.startswith("write them under `key.bindings`")


@pytest.mark.parametrize(
    ("expires_at", "at"), [(SOON.expires_at, None), (key().expires_at, NOW + 66 * DAY)]
)
def test_a_key_that_is_shared_is_not_rotated_now_or_later(expires_at, at):
    s = snapshot(key(expires_at=expires_at))

    for seen in (outlook(s, {"id-old": SHARED}), rotation_ahead(s, {"id-old": SHARED})):
        assert ("refuse", at) == (seen.action, seen.at)
        assert ("two have it", "name another key") == (seen.text, seen.remedy)
    assert outlook(s) == outlook(s, {"id-other": SHARED})


def test_behind_an_old_key_is_a_key_that_is_shared():
    s = snapshot(key(), journal=Journal(retiring=(retiring(at=NOW + TICK),)))

    assert "reissue" == rotation_ahead(s).action
    assert "refuse" == rotation_ahead(s, {"id-old": SHARED}).action


def test_where_a_delivery_is_carried_on_that_is_what_is_ahead():
    s = snapshot(
        key(),
        new(),
        holding=("new", "old"),
        journal=in_flight(),
        policy=policy(targets=TARGETS[:2]),
    )

    assert ("deliver", "delivery_is_incomplete") == (
        rotation_ahead(s).action,
        rotation_ahead(s).reason,
    )


@pytest.mark.parametrize("at", [NOW, NOW + TICK])
def test_an_old_key_that_is_shared_stays_and_holds_up_what_comes_after(at):
    entry = retiring(at=at)
    s = snapshot(key(), key("ret"), journal=Journal(retiring=(entry,)))
    barred = {entry.key_id: SHARED}

    assert "retire" == outlook(s).action
    assert ["refuse"] * 2 == [outlook(s, barred).action, rotation_ahead(s, barred).action]


def test_where_nothing_is_due_there_is_no_time():
    assert row(
        endless(),
        "wait",
        at=None,
        reason="nothing_is_due",
        text="the key has no expiry and the policy no `max_age`, so that nothing will ever be due",
    ) == outlook(snapshot(endless()))


def test_a_mint_that_settles_may_be_tried_again_then():
    s = snapshot(key(), journal=in_flight(mint(at=NOW)))

    seen = outlook(s)
    assert ("refresh", "mint_is_settling", NOW + MINUTE / 3) == act(s)
    assert HOUR == seen.grace


def test_a_wait_that_ends_in_another_wait_is_told_as_one():
    journal = in_flight(mint(owner=OTHER)).model_copy(
        update={"lease": lease(taken_at=NOW, until=NOW + MINUTE / 6)}
    )
    s = snapshot(key(), new(), journal=journal)

    assert ("wait", "raw_key_was_lost", NOW + MINUTE / 3) == act(s)


def test_a_copy_to_an_empty_target_is_told_with_where_it_goes_and_what_comes_after():
    s = snapshot(
        key(), holding=("old", None), journal=lineage(), policy=policy(targets=TARGETS[:2])
    )
    seen = outlook(s)

    assert ("deliver", "target_is_empty", NOW) == act(s)
    assert (Write(TARGETS[1].secret, (TARGETS[1].field,)),) == seen.writes
    then = rotation_ahead(s)
    assert ("reissue", NOW + 66 * DAY, ()) == (then.action, then.at, then.empty_targets)


# --- beyond the keys that wait to be revoked ---


def ahead(*keys, **changes):
    seen = rotation_ahead(snapshot(*keys, journal=Journal(**changes)))
    return seen.action, seen.at


def test_behind_old_keys_is_what_happens_to_the_one_in_use():
    old = (retiring(at=NOW + TICK), retiring("two", at=NOW), retiring("new", at=NOW + HOUR))

    assert ("reissue", NOW + 66 * DAY) == ahead(key(), key("two"), new(), retiring=old)


def test_an_old_key_of_which_nobody_knows_when_it_comes_first_is_passed_too():
    stray = new(created_at=NOW - MINUTE)
    doubted = in_flight(mint()).rotation.model_copy(update={"key_id": "id-ret"})

    found = snapshot(key(), stray, journal=Journal(doubted=(doubted,)))

    assert ("retire", "stray_key_appeared", NOW) == act(found)
    assert ("reissue", NOW + 66 * DAY) == ahead(key(), stray, doubted=(doubted,))


def test_a_look_at_an_old_key_is_passed_as_well():
    entry = retiring(at=NOW + HOUR)
    known = record(old_key_id=entry.key_id, old_valid_until=entry.at)
    journal = Journal(retiring=(entry,), history=(known,))

    assert ("wait", "old_key_is_watched") == act(snapshot(key(), journal=journal))[:2]
    assert ("reissue", NOW + 66 * DAY) == ahead(key(), retiring=(entry,), history=(known,))


def test_where_there_is_no_end_of_waiting_nothing_is_told():
    assert ("wait", None) == ahead(endless())
    assert ("refuse", None) == ahead()


def test_no_further_than_a_hundred_steps_are_looked_ahead():
    old = tuple(retiring(f"{number:03}", at=NOW + number * MINUTE) for number in range(101))

    assert ("retire", NOW + 100 * MINUTE) == ahead(key(), retiring=old)


@pytest.mark.parametrize(
    ("action", "doing"),
    [("reissue", "reissue"), ("wait", "look"), ("refuse", "a person"), ("failed", "")],
)
def test_what_is_done_is_said_in_a_word(action, doing):
    assert doing == row(key(), action).doing

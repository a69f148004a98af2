"""Refresh or reissue, with which expiry and which grace."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pure_builders import (
    ASKED,
    BINDINGS,
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    SECOND,
    TICK,
    current,
    endless,
    in_flight,
    key,
    lineage,
    mint,
    policy,
    record,
    rotation,
    service,
    shown,
    snapshot,
)

from rotator.keys import KeyType, LegacyBindings
from rotator.model import Choice, Plan, Reason, Refuse
from rotator.strategy import choose, expiry_margin, lifetime_of, was_replaced

LEGACY = LegacyBindings("space-1", space_role="member")
SOON = key(expires_at=NOW + 14 * DAY)
STRANGE = key(type=KeyType.UNKNOWN)


def chosen(old, **changes):
    return choose(snapshot(old, policy=policy(**changes)), old)


def refreshing(**changes):
    return {"strategy": Choice.REFRESH} | changes


def reissuing(**changes):
    return {"strategy": Choice.REISSUE} | changes


# --- the margin before an expiry ---


@pytest.mark.parametrize(
    ("before", "grace", "expected"),
    [
        (14 * DAY, HOUR, 14 * DAY),
        (TICK, HOUR, TICK),
        (None, HOUR, 2 * HOUR),
        (None, SECOND, 2 * MINUTE),
        (NOTHING, HOUR, 2 * HOUR),
    ],
)
def test_a_key_is_replaced_in_time_even_when_nobody_says_how_long_before(before, grace, expected):
    assert expected == expiry_margin(policy(before_expiry=before, grace=grace), MINUTE)


# --- auto ---


def test_a_key_without_expiry_is_refreshed():
    old = endless()

    assert Plan("refresh", old, None, HOUR) == chosen(old)


def test_a_key_without_expiry_is_refreshed_into_the_lifetime_the_policy_wants():
    old = endless()

    assert Plan("refresh", old, ASKED + 30 * DAY, HOUR, 30 * DAY) == chosen(old, lifetime=30 * DAY)


def test_a_key_whose_grace_would_be_too_short_for_a_refresh_is_reissued():
    old = endless()

    assert Plan("reissue", old, None, 59 * SECOND) == chosen(old, grace=59 * SECOND)
    assert 30 * DAY == chosen(old, grace=59 * SECOND, lifetime=30 * DAY).lifetime


def refreshed(ends=NOW + TICK, **changes):
    """The journal of a key that is the replacement of a secret, until ``ends``."""
    changes = {"key_id": "id-old", "strategy": "refresh", "old_valid_until": ends} | changes
    return lineage(history=(record(key_id="id-two"), record(**changes)))


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        (refreshed(), "reissue"),
        (refreshed(NOW), "refresh"),
        (refreshed(None), "refresh"),
        (refreshed(strategy="reissue"), "refresh"),
        (refreshed(key_id="id-two"), "refresh"),
        (lineage(current=current(redacted=str(shown("two")))), "reissue"),
        (lineage("two"), "refresh"),
    ],
    ids=["in its grace", "over", "unknown", "reissued", "of another", "not by us", "adopted"],
)
def test_while_a_former_secret_has_its_grace_its_successor_is_not_refreshed(journal, expected):
    """A second refresh may end the grace of the first one."""
    old = endless()
    s = snapshot(old, journal=journal)

    assert expected == choose(s, old).strategy
    assert "refresh" == choose(replace(s, policy=policy(**refreshing())), old).strategy


def test_unless_nobody_knows_what_it_is_to_be_given():
    old = replace(endless(), type=KeyType.SERVICE)

    assert "refresh" == choose(snapshot(old, journal=refreshed()), old).strategy


def test_a_bounded_key_keeps_its_date_while_a_later_rotation_will_extend_it():
    old = key(expires_at=NOW + 14 * DAY + TICK)

    assert Plan("refresh", old, old.expires_at, HOUR, 24 * DAY + TICK) == chosen(old)


def test_a_bounded_key_is_reissued_from_its_margin_on():
    assert Plan("reissue", SOON, ASKED + 24 * DAY, HOUR, 24 * DAY) == chosen(SOON)


def test_a_bounded_key_is_reissued_when_no_later_rotation_would_extend_it():
    old = key()

    assert Plan("reissue", old, ASKED + 90 * DAY, HOUR, 90 * DAY) == chosen(old, before_expiry=None)


def test_a_bounded_key_is_reissued_into_the_lifetime_the_policy_wants():
    old = key()

    assert Plan("reissue", old, ASKED + 30 * DAY, HOUR, 30 * DAY) == chosen(old, lifetime=30 * DAY)


def test_a_service_key_of_unknown_privileges_is_refreshed_near_its_end_for_want_of_better():
    old = service(expires_at=NOW + 14 * DAY)

    assert Plan("refresh", old, ASKED + 24 * DAY, HOUR, 24 * DAY) == chosen(old)


def test_when_neither_way_is_open_the_privileges_are_asked_for():
    old = service(expires_at=NOW + 59 * SECOND)

    assert "bindings_unknown" == chosen(old).reason.code


def test_only_unknown_privileges_make_a_refresh_of_a_reissue():
    old = replace(STRANGE, expires_at=NOW + 14 * DAY)

    assert "key_type_unknown" == chosen(old).reason.code


def test_a_key_of_unknown_type_can_be_refreshed():
    assert "refresh" == chosen(STRANGE).strategy


def test_an_expired_key_is_reissued_without_grace():
    old = key(expires_at=NOW - TICK)

    assert Plan("reissue", old, ASKED + 10 * DAY - SECOND, NOTHING, 10 * DAY - TICK) == chosen(old)


# --- refresh ---


@pytest.mark.parametrize(
    ("grace", "left", "expected"),
    [
        (HOUR, None, HOUR),
        (24 * HOUR, None, 24 * HOUR),
        (24 * HOUR + TICK, None, 24 * HOUR),
        (HOUR, HOUR - TICK, HOUR - TICK),
        (HOUR, MINUTE, MINUTE),
        (MINUTE, None, MINUTE),
    ],
)
def test_the_grace_of_a_refresh_is_what_the_provider_will_really_give(grace, left, expected):
    old = key(expires_at=None if left is None else NOW + left)

    assert expected == chosen(old, **refreshing(grace=grace, lifetime=DAY)).grace


@pytest.mark.parametrize(
    ("grace", "left", "told"),
    [(MINUTE - TICK, None, "59s"), (HOUR, MINUTE - TICK, "59s"), (HOUR, -TICK, "0s")],
)
def test_a_refresh_is_refused_when_delivering_could_outlast_its_grace(grace, left, told):
    old = key(expires_at=None if left is None else NOW + left)

    assert Refuse(
        Reason(
            "grace_too_short",
            f"a refresh would leave the old key {told}, less than the 1m that delivering the new"
            " one may take",
        ),
        remedy="use `strategy: auto` or `reissue`, or rotate earlier (`before_expiry`)",
    ) == chosen(old, **refreshing(grace=grace))


def test_a_refresh_far_from_the_end_asks_for_the_same_end():
    old = key(expires_at=NOW + 14 * DAY + TICK)

    assert old.expires_at == chosen(old, **refreshing()).expires_at
    assert old.expires_at == chosen(old, **refreshing(before_expiry=None)).expires_at


def test_a_refresh_near_the_end_asks_for_as_much_life_as_before():
    plan = chosen(SOON, **refreshing())

    assert (ASKED + 24 * DAY, 24 * DAY) == (plan.expires_at, plan.lifetime)


def test_a_refresh_asks_for_the_lifetime_the_policy_wants():
    plan = chosen(key(), **refreshing(lifetime=30 * DAY))

    assert ("refresh", ASKED + 30 * DAY) == (plan.strategy, plan.expires_at)


# --- reissue ---


def test_a_policy_can_want_every_key_reissued():
    old = endless()

    assert Plan("reissue", old, None, HOUR) == chosen(old, **reissuing())


def test_the_grace_of_a_reissue_is_ours_to_give_but_for_the_end_of_the_key():
    assert 48 * HOUR == chosen(key(), **reissuing(grace=48 * HOUR)).grace
    assert MINUTE == chosen(key(expires_at=NOW + MINUTE), **reissuing()).grace


def test_a_key_of_unknown_type_is_not_copied():
    assert Refuse(
        Reason("key_type_unknown", "key id-old is of a type this version does not know"),
        remedy="use `strategy: refresh`, or upgrade rotator",
    ) == chosen(STRANGE, **reissuing())


def test_a_service_key_is_copied_with_the_privileges_that_the_provider_shows():
    old = service(bindings=BINDINGS)

    assert BINDINGS == chosen(old, **reissuing(bindings=LEGACY)).bindings


def test_a_service_key_is_copied_with_the_privileges_that_the_policy_names():
    assert LEGACY == chosen(service(), **reissuing(bindings=LEGACY)).bindings


def test_the_privileges_of_a_user_key_are_those_of_its_creator():
    assert None is chosen(key(bindings=BINDINGS), **reissuing(bindings=LEGACY)).bindings


def test_privileges_are_never_guessed():
    assert Refuse(
        Reason(
            "bindings_unknown",
            "the provider does not show the privileges of service key id-old, and a reissue must"
            " not guess them",
        ),
        remedy="write them under `key.bindings` of the policy, or give the management key the"
        " right to list service keys of the whole account",
    ) == chosen(service(), **reissuing())


def test_a_bounded_key_never_becomes_an_endless_one_by_a_reissue():
    old = key(created_at=None)

    assert Refuse(
        Reason("lifetime_unknown", "the provider does not tell when key id-old was created"),
        remedy="set `rotate.lifetime` of the policy",
    ) == chosen(old, **reissuing())
    assert ASKED + DAY == chosen(old, **reissuing(lifetime=DAY)).expires_at


def test_nor_by_a_refresh():
    old = key(created_at=None, expires_at=NOW + 14 * DAY)

    assert "lifetime_unknown" == chosen(old, **refreshing()).reason.code
    assert ASKED + DAY == chosen(old, **refreshing(lifetime=DAY)).expires_at


def test_a_refresh_to_the_same_date_needs_no_lifetime():
    old = key(created_at=None)

    assert Plan("refresh", old, old.expires_at, HOUR) == chosen(old, **refreshing())


# --- lifetimes ---


def with_lineage(given, label="old", **changes):
    old = key()
    journal = lineage(current=current(label, lifetime=given))
    return choose(snapshot(old, policy=policy(**reissuing(**changes)), journal=journal), old)


def test_a_key_is_given_what_the_journal_says_its_predecessor_was_given():
    assert 60 * DAY == with_lineage(60 * DAY).lifetime


@pytest.mark.parametrize("rules", [refreshing(), {}], ids=["refresh", "auto"])
def test_a_key_that_a_refresh_has_replaced_is_reissued_with_the_life_it_was_given(rules):
    # On today's service no refresh lengthens what is left of its grace.
    old = key(expires_at=NOW + HOUR)
    journal = lineage(current=current(expires_at=NOW + 80 * DAY))

    plan = choose(snapshot(old, policy=policy(**rules), journal=journal), old)

    assert ("reissue", 90 * DAY, HOUR) == (plan.strategy, plan.lifetime, plan.grace)


def test_one_that_had_no_end_before_its_replacement_is_given_none():
    old = key(expires_at=NOW + HOUR)
    journal = lineage(doubted=(in_flight(expires_at=None).rotation,))

    plan = choose(snapshot(old, policy=policy(**refreshing()), journal=journal), old)

    assert ("reissue", None) == (plan.strategy, plan.expires_at)


def test_one_that_was_refreshed_under_its_id_has_the_end_that_it_shows():
    old = key(expires_at=NOW + 20 * DAY)
    journal = lineage(current=current(expires_at=NOW + 80 * DAY, redacted=str(shown("before"))))

    plan = choose(snapshot(old, policy=policy(**refreshing()), journal=journal), old)

    assert ("refresh", old.expires_at) == (plan.strategy, plan.expires_at)


@pytest.mark.parametrize(("less", "replaced"), [(5 * SECOND, False), (5 * SECOND + TICK, True)])
def test_a_key_that_ends_sooner_than_it_was_given_was_refreshed_by_somebody(less, replaced):
    # By five seconds every key does: so much less than a maximum is asked for.
    old = key()
    journal = lineage(current=current(expires_at=old.expires_at + less))

    assert replaced == was_replaced(snapshot(old, journal=journal), old)


@pytest.mark.parametrize(("late", "replaced"), [(HOUR, True), (HOUR + TICK, False)])
def test_a_key_that_ends_with_the_grace_of_a_refresh_of_ours_was_given_what_it_asked_for(
    late, replaced
):
    tried = mint(strategy="refresh", at=NOW, grace=HOUR, expires_at=NOW + 80 * DAY)
    old = key(expires_at=NOW + HOUR + late, redacted=shown("new"))
    s = snapshot(old, journal=in_flight(tried))

    assert replaced == was_replaced(s, old)


def test_a_refresh_for_want_of_privileges_asks_for_the_life_that_the_policy_wants():
    # Far from its end as well: with the old date it would be a rotation for nothing.
    plan = chosen(service(), lifetime=60 * DAY)

    assert ("refresh", ASKED + 60 * DAY) == (plan.strategy, plan.expires_at)


def test_the_policy_overrules_the_journal():
    assert 30 * DAY == with_lineage(60 * DAY, lifetime=30 * DAY).lifetime


def test_what_the_journal_says_of_another_key_is_not_said_of_this_one():
    assert 90 * DAY == with_lineage(60 * DAY, label="two").lifetime


def test_a_life_of_hours_is_a_life_as_well():
    old = key(created_at=NOW - HOUR, expires_at=NOW + 5 * HOUR)

    assert 6 * HOUR == chosen(old, **reissuing()).lifetime


def test_where_the_journal_does_not_tell_the_dates_do():
    assert 90 * DAY == with_lineage(None).lifetime


@pytest.mark.parametrize("created_at", [NOW - 100 * DAY, None])
def test_where_a_rotation_of_ours_met_a_maximum_the_life_counts_from_there(created_at):
    # A refresh that keeps the id keeps the date of creation too.
    old = key(created_at=created_at)
    done = record(finished_at=NOW - 5 * DAY, expires_at=old.expires_at)
    journal = lineage(current=current(), history=(done, record()))

    plan = choose(snapshot(old, policy=policy(**reissuing()), journal=journal), old)

    assert 85 * DAY == plan.lifetime


@pytest.mark.parametrize(
    "other",
    [
        {"key_id": "id-two", "expires_at": NOW},
        {"expires_at": None},
        {"expires_at": NOW, "outcome": "failed"},
    ],
    ids=["of another key", "to a key without an end", "that failed"],
)
def test_a_rotation_that_gave_the_key_no_expiry_tells_nothing_of_its_life(other):
    old = key()
    done = record(finished_at=NOW - 5 * DAY, **other)
    journal = lineage(current=current(), history=(done,))

    plan = choose(snapshot(old, policy=policy(**reissuing()), journal=journal), old)

    assert 90 * DAY == plan.lifetime


def test_an_expiry_is_asked_for_in_whole_seconds():
    old = key()
    s = snapshot(old, now=NOW + timedelta(microseconds=999999), policy=policy(**reissuing()))

    assert ASKED + 90 * DAY == choose(s, old).expires_at


def test_within_a_rotation_a_key_without_known_lifetime_may_be_copied_all_the_same():
    # What its date shows is the end of its grace, not what it was given.
    old = key(created_at=None)
    s = snapshot(old, policy=policy(**reissuing()), journal=in_flight(mint(lifetime=None)))

    assert None is choose(s, old).expires_at


def test_within_a_rotation_a_key_is_given_what_was_planned_whatever_is_listed_by_now():
    old = key(created_at=None)
    s = snapshot(old, policy=policy(**reissuing()), journal=in_flight(mint(lifetime=30 * DAY)))

    assert 30 * DAY == choose(s, old).lifetime
    assert None is choose(s, key("two", created_at=None)).lifetime


AGO = NOW - 10 * DAY - 20 * MINUTE
#: A refresh of a key without an end, which an account with a greatest lifetime gave one.
LATE = rotation(
    mint(at=AGO, strategy="refresh", grace=HOUR, expires_at=None, lifetime=None), expires_at=None
)
REFRESHED = key(redacted=shown("two"), expires_at=NOW + 80 * DAY)
SINCE_ITS_CREATION = REFRESHED.expires_at - REFRESHED.created_at


def given(one, **journal):
    return lifetime_of(snapshot(one, journal=lineage(**{"current": None} | journal)), one)


@pytest.mark.parametrize(
    "known",
    [{"doubted": (LATE,)}, {"current": current(since=AGO)}],
    ids=["a late request of ours", "a person"],
)
def test_an_endless_key_that_was_refreshed_under_its_id_is_given_the_maximum_of_the_account(known):
    """What is told from its creation on is more, and would be refused for ever."""
    assert 90 * DAY == given(REFRESHED, **known)


def test_one_that_keeps_its_secret_has_what_it_had():
    first = key(expires_at=REFRESHED.expires_at)

    assert given(first, doubted=(LATE,)) is None, "no end: what it shows is that of its grace"
    assert SINCE_ITS_CREATION == given(first, current=current(since=AGO))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expires_at": NOW + 80 * DAY, "lifetime": 30 * DAY}, 30 * DAY),
        ({"expires_at": NOW + 80 * DAY - 5 * SECOND, "lifetime": 30 * DAY}, 30 * DAY),
        ({"expires_at": NOW + 80 * DAY, "lifetime": None}, SINCE_ITS_CREATION),
        ({"expires_at": NOW + 79 * DAY, "lifetime": 30 * DAY}, SINCE_ITS_CREATION),
        ({"strategy": "reissue", "grace": None}, SINCE_ITS_CREATION),
    ],
    ids=["its date", "about its date", "not planned", "another date", "another key"],
)
def test_what_a_late_refresh_has_kept_or_extended_is_given_what_was_planned(changes, expected):
    (tried,) = LATE.mints
    late = rotation(tried.model_copy(update=changes))

    assert expected == given(REFRESHED, doubted=(late,))
    other = late.model_copy(update={"key_id": "id-x"})
    assert SINCE_ITS_CREATION == given(REFRESHED, doubted=(other,))


def test_a_key_that_is_told_to_have_ended_before_it_began_has_a_lifetime_nobody_knows():
    for created_at in (NOW + 80 * DAY, NOW + 81 * DAY):
        rules = policy(strategy=Choice.REISSUE)
        plan = choose(snapshot(policy=rules), key(created_at=created_at))
        assert "lifetime_unknown" == plan.reason.code


def test_what_never_expires_by_a_date_is_given_on_as_a_hundred_years():
    never = key(created_at=NOW - 30 * DAY, expires_at=datetime(9000, 1, 1, tzinfo=UTC))

    assert 36_500 * DAY == chosen(never, strategy=Choice.REISSUE).lifetime

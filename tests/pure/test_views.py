"""Which keys a snapshot shows: the one that is meant, and those that a rotation made."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    ME,
    MINUTE,
    NOTHING,
    NOW,
    OTHER,
    SECOND,
    TARGETS,
    TICK,
    by_name,
    current,
    endless,
    held,
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
    unseen,
)

from rotator.journal import Journal, PutBack
from rotator.keys import KeyStatus, KeyType
from rotator.model import Selector
from rotator.origin import delivered_key, fresh_keys, open_mints
from rotator.secrets import Redacted
from rotator.views import current_keys, lacking, left_out, wanted_id

REVOKED, UNKNOWN = KeyStatus.REVOKED, KeyStatus.UNKNOWN


def ids(keys):
    return [each.id for each in keys]


# --- the key that is meant ---


def test_before_the_first_rotation_the_policy_says_which_key_is_meant():
    assert "id-old" == wanted_id(snapshot())
    assert None is wanted_id(snapshot(policy=by_name()))


def test_after_a_rotation_the_lineage_says_it():
    assert "id-new" == wanted_id(snapshot(journal=lineage("new")))


@pytest.mark.parametrize(
    "selector",
    [
        Selector(id="id-two"),
        Selector(id="id-old", space_id="s"),
        Selector(name="ci"),
    ],
)
def test_a_policy_edited_to_another_key_begins_a_new_lineage(selector):
    s = snapshot(journal=lineage("new"), policy=policy(selector=selector))

    assert selector.id == wanted_id(s)


def test_a_selector_without_a_lineage_says_nothing():
    assert "id-old" == wanted_id(snapshot(journal=Journal(selector="id id-old")))


def test_the_key_of_the_id_is_meant_whatever_its_name():
    assert ["id-old"] == ids(current_keys(snapshot(key("two"), key(name="x"))))


def test_the_key_of_the_lineage_is_meant_also_where_the_policy_has_a_name():
    journal = lineage("new", selector="name 'ci'")

    assert ["id-new"] == ids(
        current_keys(snapshot(key(), new(), journal=journal, policy=by_name()))
    )


def test_a_key_that_is_not_listed_is_not_replaced_by_its_namesake():
    assert () == current_keys(snapshot(key("two")))


def test_one_id_is_one_key():
    assert 1 == len(current_keys(snapshot(key(), key())))


def test_all_keys_of_the_name_may_be_meant():
    s = snapshot(key(), key("two"), key("tri", name="x"), policy=by_name())

    assert ["id-old", "id-two"] == ids(current_keys(s))


@pytest.mark.parametrize(
    ("selector", "expected"), [("name 'ci'", ["id-new"]), ("id id-old", ["id-old", "id-new"])]
)
def test_of_those_the_one_that_a_rotation_began_from_while_it_may_yet_come_true(selector, expected):
    doubt = rotation(selector=selector, key_id="id-new")
    s = snapshot(key(), new(), policy=by_name(), journal=Journal(doubted=(doubt,)))

    assert expected == ids(current_keys(s))


def test_a_revoked_key_is_not_meant():
    dead = key(status=REVOKED)

    assert () == current_keys(snapshot(dead))
    assert () == current_keys(snapshot(dead, policy=by_name()))


def test_a_key_of_a_status_that_we_do_not_know_is_meant():
    assert ["id-old"] == ids(current_keys(snapshot(key(status=UNKNOWN))))


def test_an_expired_key_is_meant_for_as_long_as_it_is_listed():
    assert ["id-old"] == ids(current_keys(snapshot(key(expires_at=NOW - DAY))))


def test_a_key_on_its_way_out_does_not_answer_to_the_name():
    journal = Journal(retiring=(retiring("two"),))
    s = snapshot(key(), key("two"), policy=by_name(), journal=journal)

    assert ["id-old"] == ids(current_keys(s))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, ["id-old", "id-two"]),
        (KeyType.USER, ["id-old"]),
        (KeyType.SERVICE, ["id-two"]),
    ],
)
def test_a_name_is_looked_for_among_keys_of_the_type(wanted, expected):
    rules = by_name(selector=Selector(name="ci", type=wanted))

    assert expected == ids(current_keys(snapshot(key(), service("two"), policy=rules)))


# --- the keys that a rotation minted ---


def fresh(*keys, mints=(), **changes):
    return ids(fresh_keys(snapshot(*keys, journal=in_flight(*mints, **changes))))


def test_without_a_rotation_no_key_is_fresh():
    assert () == fresh_keys(snapshot(key(), new()))


def test_a_key_of_the_name_that_came_with_the_mint_is_fresh():
    assert ["id-new"] == fresh(key(), new())


def test_the_old_id_with_another_secret_is_fresh():
    assert ["id-old"] == fresh(key(redacted=shown("new")))


def test_the_old_id_is_recognised_by_a_tail_alone():
    assert ["id-old"] == fresh(key(redacted=Redacted("", "wxyz")))


def test_the_old_key_as_it_was_is_not_fresh():
    assert [] == fresh(key(created_at=NOW - MINUTE))


def test_the_old_key_is_not_fresh_when_nothing_is_shown_of_its_secret():
    assert [] == fresh(key(redacted=unseen()))


@pytest.mark.parametrize(
    ("known", "expected"), [(None, ["id-new"]), (KeyType.SERVICE, ["id-new"]), (KeyType.USER, [])]
)
def test_a_key_of_another_type_is_not_fresh(known, expected):
    made = replace(new(), type=KeyType.SERVICE)

    assert expected == ids(fresh_keys(snapshot(key(), made, journal=in_flight(key_type=known))))


def test_a_type_that_nobody_knows_tells_nothing():
    user = replace(new(), type=KeyType.USER)
    unknown = replace(new(), type=KeyType.UNKNOWN)

    for old, made in ((KeyType.UNKNOWN, user), (KeyType.USER, unknown)):
        assert ["id-new"] == ids(fresh_keys(snapshot(key(), made, journal=in_flight(key_type=old))))


def test_a_key_that_a_target_holds_is_ours_whatever_its_type():
    made, journal = replace(new(), type=KeyType.SERVICE), in_flight(key_type=KeyType.USER)
    s = snapshot(key(), made, holding=("new",), journal=journal)

    assert (made, secret("new")) == delivered_key(s)


def test_a_key_that_is_minted_from_is_what_the_mint_before_has_made():
    """And no mint makes two."""
    first, second, third = mint(), mint(source_id="id-one"), mint(source_id="id-two")
    s = snapshot(key(), new("one"), new(), journal=in_flight(first, second, third))

    assert (third,) == open_mints(s, s.journal.rotation, new())
    assert (first, third) == open_mints(s, s.journal.rotation, new("one"))
    assert (second, third) == open_mints(s, s.journal.rotation, new("two"))
    assert (first, second) == open_mints(s, rotation(first, second, key_id="id-one"), new())


@pytest.mark.parametrize(
    ("sources", "settled"),
    [
        (("old", "old", "one"), 0),
        (("old", "old", "one", "two"), 0),
        (("old", "one", "old"), 1),
        (("old", "one", "one", "two", "three"), 1),
    ],
)
def test_which_of_several_has_made_it_nobody_can_tell(sources, settled):
    """Where one source had two, each key that came later may be of either."""
    mints = tuple(mint(source_id=f"id-{source}") for source in sources)
    s = snapshot(key(), new("one"), new(), journal=in_flight(*mints))

    assert mints[settled:] == open_mints(s, s.journal.rotation, new())


def test_a_source_shows_which_key_a_refresh_has_made():
    made_at = NOW - MINUTE
    refresh = mint(strategy="refresh", grace=HOUR, expires_at=None)
    old, one = key(expires_at=made_at + HOUR), new("one", created_at=made_at)
    other = new(created_at=made_at + SECOND)
    s = snapshot(old, one, other, journal=in_flight(refresh))

    assert ["id-one"] == ids(fresh_keys(s))
    twice = replace(s, journal=in_flight(refresh, refresh))
    assert ["id-new", "id-one"] == ids(fresh_keys(twice))
    there = replace(s, journal=in_flight(refresh, siblings=("id-one",)))
    assert ["id-new"] == ids(fresh_keys(there))
    untold = replace(s, keys=(old, replace(one, created_at=None), other))
    assert {"id-one", "id-new"} == set(ids(fresh_keys(untold)))


def test_a_key_that_was_there_before_is_not_fresh():
    assert [] == fresh(new(), siblings=("id-new",))


def test_a_key_of_another_name_is_not_fresh():
    assert [] == fresh(new(name="x"))


@pytest.mark.parametrize("dead", [{"status": REVOKED}, {"expires_at": NOW}])
def test_a_key_that_cannot_be_used_is_not_fresh(dead):
    assert [] == fresh(new(**dead))


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (-2 * SECOND - TICK, []),
        (-2 * SECOND, ["id-new"]),
        (NOTHING, ["id-new"]),
        (35 * SECOND, ["id-new"]),
        (35 * SECOND + TICK, []),
    ],
)
def test_a_namesake_that_a_person_made_at_another_time_is_not_ours(late, expected):
    assert expected == fresh(new(created_at=NOW - MINUTE + late))


@pytest.mark.parametrize(
    ("longer", "expected"),
    [(-DAY, ["id-new"]), (5 * SECOND, ["id-new"]), (5 * SECOND + TICK, [])],
)
def test_a_namesake_with_more_life_than_was_asked_for_is_not_ours(longer, expected):
    assert expected == fresh(new(expires_at=NOW + 90 * DAY + longer))


def test_an_endless_namesake_is_not_ours_where_an_end_was_asked_for():
    assert [] == fresh(new(expires_at=None))


@pytest.mark.parametrize("expires", [None, NOW + 30 * DAY])
def test_where_no_end_was_asked_for_an_account_may_still_have_set_one(expires):
    assert ["id-new"] == fresh(new(expires_at=expires), mints=(mint(expires_at=None),))


def test_a_key_whose_creation_is_not_told_is_judged_by_the_rest():
    assert ["id-new"] == fresh(new(created_at=None))
    assert [] == fresh(new(created_at=None, expires_at=None))


def test_any_of_the_mints_may_have_made_it():
    early = mint(at=NOW - HOUR)

    assert ["id-new"] == fresh(new(), mints=(early, mint()))
    assert ["id-new"] == fresh(new(created_at=NOW - HOUR), mints=(early, mint()))
    assert [] == fresh(new(created_at=NOW - 2 * HOUR), mints=(early, mint()))


def test_before_the_first_mint_no_namesake_is_ours():
    assert [] == ids(fresh_keys(snapshot(new(), journal=in_flight(mints=()))))


def test_fresh_keys_come_newest_first():
    first = new("one", created_at=NOW - MINUTE + SECOND)
    untold = new("two", created_at=None)
    same = new("tri", created_at=NOW - MINUTE + SECOND)

    assert ["id-tri", "id-one", "id-new", "id-two"] == fresh(untold, new(), same, first)
    assert ["id-two", "id-one"] == fresh(new("one", created_at=None), untold)


# --- the one that was delivered ---


def delivered(*keys, holding=("new",), **changes):
    return delivered_key(snapshot(*keys, holding=holding, journal=in_flight(**changes)))


def test_without_a_rotation_nothing_was_delivered():
    assert None is delivered_key(snapshot(key(), new(), holding=("new",)))


def test_the_new_key_that_a_target_holds_was_delivered():
    assert (new(), secret("new")) == delivered(key(), new())
    assert (new(), secret("new")) == delivered(key(), new(), holding=(None, "old", "new"))


def test_the_old_id_with_the_secret_that_a_target_holds_was_delivered():
    again = key(redacted=shown("new"))

    assert (again, secret("new")) == delivered(again)


def test_a_target_proves_a_key_ours_whatever_its_dates():
    odd = new(created_at=NOW + DAY, expires_at=None)

    assert (odd, secret("new")) == delivered(odd)


def test_the_newest_that_a_target_holds_counts():
    last = new("two", created_at=NOW)

    assert (last, secret("two")) == delivered(new(), last, holding=("new", "two"))
    assert (new(), secret("new")) == delivered(new(), last, holding=("new", "old"))


@pytest.mark.parametrize("holding", [(), (None,), ("old",), ("two",)])
def test_a_new_key_that_no_target_holds_was_not_delivered(holding):
    assert None is delivered(key(), new(), holding=holding)


@pytest.mark.parametrize(
    "other", [key(), new(name="x"), new(status=REVOKED), new(expires_at=NOW), new("two")]
)
def test_what_a_target_holds_is_of_no_interest_unless_it_is_the_new_key(other):
    assert None is delivered(other)


def test_a_sibling_that_a_target_holds_is_not_the_new_key():
    assert None is delivered(new(), siblings=("id-new",))


def test_the_secret_from_before_is_not_the_new_one_even_if_they_look_alike():
    assert None is delivered(new(redacted=shown()), holding=("old",))
    assert None is not delivered(new(redacted=shown()), holding=("old",), fingerprint=None)


def test_who_minted_does_not_matter_to_what_was_minted():
    for owner in (ME, OTHER):
        journal = in_flight(mint(owner=owner))

        assert ["id-new"] == ids(fresh_keys(snapshot(endless(), new(), journal=journal)))
        assert delivered_key(replace(snapshot(new(), holding=("new",)), journal=journal))


def test_a_new_key_goes_to_all_that_have_another_and_a_known_one_to_what_is_empty():
    s = snapshot(key(), holding=("new", "old"), policy=policy(targets=TARGETS))
    empty = snapshot(key(), holding=("two", None), policy=policy(targets=TARGETS))

    assert (s.held[1],) == lacking(replace(s, journal=in_flight()), secret("new"))
    assert () == lacking(s, secret("new"))
    assert (empty.held[1],) == lacking(empty, secret())


PUT_BACK = PutBack(key_id="id-old", redacted="", fingerprint="", at=NOW, ends_at=NOW)
LEFT = Journal(
    current=current("new", since=NOW - 20 * SECOND + TICK),
    history=(record(key_id="id-new", old_fingerprint=secret().fingerprint),),
)


def test_a_target_that_holds_what_was_just_replaced_was_left_out():
    s = snapshot(new(), holding=("new", "old"), journal=LEFT, policy=policy(targets=TARGETS))

    assert (s.held[1],) == left_out(s)
    assert (s.held[1],) == lacking(s, secret("new"))
    assert () == left_out(replace(s, held=held("new", "two")))
    assert () == left_out(replace(s, held=held("new", None)))


@pytest.mark.parametrize(
    "changes",
    [
        {"current": None},
        {"current": current("new", since=NOW - 20 * SECOND)},
        {"current": current("two", since=NOW)},
        {"current": LEFT.current.model_copy(update={"put_back": PUT_BACK})},
        {"history": ()},
        {"rotation": rotation()},
    ],
    ids=["no lineage", "long ago", "another key", "put back", "no rotation", "in flight"],
)
def test_else_somebody_has_put_it_there(changes):
    journal = LEFT.model_copy(update=changes)

    assert () == left_out(snapshot(new(), holding=("new", "old"), journal=journal))

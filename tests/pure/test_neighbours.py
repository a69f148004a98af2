"""Whose a key is that appeared, where the keys of several policies share a name."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    by_name,
    current,
    in_flight,
    key,
    mint,
    new,
    policy,
    record,
    retiring,
    rotation,
    snapshot,
)

from rotator.decide import decide
from rotator.journal import Journal, PutBack
from rotator.model import Mint, Reason, Refuse, Retire, Selector
from rotator.neighbours import claimed, ended_by, has_minted, is_about, of_another, shared
from rotator.origin import fresh_keys

LOST = snapshot(key(), new(), journal=in_flight())
#: After a rotation with two mints, of which the first came true when nobody waited for it.
LATE = snapshot(key(), new(), journal=Journal(doubted=(rotation(mint(), mint()),)), policy=policy())
OTHER = policy(name="other", selector=Selector(id="id-other"))
BACK = PutBack(key_id="id-new", redacted="", fingerprint="", at=NOW, ends_at=NOW)
#: What asked for more life than the key has.
LONGER = mint(expires_at=NOW + 91 * DAY)
OLD_BACK = BACK.model_copy(update={"key_id": "id-old"})


def taken(journal, other=OTHER, s=LOST):
    return of_another(s, claimed(s), other, journal)


@pytest.mark.parametrize("s", [LOST, LATE], ids=["in flight", "late"])
def test_what_looks_like_our_own_is_claimed(s):
    assert (new(),) == claimed(s)
    assert () == claimed(replace(s, journal=Journal()))


def test_so_is_what_only_another_mint_would_explain():
    s = snapshot(key(), new(created_at=NOW), journal=in_flight(mint(at=NOW - HOUR)))

    assert () == fresh_keys(s)
    assert (new(created_at=NOW),) == claimed(s)


@pytest.mark.parametrize(
    "changes",
    [
        {"retiring": (retiring("new"),)},
        {"history": (record(key_id="id-new"),)},
        {"rotation": rotation(siblings=("id-new",))},
        {"rotation": rotation(key_name="another name")},
        {"rotation": rotation(mint(), mint(source_id="id-new"))},
        {"doubted": (rotation(mint(source_id="id-new"), mint()),)},
    ],
    ids=["leaving", "recorded", "there before", "of another name", "minted from", "in doubt"],
)
def test_what_is_known_for_ours_or_for_anothers_is_not(changes):
    s = snapshot(key(), new(), journal=in_flight().model_copy(update=changes))

    assert () == claimed(s)


def test_what_a_refresh_has_made_shows_by_its_source():
    made_at = NOW - 30 * SECOND
    refresh = mint(strategy="refresh", grace=HOUR, expires_at=None)
    old, fresh = key(expires_at=made_at + HOUR), new(created_at=made_at)
    s = snapshot(old, fresh, journal=in_flight(refresh))
    reissues = in_flight(LONGER, key_id="id-other")
    both = in_flight(refresh, key_id="id-other")

    assert set() == taken(reissues, s=s)
    assert {"id-new"} == taken(reissues, s=replace(s, keys=(key(), fresh)))
    assert {"id-new"} == taken(both, s=s)
    assert {"id-new"} == taken(reissues, s=replace(s, keys=(old, new(created_at=None))))


def test_what_was_minted_in_the_same_second_its_source_does_not_tell_apart():
    """Ours is there already, and the refresh has made no more than one."""
    made_at = NOW - 30 * SECOND
    refresh = mint(strategy="refresh", grace=HOUR, expires_at=None)
    old, ours = key(expires_at=made_at + HOUR), key("mine", created_at=made_at)
    theirs = new(created_at=made_at + SECOND / 4)
    s = snapshot(old, ours, theirs, journal=in_flight(refresh))

    assert "id-new" in taken(in_flight(LONGER, key_id="id-other"), s=s)
    named = replace(ours, name="another name")
    assert "id-new" not in taken(
        in_flight(LONGER, key_id="id-other"), s=replace(s, keys=(old, named, theirs))
    )
    late = replace(theirs, created_at=made_at + 2 * SECOND)
    assert "id-mine" not in taken(
        in_flight(LONGER, key_id="id-other"), s=replace(s, keys=(old, ours, late))
    )


def test_a_key_that_is_minted_from_is_what_the_mint_before_has_made():
    """It is revoked since, and what was minted in the same second stays."""
    made_at = NOW - 30 * SECOND
    refresh = mint(strategy="refresh", grace=HOUR, expires_at=None)
    repair = mint(strategy="refresh", grace=HOUR, expires_at=None, source_id="id-mine")
    s = snapshot(key(expires_at=made_at + HOUR), new(created_at=made_at))
    others = in_flight(LONGER, key_id="id-other")

    assert {"id-new"} == taken(others, s=replace(s, journal=in_flight(refresh, repair)))
    assert set() == taken(others, s=replace(s, journal=in_flight(refresh, refresh)))


def test_the_very_end_that_was_asked_for_shows_who_did():
    """What another mint would explain as well, it does not."""
    asked = NOW + 90 * DAY
    endless = mint(expires_at=None)
    ours = snapshot(key(), new(), journal=in_flight())
    theirs = snapshot(key(), new(), journal=in_flight(endless))
    over = Journal(doubted=(rotation(mint(), endless),))

    assert set() == taken(in_flight(endless, key_id="id-other"), s=ours)
    assert {"id-new"} == taken(in_flight(mint(), key_id="id-other"), s=ours)
    assert {"id-new"} == taken(over, s=theirs)
    assert set() == taken(over, s=ours)
    assert set() == taken(Journal(doubted=(rotation(endless),)), s=theirs)
    for end in (asked + SECOND, asked - SECOND, None):
        later = replace(theirs, keys=(key(), new(expires_at=end)))
        assert set() == taken(over, s=later)


def test_a_source_and_an_end_show_more_than_an_end():
    """Two policies may ask for one end, in the same second."""
    made_at = NOW - 30 * SECOND
    refresh = mint(strategy="refresh", grace=HOUR)
    keys = key(expires_at=made_at + HOUR), new(created_at=made_at)
    ours = snapshot(*keys, journal=in_flight(refresh))
    theirs = snapshot(*keys, journal=in_flight(mint(source_id="id-mine")))

    assert set() == taken(in_flight(mint(), key_id="id-other"), s=ours)
    assert {"id-new"} == taken(Journal(doubted=(rotation(refresh),)), s=theirs)
    assert set() == taken(Journal(doubted=(rotation(mint()),)), s=theirs)


def test_what_is_shown_by_a_key_of_another_name_is_not():
    others = Journal(doubted=(rotation(key_name="another name"),))
    endless = mint(expires_at=None)

    assert set() == taken(others, s=snapshot(key(), new(), journal=in_flight(endless)))


def test_the_key_that_is_current_was_ours_already():
    doubts = Journal(doubted=(rotation(mint(), mint()),))
    mine = doubts.model_copy(update={"current": current("new"), "selector": "id id-old"})

    assert (new(),) == claimed(snapshot(key(), new(), journal=doubts))
    assert () == claimed(snapshot(key(), new(), journal=mine))


def test_the_key_that_was_refreshed_under_its_id_is_nobody_elses():
    refreshed = replace(key(), redacted=new().redacted)
    s = snapshot(refreshed, new(), journal=in_flight(mint(strategy="refresh", grace=HOUR)))

    assert {"id-old", "id-new"} == {one.id for one in fresh_keys(s)}
    assert (new(),) == claimed(s)


@pytest.mark.parametrize(
    "journal",
    [
        Journal(current=current("new")),
        Journal(current=current(put_back=BACK)),
        Journal(retiring=(retiring("new"),)),
        in_flight(key_id="id-new"),
        in_flight(mint(at=NOW - MINUTE), key_id="id-other"),
        in_flight(mint(at=NOW - 2 * HOUR), key_id="id-other"),
        in_flight(mint(source_id="id-new"), key_id="id-other", key_name="another name"),
        Journal(doubted=(rotation(mint(), mint(source_id="id-new")),)),
    ],
    ids=[
        "current",
        "put back",
        "retiring",
        "being replaced",
        "perhaps minted",
        "and late",
        "minted from",
        "and in doubt",
    ],
)
def test_what_another_journal_knows_is_not_ours(journal):
    assert {"id-new"} == taken(journal)


@pytest.mark.parametrize(
    "journal",
    [
        Journal(),
        Journal(current=current(), retiring=(retiring(),)),
        in_flight(mint(at=NOW + HOUR), key_id="id-other"),
        in_flight(mint(expires_at=NOW + DAY), key_id="id-other"),
        in_flight(key_id="id-other", key_name="another name"),
    ],
    ids=["empty", "other keys", "minted later", "for less", "of another name"],
)
def test_what_it_does_not_know_may_be_ours(journal):
    assert set() == taken(journal)


def test_each_place_in_its_journal_counts_beside_the_others():
    busy = in_flight(key_id="id-other", key_name="another name")
    also = {"current": current(), "retiring": (retiring("new"),)}

    assert {"id-new"} == taken(busy.model_copy(update=also))


def test_what_another_policy_names_is_not_ours():
    assert {"id-new"} == taken(Journal(), policy(selector=Selector(id="id-new")))


def test_only_what_was_claimed_is_answered():
    assert set() == taken(Journal(current=current()))


def test_anothers_key_is_neither_replaced_nor_revoked_as_lost():
    others = frozenset({"id-new"})

    assert "raw_key_was_lost" == decide(LOST).reason.code
    assert "mint_left_no_trace" == decide(replace(LOST, others=others)).reason.code
    assert isinstance(decide(LATE), Retire)
    assert not isinstance(decide(replace(LATE, others=others)), Retire)


# --- one key of two policies ---


def test_a_key_is_of_our_own_making_if_a_rotation_on_record_made_it():
    made = Journal(history=(record(key_id="id-two", outcome="repaired"), record()))
    refused = Journal(history=(record(outcome="failed"), record(outcome="rolled_back")))

    assert has_minted(snapshot(journal=made), key())
    assert has_minted(snapshot(journal=made), new("two"))
    assert not has_minted(snapshot(journal=made), new())
    assert not has_minted(snapshot(journal=refused), key())


@pytest.mark.parametrize(
    ("rules", "journal", "expected"),
    [
        (policy(), Journal(), True),
        (by_name(), Journal(), True),
        (OTHER, Journal(), False),
        (policy(), Journal(selector="id id-old", current=current("new")), False),
        (OTHER, Journal(current=current("new", put_back=BACK)), False),
        (OTHER, Journal(current=current("new", put_back=OLD_BACK)), True),
    ],
    ids=["by its id", "by its name", "another", "it went on", "another is back", "it is back"],
)
def test_a_policy_is_about_the_key_it_names_until_it_has_another(rules, journal, expected):
    keys = key(), new(name="another name")

    assert expected == is_about(snapshot(*keys, policy=rules, journal=journal), key())


def test_a_key_that_is_shared_is_told_with_all_who_share_it():
    text = "ak-old...old is the key of policy one, two too, whose consumers use it"
    remedy = "let one policy deliver it to both places, or name another key"

    assert Refuse(Reason("key_is_shared", text), remedy) == shared(key(), ["one", "two"])


def test_a_rotation_ends_the_key_that_it_begins_with_and_no_other_step_of_it_does():
    due = snapshot(key(expires_at=NOW + HOUR))
    again = snapshot(key(), journal=in_flight(mint(at=NOW - HOUR)))

    assert key(expires_at=NOW + HOUR) == ended_by(due, decide(due))
    assert isinstance(decide(again), Mint)
    assert ended_by(again, decide(again)) is None
    assert ended_by(snapshot(key()), decide(snapshot(key()))) is None


def test_a_retirement_ends_the_key_that_it_names_if_it_is_listed():
    journal = Journal(retiring=(retiring(at=NOW),))
    gone, there = snapshot(key(), journal=journal), snapshot(key(), key("ret"), journal=journal)
    step = Retire(Reason("retirement_is_due", ""), journal.retiring[0])

    assert key("ret") == ended_by(there, step)
    assert ended_by(gone, step) is None

"""Which policies there are, while the configuration changes under a daemon."""

from dataclasses import replace

import pytest
from pure_builders import NOW, TARGETS, in_flight, policy, retiring

from rotator.journal import Journal, Notice
from rotator.model import Selector
from rotator.roster import Change, Roster

QUIET = Journal()
OLD = policy(name="a")
NEW = replace(OLD, max_age=None, before_expiry=OLD.before_expiry * 2)
OTHER = policy(name="b", selector=Selector(id="id-two"), targets=TARGETS[1:2])
REVOKES = Journal(retiring=(retiring(),))
TELLS = Journal(notices=(Notice(rotation="r1", hook="web", at=NOW, until=NOW),))


def names(roster):
    return [one.name for one in roster]


def changed(old, new):
    roster = Roster([OLD] if old else [])
    return roster, roster.configure([new] if new else [])


# --- what a configuration changes ---


def test_a_change_names_what_is_new_gone_and_different():
    third = replace(OTHER, name="c")
    roster = Roster([OLD, OTHER])

    assert Change(("c",), ("b",), ("a",)) == roster.configure([NEW, third])


def test_nothing_is_changed_by_the_same_policies_in_another_order():
    change = Roster([OLD, OTHER]).configure([OTHER, OLD])

    assert not change
    assert Change(("a",), (), ())


def test_a_change_is_told_once():
    roster, _ = changed(OLD, NEW)

    assert not roster.configure([NEW])
    assert roster.is_unsettled("a")


# --- other rules ---


def test_other_rules_count_when_nothing_is_in_flight():
    roster, _ = changed(OLD, NEW)

    assert OLD == roster.get("a")
    assert roster.settle("a", REVOKES)
    assert NEW == roster.get("a")
    assert not roster.is_unsettled("a")


def test_a_rotation_in_flight_ends_by_the_rules_that_it_began_with():
    roster, _ = changed(OLD, NEW)

    assert not roster.settle("a", in_flight())
    assert OLD == roster.get("a")
    assert roster.settle("a", QUIET)
    assert NEW == roster.get("a")


def test_what_is_as_configured_is_settled():
    roster = Roster([OLD])

    assert not roster.is_unsettled("a")
    assert not roster.settle("a", QUIET)


def test_rules_that_are_taken_back_in_time_never_counted():
    roster, _ = changed(OLD, NEW)
    roster.configure([OLD])

    assert not roster.is_unsettled("a")


# --- gone ---


def test_a_policy_that_is_gone_goes_when_it_has_nothing_to_do():
    roster, _ = changed(OLD, None)

    assert roster.is_unsettled("a")
    assert roster.settle("a", QUIET)
    assert [] == names(roster)
    assert None is roster.get("a")


@pytest.mark.parametrize(
    ("journal", "rules"),
    [(in_flight(), OLD), (REVOKES, OLD), (TELLS, replace(OLD, hooks=("web",)))],
    ids=["in flight", "an old key", "a hook"],
)
def test_it_ends_first_what_it_has_begun_and_begins_nothing(journal, rules):
    roster = Roster([rules])
    roster.configure([])

    assert roster.settle("a", journal)
    assert replace(rules, leaving=True) == roster.get("a")
    assert not roster.settle("a", journal)
    assert roster.settle("a", QUIET)
    assert [] == names(roster)


@pytest.mark.parametrize("journal", [REVOKES, TELLS], ids=["suspended", "another's hook"])
def test_what_it_would_not_do_itself_does_not_keep_it(journal):
    roster = Roster([replace(OLD, suspend=True)])
    roster.configure([])

    assert roster.settle("a", journal)
    assert [] == names(roster)


def test_one_that_comes_back_stays():
    roster, _ = changed(OLD, None)
    roster.settle("a", REVOKES)
    roster.configure([OLD])

    assert roster.is_unsettled("a")
    assert roster.settle("a", REVOKES)
    assert OLD == roster.get("a")


def test_one_that_can_do_no_more_is_dropped():
    roster, _ = changed(OLD, None)
    roster.settle("a", REVOKES)
    roster.drop("a")

    assert [] == names(roster)


# --- new ---


def test_a_new_policy_joins_at_once():
    roster = Roster([OLD])
    roster.configure([OLD, OTHER])

    assert ("b",) == roster.join()
    assert ["a", "b"] == names(roster)
    assert () == roster.join()


def test_one_that_is_in_nobodys_way_does_not_wait_for_another_that_leaves():
    roster = Roster([OLD])
    roster.configure([OTHER])
    roster.settle("a", in_flight())

    assert ("b",) == roster.join()


@pytest.mark.parametrize(
    "heir",
    [replace(OTHER, selector=OLD.selector), replace(OTHER, targets=OLD.targets)],
    ids=["of the same key", "to the same place"],
)
def test_a_new_one_waits_for_one_that_leaves_and_is_at_the_same_key(heir):
    roster = Roster([OLD])
    roster.configure([heir])

    assert () == roster.join()
    roster.settle("a", in_flight())
    assert () == roster.join()
    roster.settle("a", QUIET)
    assert ("b",) == roster.join()


def test_policies_come_and_go_while_one_goes_through_them():
    roster = Roster([OLD, OTHER])
    roster.configure([])
    for one in roster:
        roster.settle(one.name, QUIET)

    assert [] == names(roster)

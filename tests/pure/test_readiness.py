"""What is said before anything is tried: problems, and what only a try can tell."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    endless,
    in_flight,
    key,
    lease,
    lineage,
    policy,
    record,
    service,
    shown,
    snapshot,
)

from rotator import readiness
from rotator.errors import NotFound, Unavailable
from rotator.journal import Journal
from rotator.model import Choice
from rotator.ports import Lack
from rotator.readiness import Finding


def codes(s, manager=None):
    return [
        (one.code, "note" if one.note else "problem") for one in readiness.of_policy(s, manager)
    ]


def test_a_policy_that_can_be_rotated_has_nothing_to_say():
    assert [] == codes(snapshot(key()))


def test_a_service_key_without_an_end_needs_no_privileges_to_be_refreshed():
    assert [] == codes(snapshot(service(expires_at=None)))


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        (snapshot(), ("key_not_found", "problem")),
        (snapshot(holding=(None,)), ("key_not_found", "problem")),
        (snapshot(service()), ("bindings_unknown", "problem")),
        (snapshot(key(), holding=("two",)), ("store_holds_unknown_key", "problem")),
        (snapshot(key(), holding=(None,)), ("target_is_empty", "note")),
        (
            snapshot(key(), journal=in_flight().model_copy(update={"lease": lease(OTHER)})),
            ("another_holds_the_lease", "note"),
        ),
    ],
)
def test_what_stands_in_the_way_is_told_once(s, expected):
    assert [expected] == codes(s)


@pytest.mark.parametrize(
    ("outcomes", "told"), [(("failed",), True), (("completed", "failed"), False), ((), False)]
)
def test_what_only_a_try_could_tell_is_remembered_until_the_next_one(outcomes, told):
    refusal = "Arize answered 422: expires_at is beyond the account's maximum"
    history = tuple(record(outcome=one, error=refusal) for one in outcomes)

    found = list(readiness.of_policy(snapshot(key(), journal=lineage(history=history)), None))

    assert ([f"the last rotation failed: {refusal}"] if told else []) == [one.text for one in found]


def test_one_trouble_hides_no_other():
    s = snapshot(service(), holding=("two", None))

    assert [
        ("store_holds_unknown_key", "problem"),
        ("bindings_unknown", "problem"),
        ("target_is_empty", "note"),
    ] == codes(s)


def test_an_empty_target_is_told_what_fills_it():
    (found,) = readiness.of_policy(snapshot(key(), holding=(None,)), None)

    assert "or give it the present one: rotator adopt ci-key" == found.remedy


@pytest.mark.parametrize(
    ("one", "manager", "strategy", "said"),
    [
        (key(created_by="ann"), key("mgr", created_by="bob"), Choice.REISSUE, True),
        (key(created_by="bob"), key("mgr", created_by="bob"), Choice.REISSUE, False),
        (key(created_by=None), key("mgr", created_by="bob"), Choice.REISSUE, False),
        (key(created_by="ann"), key("mgr"), Choice.REISSUE, False),
        (key(created_by="ann"), None, Choice.REISSUE, False),
        (endless(created_by="ann"), key("mgr", created_by="bob"), Choice.REFRESH, False),
    ],
)
def test_a_user_key_of_somebody_else_cannot_be_reissued_as_his(one, manager, strategy, said):
    s = snapshot(one, policy=policy(strategy=strategy))

    assert ([("key_acts_as_another", "problem")] if said else []) == codes(s, manager)


def test_of_a_key_that_cannot_be_told_nothing_more_is_said():
    s = snapshot(service(created_by="ann"), policy=policy(strategy=Choice.REISSUE))

    assert [("bindings_unknown", "problem")] == codes(s, key("mgr", created_by="bob"))


# --- what only a mint tells ---


@pytest.mark.parametrize(
    ("asked", "longest", "said"),
    [
        (None, DAY, False),
        (90 * DAY, None, False),
        (90 * DAY, 90 * DAY, False),
        (90 * DAY, 90 * DAY - HOUR, False),
        (90 * DAY, 60 * DAY, True),
    ],
)
def test_a_life_longer_than_any_key_has_is_not_known_to_be_allowed(asked, longest, said):
    found = readiness.unproven_lifetime(policy(lifetime=asked), longest)

    assert said == (found is not None)
    if found:
        assert "lifetime 90d: no listed key was given more than 60d" == found.text
        assert found.note


@pytest.mark.parametrize(
    ("keys", "longest"),
    [
        ((), None),
        ((key(),), 90 * DAY),
        ((key(), key("two", expires_at=NOW)), 90 * DAY),
        ((key(), endless("two")), None),
        ((key(created_at=None),), None),
    ],
)
def test_the_longest_life_given_is_what_is_listed(keys, longest):
    assert longest == readiness.longest_given(keys)


@pytest.mark.parametrize(
    ("one", "kept", "said"),
    [
        (key(), False, ["manager_expires", "rights_unproven"]),
        (key(), True, ["rights_unproven"]),
        (endless(), False, ["rights_unproven"]),
    ],
)
def test_of_the_management_key_it_is_told_when_it_ends_and_that_rights_are_not_shown(
    one, kept, said
):
    found = list(readiness.of_manager(one, kept=kept))

    assert said == [each.code for each in found]
    assert all(each.note for each in found)


@pytest.mark.parametrize(
    ("own", "kept", "said"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_start_that_would_not_find_the_new_management_key_is_told_before(own, kept, said):
    found = list(readiness.of_own(snapshot(key(), own=own), kept=kept))

    assert (["manager_not_followed"] if said else []) == [each.code for each in found]
    assert all(each.note for each in found)


# --- the services ---


@pytest.mark.parametrize(
    ("minutes", "text", "note"),
    [
        (2, "this machine's clock is 2m behind Arize's; decisions follow Arize's", True),
        (-2, "this machine's clock is 2m ahead of Arize's; decisions follow Arize's", True),
        (90, "this machine's clock is 1h30m behind Arize's, too far to be followed", False),
    ],
)
def test_a_clock_that_is_off_is_followed_or_not(minutes, text, note):
    found = readiness.of_skew(timedelta(minutes=minutes))

    assert (text, note) == (found.text, found.note)


@pytest.mark.parametrize(
    ("renewable", "how", "wanted"),
    [
        (False, " and cannot be renewed", "that can be renewed"),
        (True, ", however often it is renewed", "without `explicit_max_ttl`"),
    ],
)
def test_a_token_should_outlast_the_longest_grace(renewable, how, wanted):
    assert readiness.of_token(HOUR, HOUR, renewable=renewable) is None
    found = readiness.of_token(HOUR - MINUTE, HOUR, renewable=renewable)
    assert f"the Vault token ends in 59m{how}; the longest grace period is 1h" == found.text
    assert found.remedy.startswith(f"a daemon needs a token {wanted}, or a login of its own")


def test_errors_and_lacks_become_findings():
    error = Unavailable("Vault is sealed", remedy="unseal it")
    lack = Lack("no read on p", "add: l", "l")

    assert Finding("unavailable", "Vault is sealed", "unseal it") == readiness.of_error(error)
    assert Finding("notpermitted", "no read on p", "add: l", "l") == readiness.of_lack(lack)


@pytest.mark.parametrize(
    ("error", "note"), [(Unavailable("no number yet"), True), (NotFound("no program"), False)]
)
def test_what_may_be_there_soon_is_only_noted(error, note):
    found = readiness.of_obstacle("hook web", error)

    assert (f"hook web: {error.message}", note) == (found.text, found.note)


def test_a_policy_in_flight_is_not_asked_twice():
    s = replace(snapshot(key(), journal=lineage()), journal=Journal(rotation=in_flight().rotation))

    assert [] == [code for code in codes(s) if code[0] == "rotation_was_demanded"]
    assert str(shown()) == s.journal.rotation.redacted

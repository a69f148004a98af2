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
from rotator.decide import decide
from rotator.errors import NotFound, Unavailable
from rotator.journal import Journal
from rotator.model import Choice, Wait
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


@pytest.mark.parametrize(
    ("one", "strategy"),
    [
        (service(expires_at=None), Choice.REISSUE),
        (key(created_at=None), Choice.REFRESH),
    ],
    ids=["a rotation that is wanted today", "one that its expiry asks for"],
)
def test_what_a_later_rotation_would_meet_is_told_today(one, strategy):
    s = snapshot(one, policy=policy(strategy=strategy))

    assert isinstance(decide(s), Wait)
    assert ["problem"] == [kind for _, kind in codes(s)]


def test_a_suspended_policy_is_asked_what_a_person_would_meet_who_rotated_it():
    assert [] == codes(snapshot(key(), policy=policy(suspend=True)))


def test_an_end_that_a_key_is_to_be_given_is_no_longer_life():
    assert [] == codes(snapshot(service(expires_at=None), policy=policy(lifetime=90 * DAY)))


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


SOMEBODY_ELSES = key(created_by="ann")
MANAGER = key("mgr", created_by="bob")


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        (
            snapshot(),
            Finding(
                "key_not_found",
                "the provider lists no active key id-old",
                "it may be revoked or expired, or hidden from the management key: create a key,"
                " name it in the policy under `key`, and add `space_id` or `type: service` for a"
                " service key",
            ),
        ),
        (
            snapshot(key(), holding=(None,)),
            Finding(
                "target_is_empty",
                "app/one#key holds no key; the next rotation puts one there",
                "or give it the present one: rotator adopt ci-key",
                note=True,
            ),
        ),
        (
            snapshot(key(), journal=in_flight().model_copy(update={"lease": lease(OTHER)})),
            Finding(
                "another_holds_the_lease",
                "another holds the lease until 2026-11-23 08:31 UTC and is at it",
                note=True,
            ),
        ),
        (
            snapshot(key(), journal=lineage(history=(record(outcome="failed", error="422"),))),
            Finding(
                "last_rotation_failed",
                "the last rotation failed: 422",
                "it will again, unless what stood in its way has been put right",
                note=True,
            ),
        ),
        (
            snapshot(SOMEBODY_ELSES, policy=policy(strategy=Choice.REISSUE)),
            Finding(
                "key_acts_as_another",
                f"{shown()} acts as the user ann, a reissue would act as bob",
                "work with a management key of that user, or make this one a service key",
            ),
        ),
        (
            snapshot(service()),
            Finding(
                "bindings_unknown",
                "Arize does not show the privileges of service key id-old, so that near its expiry"
                " it can only be refreshed; today's Arize extends no key by that",
                "write them under `key.bindings` of the policy, or give the management key the"
                " right to list service keys of the whole account",
            ),
        ),
    ],
)
def test_what_a_rotation_would_meet_is_said_with_what_to_do(s, expected):
    assert [expected] == list(readiness.of_policy(s, MANAGER))


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

    expected = Finding(
        "lifetime_unproven",
        "lifetime 90d: no listed key was given more than 60d",
        "whether the account allows more, only a mint tells; a refusal changes nothing",
        note=True,
    )
    assert (expected if said else None) == found


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


ENDS = Finding(
    "manager_expires",
    f"the management key, {shown()}, expires 2027-02-11 08:31 UTC, and no policy replaces it",
    "add a policy for it, delivered to where `arize.api_key` reads it",
    note=True,
)
UNPROVEN = Finding(
    "rights_unproven",
    "whether the management key may create and revoke keys is seen only when it does",
    "a refusal changes nothing",
    note=True,
)


@pytest.mark.parametrize(
    ("one", "kept", "said"),
    [
        (key(), False, [ENDS, UNPROVEN]),
        (key(), True, [UNPROVEN]),
        (endless(), False, [UNPROVEN]),
    ],
)
def test_of_the_management_key_it_is_told_when_it_ends_and_that_rights_are_not_shown(
    one, kept, said
):
    assert said == list(readiness.of_manager(one, kept=kept))


@pytest.mark.parametrize(
    ("own", "kept", "said"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_start_that_would_not_find_the_new_management_key_is_told_before(own, kept, said):
    expected = Finding(
        "manager_not_followed",
        "this is the key that rotator itself works with, and the policy does not deliver it to"
        " where `arize.api_key` is read: the old one is not revoked, and the next start works"
        " with it until it expires",
        "read it from there, with `arize.api_key: {vault: …}`",
        note=True,
    )
    assert ([expected] if said else []) == list(
        readiness.of_own(snapshot(key(), own=own), kept=kept)
    )


# --- the services ---


@pytest.mark.parametrize(
    ("minutes", "text", "remedy", "note"),
    [
        (2, "2m behind Arize's; decisions follow Arize's", "set it (NTP)", True),
        (-2, "2m ahead of Arize's; decisions follow Arize's", "set it (NTP)", True),
        (60, "1h behind Arize's; decisions follow Arize's", "set it (NTP)", True),
        (90, "1h30m behind Arize's, too far to be followed", "set the clock (NTP)", False),
    ],
)
def test_a_clock_that_is_off_is_followed_or_not(minutes, text, remedy, note):
    found = readiness.of_skew(timedelta(minutes=minutes))

    assert Finding("clock_skewed", f"this machine's clock is {text}", remedy, note=note) == found


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
    assert found == Finding(
        "token_ends_early",
        f"the Vault token ends in 59m{how}; the longest grace period is 1h",
        f"a daemon needs a token {wanted}, or a login of its own (approle, kubernetes)",
        note=True,
    )


def test_errors_and_lacks_become_findings():
    error = Unavailable("Vault is sealed", remedy="unseal it")
    lack = Lack("no read on p", "add: l", "l")

    assert Finding("unavailable", "Vault is sealed", "unseal it") == readiness.of_error(error)
    assert Finding("notpermitted", "no read on p", "add: l", "l") == readiness.of_lack(lack)


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (Unavailable("no number yet", remedy="wait"), True),
        (NotFound("no program", remedy="install it"), False),
    ],
)
def test_what_may_be_there_soon_is_only_noted(error, note):
    expected = Finding(error.code, f"hook web: {error.message}", error.remedy, note=note)
    assert expected == readiness.of_obstacle("hook web", error)


def test_a_policy_in_flight_is_not_asked_twice():
    s = replace(snapshot(key(), journal=lineage()), journal=Journal(rotation=in_flight().rotation))

    assert [] == [code for code in codes(s) if code[0] == "rotation_was_demanded"]
    assert str(shown()) == s.journal.rotation.redacted

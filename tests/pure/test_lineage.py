"""What a person may do to a lineage: when it is granted, and what the journal says then."""

from dataclasses import replace

import pytest
from pure_builders import (
    BINDINGS,
    DAY,
    HOUR,
    ME,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    current,
    endless,
    held,
    in_flight,
    key,
    lease,
    lineage as journal_of,
    new,
    policy,
    record,
    secret,
    service,
    shown,
    snapshot,
    unseen,
)

from rotator.decide import decide
from rotator.journal import Current, Journal, Lease, Notice, PutBack, Record
from rotator.lineage import (
    Former,
    adoptable,
    adopted,
    former,
    identified,
    irreplaceable,
    is_adopted,
    put_back,
)
from rotator.model import Choice, OnDrift, Plan, Refuse, Selector, Wait
from rotator.strategy import choose
from rotator.views import expiry_due

#: ``old`` was replaced by ``new`` ten minutes ago, by a refresh; an hour of grace.
DONE = record(
    rotation="r1",
    strategy="refresh",
    finished_at=NOW - 10 * MINUTE,
    old_key_id="id-old",
    old_redacted=str(shown()),
    old_fingerprint=secret().fingerprint,
    key_id="id-new",
    redacted=str(shown("new")),
    old_valid_until=NOW + 50 * MINUTE,
)
AFTER = journal_of("new", history=(DONE,))
ENDLESS = replace(DONE, old_valid_until=None)
OLD = Former("id-old", shown(), secret().fingerprint, NOW + 50 * MINUTE)
BACK = PutBack(
    key_id="id-old",
    redacted=str(shown()),
    fingerprint=secret().fingerprint,
    at=NOW,
    ends_at=NOW + 50 * MINUTE,
)


def rotated(**changes):
    return snapshot(
        *changes.pop("keys", (new(),)), **{"holding": ("new",), "journal": AFTER} | changes
    )


def with_it_back(*keys, **changes):
    journal = AFTER.model_copy(update={"current": current("new", put_back=BACK)})
    return snapshot(*(keys or (new(),)), **{"journal": journal} | changes)


def with_current(label="old", **changes):
    return journal_of().model_copy(update={"current": current(label, **changes)})


def code(answer):
    assert isinstance(answer, Refuse)
    assert answer.remedy
    return answer.reason.code


# --- the former key ---


def test_the_former_key_is_the_one_that_the_last_rotation_replaced():
    assert OLD == former(rotated())


def test_a_rotation_that_failed_since_does_not_matter():
    failed = record(outcome="failed", key_id="id-x")

    assert OLD == former(rotated(journal=journal_of("new", history=(failed, DONE))))


@pytest.mark.parametrize(
    ("journal", "why"),
    [
        (Journal(), "nothing_to_roll_back"),
        (journal_of("new"), "nothing_to_roll_back"),
        (AFTER.model_copy(update={"selector": "id id-x"}), "nothing_to_roll_back"),
        (journal_of("two", history=(DONE,)), "nothing_to_roll_back"),
        (in_flight().model_copy(update={"current": AFTER.current}), "rotation_in_flight"),
        (AFTER.model_copy(update={"lease": lease(OTHER)}), "another_holds_the_lease"),
        (AFTER.model_copy(update={"history": (ENDLESS,)}), "grace_is_over"),
    ],
)
def test_without_one_there_is_nothing_to_put_back(journal, why):
    assert why == code(former(rotated(journal=journal)))


@pytest.mark.parametrize(
    ("record_of", "text", "remedy"),
    [
        (
            {"lease": lease(OTHER)},
            "another holds the lease until 2026-11-23 08:31 UTC",
            "try again after that",
        ),
        (
            {"rotation": in_flight().rotation},
            "rotation r1, begun at 2026-11-23 08:30 UTC, is not over",
            "wait for it; where no daemon runs, `rotator run --once` carries it on",
        ),
        ({}, "no rotation of the policy's key is on record", "see `rotator plan`"),
        (
            {"current": current("two"), "history": (DONE,)},
            "another key was adopted since the last rotation",
            "see `rotator plan`",
        ),
        (
            {"history": (ENDLESS,)},
            f"the former key, {shown()}, does not work any more",
            "if the present one is at fault: rotator run --rotate ci-key",
        ),
        (
            {"history": (replace(DONE, old_valid_until=NOW),)},
            f"the former key, {shown()}, does not work any more since 2026-11-23 08:31 UTC",
            "if the present one is at fault: rotator run --rotate ci-key",
        ),
        (
            {"history": (replace(DONE, old_valid_until=NOW + MINUTE),)},
            f"the former key, {shown()}, works for 1m more, and less than 10m is too short",
            "if the present one is at fault: rotator run --rotate ci-key",
        ),
    ],
)
def test_whoever_wants_it_back_is_told_why_not_and_what_to_do(record_of, text, remedy):
    refusal = former(rotated(journal=journal_of("new", **record_of)))

    assert (text, remedy) == (refusal.reason.text, refusal.remedy)


@pytest.mark.parametrize("owner", [ME, OTHER])
def test_a_lease_of_ours_or_one_that_is_over_hinders_nobody(owner):
    until = NOW + SECOND if owner == ME else NOW
    over = Lease(owner=owner, taken_at=NOW - MINUTE, until=until)

    assert OLD == former(rotated(journal=AFTER.model_copy(update={"lease": over})))


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (10 * MINUTE, None),
        (10 * MINUTE - SECOND, "grace_too_short"),
        (SECOND, "grace_too_short"),
        (0 * SECOND, "grace_is_over"),
    ],
)
def test_half_of_what_is_left_must_do_to_replace_it(left, why):
    ending = replace(DONE, old_valid_until=NOW + left)
    found = former(rotated(journal=journal_of("new", history=(ending,))))

    if why:
        assert why == code(found)
    else:
        assert replace(OLD, ends_at=NOW + left) == found


def test_one_that_was_put_back_already_is_the_same_again():
    assert replace(OLD, again=True) == former(with_it_back())


def test_it_is_known_by_its_fingerprint_and_in_old_records_by_what_is_shown():
    old_record = replace(OLD, fingerprint=None)

    assert [True, False] == [OLD.fits(secret(each)) for each in ("old", "new")]
    assert [True, False] == [old_record.fits(secret(each)) for each in ("old", "new")]


def test_the_journal_says_what_the_store_will_hold_and_who_is_at_it():
    s = rotated(policy=policy(hooks=("tell",)))

    assert Journal(
        selector="id id-old",
        changed_at=NOW,
        lease=Lease(owner=ME, taken_at=NOW, until=NOW + s.limits.lease),
        current=current("new", put_back=BACK),
        history=(
            Record(
                rotation="b1",
                reason="rollback_was_demanded",
                strategy="refresh",
                outcome="rolled_back",
                started_at=NOW,
                finished_at=NOW,
                old_key_id="id-new",
                old_redacted=str(shown("new")),
                old_fingerprint=secret("new").fingerprint,
                key_id="id-old",
                redacted=str(shown()),
                expires_at=NOW + 50 * MINUTE,
            ),
            DONE,
        ),
        notices=(Notice(rotation="b1", hook="tell", at=NOW, until=NOW + s.limits.notify_for),),
    ) == put_back(s, OLD, secret(), "b1")


@pytest.mark.parametrize("listed", [(), (key("new"),)], ids=["unlisted", "another listed"])
def test_what_the_provider_showed_under_the_same_id_is_not_what_is_put_back(listed):
    other = replace(OLD, redacted=shown("new"))

    assert OLD == identified(snapshot(*listed), other, secret())


def test_what_the_store_held_is_named_and_not_what_was_replaced_under_it():
    replaced = replace(OLD, key_id="id-new", redacted=shown("new"))

    assert OLD == identified(snapshot(key("new"), key()), replaced, secret())


def test_without_a_rotation_on_record_putting_a_key_back_only_takes_the_lease():
    s = rotated(journal=journal_of("new"))

    assert s.journal.current == put_back(s, OLD, secret(), "b1").current


def test_to_put_it_back_again_takes_the_lease_and_nothing_else():
    s = with_it_back()
    journal = put_back(s, replace(OLD, again=True), secret(), "b1")

    assert s.journal.changed(NOW, lease=journal.lease) == journal
    assert ME == journal.lease.owner


# --- and then ---


def test_it_is_replaced_when_half_of_what_was_left_is_over():
    due = expiry_due(with_it_back(), new())

    assert ("key_near_expiry", NOW + 25 * MINUTE) == (due.reason.code, due.at)


def test_or_later_where_the_policy_needs_less():
    s = with_it_back(policy=policy(before_expiry=5 * MINUTE))

    assert NOW + 45 * MINUTE == expiry_due(s, new()).at


@pytest.mark.parametrize("chosen", [Choice.AUTO, Choice.REISSUE])
@pytest.mark.parametrize("old", [new(), endless("new")], ids=["bounded", "endless"])
def test_it_is_replaced_by_a_reissue_of_the_current_key_with_a_life_of_its_own(chosen, old):
    plan = choose(with_it_back(old, policy=policy(strategy=chosen)), old)

    assert isinstance(plan, Plan)
    assert ("reissue", old) == (plan.strategy, plan.source)
    assert (old.expires_at is None) == (plan.expires_at is None)
    assert 50 * MINUTE == plan.grace, "the former key ends when it ends"


def test_the_store_may_hold_it_and_nothing_else():
    alarmed = policy(on_drift=OnDrift.ALARM)

    assert isinstance(decide(with_it_back(policy=alarmed)), Wait)
    assert "store_holds_another_key" == code(decide(with_it_back(policy=alarmed, holding=("new",))))
    assert "store_holds_unknown_key" == code(decide(with_it_back(policy=alarmed, holding=("two",))))


def test_while_somebody_holds_the_lease_no_alarm_is_raised():
    s = snapshot(key(), holding=("two",))
    alarm = decide(s)
    putting, put = (Journal(lease=lease(ME, until=NOW + left)) for left in (SECOND, 0 * SECOND))

    assert Wait(alarm.reason, NOW + SECOND, soon=True) == decide(replace(s, journal=putting))
    assert alarm == decide(replace(s, journal=put))
    assert "store_holds_unknown_key" == code(alarm)


def test_that_it_can_be_replaced_is_seen_to_before():
    assert irreplaceable(with_it_back()) is None


@pytest.mark.parametrize(
    ("keys", "rules", "text", "remedy"),
    [
        ((new(),), {"suspend": True}, "the policy is suspended", "remove `suspend` first"),
        (
            (new(),),
            {"strategy": Choice.REFRESH},
            "`strategy: refresh` allows no reissue",
            "use `strategy: auto`",
        ),
        (
            (service("new"),),
            {},
            "the provider does not show the privileges of service key id-new",
            "write them under `key.bindings`",
        ),
        (
            (key(),),
            {},
            "the provider lists no active key id-new",
            "it may be revoked or expired",
        ),
    ],
)
def test_and_it_is_not_put_back_when_it_cannot(keys, rules, text, remedy):
    refusal = irreplaceable(with_it_back(*keys, policy=policy(grace=HOUR, **rules)))

    assert "former_key_irreplaceable" == code(refusal)
    assert refusal.reason.text.startswith(f"it could not be replaced before its end: {text}")
    assert refusal.remedy.startswith(remedy)


def test_a_service_key_with_known_privileges_can_be_replaced():
    assert irreplaceable(with_it_back(service("new", bindings=BINDINGS))) is None


# --- adopting ---


def test_the_key_of_the_policy_is_adopted():
    assert key() == adoptable(snapshot(key()), secret())


@pytest.mark.parametrize(
    ("changes", "why", "words"),
    [
        ({"journal": in_flight()}, "rotation_in_flight", "rotation r1"),
        ({"journal": Journal(lease=lease(OTHER))}, "another_holds_the_lease", OTHER),
        ({"astray": 3 * DAY}, "clock_is_astray", "3d behind the provider's"),
        ({"keys": ()}, "key_not_found", "no active key id-old"),
        (
            {"keys": (), "policy": policy(selector=Selector(name="ci"))},
            "key_not_found",
            "no active key of name 'ci'",
        ),
        (
            {"keys": (key(), key("two")), "policy": policy(selector=Selector(name="ci"))},
            "key_is_ambiguous",
            "2 active keys",
        ),
        ({"keys": (key(redacted=unseen()),)}, "key_not_shown", "too little of key id-old"),
        ({"keys": (key(redacted=shown("two")),)}, "key_does_not_match", f"{shown('two')}, the key"),
        (
            {"keys": (key(redacted=shown("two")), key("new", redacted=shown()))},
            "key_does_not_match",
            f"; it is {shown()}, key id-new",
        ),
    ],
)
def test_it_is_refused_when_it_is_not_or_not_the_moment(changes, why, words):
    given = {"keys": (key(),)} | changes
    refusal = adoptable(snapshot(*given.pop("keys"), **given), secret())

    assert why == code(refusal)
    assert words in refusal.reason.text


@pytest.mark.parametrize(
    ("others", "what"),
    [((), ""), ((key("new", redacted=shown()),), f"; it is {shown()}, key id-new")],
)
def test_a_key_that_is_another_is_told_from_the_one_that_is_wanted(others, what):
    refusal = adoptable(snapshot(key(redacted=shown("two")), *others), secret())

    assert f"this is not {shown('two')}, the key of the policy{what}" == refusal.reason.text
    assert (
        "give the raw key of the one that the policy names, or name another one in the policy"
        " under `key`"
    ) == refusal.remedy


def test_an_adopted_key_is_the_current_one_and_as_old_as_it_is():
    ours = key(created_by="ann")
    s = snapshot(ours)

    assert Journal(
        selector="id id-old",
        changed_at=NOW,
        lease=Lease(owner=ME, taken_at=NOW, until=NOW + s.limits.lease),
        current=Current(
            key_id="id-old",
            name="ci",
            redacted=str(shown()),
            fingerprint=secret().fingerprint,
            since=NOW - 10 * DAY,
            expires_at=NOW + 80 * DAY,
            created_by="ann",
        ),
    ) == adopted(s, ours, secret())


def test_of_a_key_whose_age_is_not_told_it_begins_now():
    assert NOW == adopted(snapshot(key()), key(created_at=None), secret()).current.since


def test_of_the_same_key_more_is_known_and_kept():
    s = snapshot(key(), journal=with_current(lifetime=90 * DAY, since=NOW - DAY, put_back=BACK))

    after = adopted(s, key(), secret()).current
    assert (NOW - DAY, 90 * DAY, None) == (after.since, after.lifetime, after.put_back)


def test_of_another_key_nothing_is_kept():
    s = snapshot(key(), journal=with_current("two", since=NOW - DAY, lifetime=90 * DAY))

    after = adopted(s, key(), secret()).current
    assert (NOW - 10 * DAY, None) == (after.since, after.lifetime)


@pytest.mark.parametrize(
    ("changes", "done"),
    [
        ({}, True),
        ({"holding": ("two",)}, False),
        ({"holding": (None,)}, False),
        ({"journal": Journal()}, False),
        ({"journal": journal_of(selector="id x")}, False),
        ({"journal": journal_of("two")}, False),
        ({"journal": with_current(put_back=BACK)}, False),
    ],
)
def test_there_is_nothing_to_do_when_all_is_as_it_shall_be(changes, done):
    assert done == is_adopted(snapshot(key(), **{"journal": journal_of()} | changes), secret())


def test_all_targets_count():
    s = replace(snapshot(key(), journal=journal_of()), held=held("old", None))

    assert not is_adopted(s, secret())

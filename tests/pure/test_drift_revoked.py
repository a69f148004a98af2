"""A key that we delivered is revoked by somebody else: an alarm, or another key like it."""

from datetime import timedelta

import pytest
from pure_builders import (
    BINDINGS,
    DAY,
    HOUR,
    NOW,
    SECOND,
    TICK,
    current,
    in_flight,
    key,
    lineage,
    mint,
    policy,
    record,
    retiring,
    shown,
    snapshot,
)

from rotator.decide import decide
from rotator.keys import Key, KeyStatus, KeyType
from rotator.model import Choice, Mint, OnDrift, Reason, Refuse, Retire, Wait
from rotator.views import revoked_key

GONE = {
    "type": KeyType.USER,
    "description": "of the pipeline",
    "created_by": "ann",
    "lifetime": 90 * DAY,
    "name": "ci",
}
REASON = Reason(
    "key_was_revoked_elsewhere",
    "ak-new...new, which the last rotation delivered, was revoked elsewhere",
)
ROTATE = policy(on_drift=OnDrift.ROTATE)


def gone(rules=None, **changes):
    """A snapshot in which the current key, id-new, is not listed."""
    more = {name: changes.pop(name) for name in ("demanded", "now") if name in changes}
    journal = {name: changes.pop(name) for name in ("retiring", "history") if name in changes}
    entry = current("new", **GONE | {"expires_at": NOW + 30 * DAY} | changes)
    return snapshot(
        journal=lineage("new", current=entry, **journal),
        holding=("new",),
        policy=rules or policy(),
        **more,
    )


def test_by_default_a_person_is_told():
    assert Refuse(
        REASON,
        remedy="create a key, and name it in the policy under `key`; `rotate.on_drift: rotate`"
        " does so by itself",
    ) == decide(gone())


@pytest.mark.parametrize("strategy", Choice)
def test_with_on_drift_rotate_another_key_like_it_is_created(strategy):
    step = decide(gone(policy(on_drift=OnDrift.ROTATE, strategy=strategy)))

    assert isinstance(step, Mint)
    assert REASON == step.reason
    source = step.plan.source
    assert ("reissue", "ci", "of the pipeline", KeyType.USER) == (
        step.plan.strategy,
        source.name,
        source.description,
        source.type,
    )
    assert 90 * DAY == step.plan.lifetime


@pytest.mark.parametrize("history", [(), (record(finished_at=NOW),)], ids=["ever", "at once"])
def test_a_person_may_ask_for_that_as_well(history):
    assert isinstance(decide(gone(demanded=True, history=history)), Mint)


@pytest.mark.parametrize("rules", [{"suspend": True}, {"leaving": True}])
def test_what_is_suspended_or_leaving_is_not_repaired(rules):
    assert isinstance(decide(gone(policy(on_drift=OnDrift.ROTATE, **rules))), Refuse)


def test_no_more_often_than_once_in_min_interval():
    last = record(finished_at=NOW - HOUR + TICK)

    assert Wait(REASON, NOW + TICK) == decide(gone(ROTATE, history=(last,)))


def test_a_service_key_needs_its_privileges_from_the_policy():
    step = decide(gone(ROTATE, type=KeyType.SERVICE))
    assert "bindings_unknown" == step.reason.code

    step = decide(gone(policy(on_drift=OnDrift.ROTATE, bindings=BINDINGS), type=KeyType.SERVICE))
    assert BINDINGS == step.plan.bindings


def test_a_key_of_which_an_older_version_noted_too_little_needs_a_person():
    assert "key_type_unknown" == decide(gone(ROTATE, type=None)).reason.code


def test_old_keys_leave_all_the_same():
    assert isinstance(decide(gone(retiring=(retiring(),))), Retire)


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"expires_at": NOW}, False),
        ({"expires_at": NOW + TICK}, True),
        ({"expires_at": None}, True),
        ({"since": NOW - 20 * SECOND}, True),
        ({"since": NOW - 20 * SECOND + TICK}, False),
    ],
)
def test_a_key_that_expired_or_may_not_show_yet_was_not_revoked(changes, seen):
    assert seen == (revoked_key(gone(**changes)) is not None)


def test_of_a_revoked_key_what_the_journal_knows_is_kept():
    assert Key(
        id="id-new",
        name="ci",
        redacted=shown("new"),
        description="of the pipeline",
        type=KeyType.USER,
        status=KeyStatus.REVOKED,
        expires_at=NOW + 30 * DAY,
        created_by="ann",
    ) == revoked_key(gone())


def test_neither_was_one_that_is_listed_or_that_the_policy_means_no_more():
    assert None is revoked_key(snapshot(key("new"), journal=lineage("new")))
    assert None is revoked_key(snapshot(journal=lineage("new", selector="id other")))
    assert None is revoked_key(snapshot())


def test_a_replacement_that_left_no_trace_is_asked_for_again():
    entry = current("new", **GONE | {"expires_at": NOW + 30 * DAY})
    journal = in_flight(mint(at=NOW - 20 * SECOND), key_id="id-new").model_copy(
        update={"current": entry, "selector": "id id-old"}
    )

    step = decide(snapshot(journal=journal, holding=("new",), policy=ROTATE))

    assert isinstance(step, Mint)
    assert "mint_left_no_trace" == step.reason.code
    assert KeyStatus.REVOKED is step.plan.source.status
    assert timedelta(0) < step.plan.grace

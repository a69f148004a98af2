"""What is written on the way: leases, intents, mints taken back, keys that leave."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    ME,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    current,
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
    rotation,
    secret,
    snapshot,
)

from rotator import transitions
from rotator.decide import decide
from rotator.errors import Rejected
from rotator.journal import Journal, Lease, Mint, Record, Retiring, Rotation
from rotator.model import Choice, Limits, Plan, Reason, Selector

WHY = Reason("key_near_expiry", "expires soon")
#: Something of everything, to see that it stays.
FULL = lineage(
    "new",
    lease=lease(OTHER),
    retiring=(retiring(),),
    history=(record(),),
)


def refresh(source, **changes):
    return replace(Plan("refresh", source, None, HOUR), **changes)


def reissue(source, **changes):
    return replace(Plan("reissue", source, NOW + 90 * DAY, HOUR, 90 * DAY), **changes)


# --- leases ---


@pytest.mark.parametrize(
    "held", [None, lease(OTHER), lease(ME, until=NOW), lease(ME, until=NOW - SECOND)]
)
def test_a_lease_is_taken_from_now(held):
    s = snapshot(journal=FULL.model_copy(update={"lease": held}))

    ours = Lease(owner=ME, taken_at=NOW, until=NOW + 30 * SECOND)
    assert FULL.changed(NOW, lease=ours) == transitions.locked(s)


def test_to_renew_a_lease_keeps_when_it_was_taken():
    s = snapshot(journal=Journal(lease=lease()), limits=Limits(lease=MINUTE))

    ours = Lease(owner=ME, taken_at=NOW - 10 * SECOND, until=NOW + MINUTE)
    assert ours == transitions.locked(s).lease


def test_whoever_lets_go_of_a_lease_leaves_the_rest_as_it_is():
    assert FULL.changed(NOW, lease=None) == transitions.unlocked(snapshot(journal=FULL))


# --- intents ---


def test_an_intent_says_all_that_a_later_look_needs():
    old = key()
    keys = old, key("two"), key("one")
    s = snapshot(*keys, journal=FULL, policy=policy(selector=Selector(name="ci")))

    begun = transitions.begun(s, WHY, reissue(old), "r1")
    intent = Rotation(
        id="r1",
        reason="key_near_expiry",
        started_at=NOW,
        selector="name 'ci'",
        key_id="id-old",
        key_name="ci",
        key_type=old.type,
        redacted="ak-old...old",
        fingerprint=secret().fingerprint,
        expires_at=NOW + 80 * DAY,
        siblings=("id-one", "id-two"),
        grace_deadline=None,
        mints=(
            Mint(
                owner=ME,
                at=NOW,
                strategy="reissue",
                source_id="id-old",
                expires_at=NOW + 90 * DAY,
                lifetime=90 * DAY,
            ),
        ),
    )
    ours = Lease(owner=ME, taken_at=NOW, until=NOW + 30 * SECOND)
    assert FULL.changed(NOW, lease=ours, rotation=intent) == begun


@pytest.mark.parametrize(
    ("holding", "expected"),
    [((), None), ((None, None), None), ((None, "two", "one"), "two"), (("one", "two"), "one")],
)
def test_the_secret_from_before_is_the_first_that_a_target_holds(holding, expected):
    s = snapshot(key(), holding=holding)

    fingerprint = transitions.begun(s, WHY, reissue(key()), "r1").rotation.fingerprint
    assert (secret(expected).fingerprint if expected else None) == fingerprint


def test_an_intent_names_the_keys_that_are_to_leave_and_are_held_again():
    leaving = (retiring("two"), retiring("one"), retiring("old"))
    s = snapshot(key(), key("one"), holding=("one", "new"), journal=Journal(retiring=leaving))

    # The one that the policy is about is in use, whatever a target holds.
    assert ("id-one", "id-old") == transitions.begun(s, WHY, reissue(key()), "r1").rotation.held


def test_a_refresh_sets_the_end_of_the_old_secret():
    begun = transitions.begun(snapshot(endless()), WHY, refresh(endless(), grace=MINUTE), "r1")

    assert NOW + MINUTE == begun.rotation.grace_deadline
    assert MINUTE == begun.rotation.last_mint.grace
    assert ("refresh", None, None) == (
        begun.rotation.last_mint.strategy,
        begun.rotation.last_mint.expires_at,
        begun.rotation.last_mint.lifetime,
    )


def test_a_rotation_in_flight_goes_on_with_another_mint():
    before = in_flight(mint(owner=OTHER))
    begun = transitions.begun(snapshot(key(), new(), journal=before), WHY, refresh(new()), "r2")

    assert ("r1", (OTHER, ME)) == (
        begun.rotation.id,
        tuple(each.owner for each in begun.rotation.mints),
    )
    assert ("id-old", "id-new") == (begun.rotation.key_id, begun.rotation.last_mint.source_id)
    assert NOW + HOUR == begun.rotation.grace_deadline


def test_the_first_refresh_sets_the_end_and_a_later_one_does_not_move_it():
    before = in_flight(mint(strategy="refresh"), grace_deadline=NOW + MINUTE)
    begun = transitions.begun(snapshot(key(), journal=before), WHY, refresh(key()), "r2")

    assert NOW + MINUTE == begun.rotation.grace_deadline


# --- mints taken back ---


def test_a_rotation_whose_only_mint_was_refused_never_was():
    journal = FULL.model_copy(update={"rotation": rotation()})

    assert FULL.changed(NOW, lease=None) == transitions.unminted(snapshot(journal=journal))


def test_of_several_mints_the_refused_one_is_taken_back():
    first = mint(strategy="refresh")
    journal = in_flight(first, mint(), grace_deadline=NOW + MINUTE)

    after = transitions.unminted(snapshot(journal=journal))
    assert in_flight(first, grace_deadline=NOW + MINUTE).changed(NOW) == after


def test_a_refresh_that_was_refused_ended_nothing():
    journal = in_flight(mint(), mint(strategy="refresh"), grace_deadline=NOW + MINUTE)

    assert in_flight().changed(NOW) == transitions.unminted(snapshot(journal=journal))


def test_where_nothing_is_in_flight_nothing_is_taken_back():
    assert FULL.changed(NOW, lease=None) == transitions.unminted(snapshot(journal=FULL))


# --- mints that the provider refused for good ---

NO = Rejected("no", remedy="ask for less")


def failed(**changes):
    default = Record(
        rotation="r1",
        reason="key_near_expiry",
        strategy="reissue",
        outcome="failed",
        started_at=NOW - MINUTE,
        finished_at=NOW,
        old_key_id="id-old",
        old_redacted="ak-old...old",
        old_fingerprint=secret().fingerprint,
        key_id="id-new",
        redacted="ak-new...new",
        expires_at=NOW + 90 * DAY,
        error="no",
    )
    return replace(default, **changes)


def declined(*before, **changes):
    journal = in_flight().model_copy(update={"history": before})
    s = snapshot(journal=journal, **changes)
    return transitions.declined(s, NO).history


def refusal(**changes):
    """The record of a rotation that nothing was minted for."""
    return failed(**{"key_id": "", "redacted": "", "expires_at": None} | changes)


def test_a_rotation_that_is_refused_has_failed_and_nothing_was_minted():
    journal = FULL.model_copy(update={"rotation": rotation()})

    assert FULL.changed(NOW, lease=None, history=(refusal(), record())) == transitions.declined(
        snapshot(journal=journal), NO
    )


def test_where_an_earlier_mint_goes_on_the_rotation_has_not_failed():
    s = snapshot(journal=in_flight(mint(), mint()))

    assert transitions.unminted(s) == transitions.declined(s, NO)


def test_a_rotation_that_is_given_up_may_come_true_all_the_same():
    doubt = rotation(id="r9")
    journal = FULL.model_copy(update={"rotation": rotation(), "doubted": (doubt,)})

    assert FULL.changed(
        NOW,
        lease=None,
        doubted=(rotation(), doubt),
        history=(refusal(), record()),
    ) == transitions.failed(snapshot(journal=journal), NO)


def test_the_same_refusal_again_is_one_failure_with_more_tries():
    before = refusal(rotation="r0", started_at=NOW - DAY, finished_at=NOW - HOUR, tries=2)

    assert (refusal(started_at=NOW - DAY, tries=3), record()) == declined(before, record())


@pytest.mark.parametrize(
    "before",
    [
        record(),
        failed(),
        refusal(reason="key_reached_max_age"),
        refusal(old_key_id="id-two"),
    ],
)
def test_another_failure_is_one_of_its_own(before):
    assert (refusal(), before) == declined(before)


def test_a_refusal_is_no_rotation_that_the_next_one_keeps_its_distance_from():
    history = (refusal(), record(finished_at=NOW - DAY))

    assert NOW - DAY == Journal(history=history).last_completed_at


# --- keys that were not wanted ---


def test_a_key_that_was_not_wanted_leaves_at_once():
    journal = FULL.model_copy(update={"rotation": rotation()})
    leaving = Retiring(key_id="id-new", redacted="ak-new...new", at=NOW, rotation="r1")

    assert FULL.changed(
        NOW, lease=None, retiring=(leaving, retiring()), history=(failed(), record())
    ) == transitions.refused(snapshot(journal=journal), new(), NO)


def test_a_key_that_was_not_wanted_and_not_told_is_to_be_found_in_a_listing():
    journal = FULL.model_copy(update={"rotation": rotation(mint())})
    same = failed(key_id="id-old", redacted="ak-old...old", expires_at=NOW + 80 * DAY)

    after = transitions.refused(snapshot(journal=journal), None, NO)

    assert (
        FULL.changed(NOW, lease=None, doubted=(rotation(mint()),), history=(same, record()))
        == after
    )
    found = snapshot(
        key(), new(), journal=after.model_copy(update={"current": None, "retiring": ()})
    )
    assert ("stray_key_appeared", "id-new") == (
        decide(found).reason.code,
        decide(found).entry.key_id,
    )


def test_a_key_of_a_rotation_that_another_carried_on_leaves_at_once():
    leaving = Retiring(key_id="id-two", redacted="ak-two...two", at=NOW, rotation="r1")

    assert FULL.changed(NOW, retiring=(leaving, retiring())) == transitions.abandoned(
        snapshot(journal=FULL), rotation(), new("two")
    )


def test_a_key_that_another_process_delivered_for_us_is_no_orphan():
    journal = lineage("new")

    assert journal == transitions.abandoned(snapshot(journal=journal), rotation(), new())


# --- retirements ---


def test_a_key_that_turned_up_is_written_down_before_it_goes():
    after = transitions.condemned(snapshot(journal=FULL), retiring("two"))

    assert FULL.changed(NOW, retiring=(retiring(), retiring("two"))) == after


LEAVING = Journal(retiring=(retiring("one"), retiring("two", at=NOW + HOUR), retiring("tri")))


def test_a_key_that_is_revoked_is_forgotten():
    after = transitions.retired(snapshot(journal=LEAVING), retiring("two"))

    assert (retiring("one"), retiring("tri")) == after.retiring
    assert NOW == after.changed_at


def test_a_key_that_could_not_be_revoked_is_tried_again_later():
    entry = retiring("one", failures=2)
    after = transitions.postponed(snapshot(journal=LEAVING), entry, NOW + DAY)

    later = retiring("one", at=NOW + DAY, failures=3)
    assert LEAVING.changed(NOW, retiring=(*LEAVING.retiring[1:], later)) == after


def test_a_key_that_already_leaves_keeps_its_time():
    known = retiring("new", at=NOW + DAY, failures=1)
    journal = in_flight().model_copy(update={"retiring": (known,)})

    assert (known,) == transitions.refused(snapshot(journal=journal), new(), NO).retiring


def test_the_lineage_goes_on_when_a_rotation_fails():
    journal = FULL.model_copy(update={"rotation": rotation()})
    after = transitions.refused(snapshot(journal=journal), new(), NO)

    assert (current("new"), "id id-old") == (after.current, after.selector)


def test_who_wants_a_strategy_has_no_part_in_what_is_written():
    s = snapshot(key(), policy=policy(strategy=Choice.REFRESH))

    assert "reissue" == transitions.begun(s, WHY, reissue(key()), "r").rotation.last_mint.strategy


def test_a_refused_replacement_of_a_lost_key_does_not_end_the_rotation():
    journal = in_flight(mint(strategy="refresh"), mint(), grace_deadline=NOW + HOUR)
    s = snapshot(key(), new("two"), journal=journal.changed(NOW - MINUTE, lease=lease()))

    leaving = Retiring(key_id="id-new", redacted="ak-new...new", at=NOW, rotation="r1")
    assert journal.changed(NOW, retiring=(leaving,)) == transitions.refused(s, new(), NO)


def test_a_refusal_takes_along_what_was_lost_while_no_grace_is_running():
    unwanted = new(created_at=NOW - SECOND)
    s = snapshot(key(), new("two"), unwanted, journal=in_flight(mint(), mint(at=NOW - SECOND)))

    after = transitions.refused(s, unwanted, NO)

    assert None is after.rotation
    leaves = {entry.key_id: entry.at for entry in after.retiring}
    assert {"id-new": NOW, "id-two": NOW + HOUR} == leaves, "somebody may be at it yet"
    assert ["failed"] == [record.outcome for record in after.history]


def test_a_refusal_takes_along_no_key_that_a_person_made_meanwhile():
    s = snapshot(key(), new("two"), journal=in_flight(mint()))

    assert ["id-new"] == [entry.key_id for entry in transitions.refused(s, new(), NO).retiring]


def test_a_refusal_does_not_forget_the_grace_of_a_key_that_kept_its_id():
    journal = in_flight(mint(strategy="refresh"), mint(), grace_deadline=NOW + HOUR)
    s = snapshot(new("old", redacted=new().redacted), journal=journal)

    assert journal.rotation == transitions.refused(s, new(), NO).rotation

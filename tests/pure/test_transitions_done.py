"""What is written at the end of a rotation, and what a mint's answer shows before the next look."""

from dataclasses import replace

import pytest
from pure_builders import (
    BINDINGS,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    TICK,
    endless,
    held,
    in_flight,
    key,
    lease,
    mint,
    new,
    record,
    retiring,
    rotation,
    secret,
    service,
    shown,
    snapshot,
    unseen,
)

from rotator import transitions
from rotator.errors import Rejected
from rotator.journal import Current, Journal, Record, Retiring
from rotator.keys import KeyType, Minted
from rotator.minted import after_mint
from rotator.model import Plan
from rotator.secrets import Redacted


def completed(*keys, mints=(), entries=(), delivered=None, **changes):
    journal = in_flight(*mints, **changes).model_copy(update={"retiring": entries})
    s = snapshot(*keys, holding=("new",), journal=journal)
    return transitions.completed(s, delivered or new(), secret("new"), 0.25)


def leaves(after):
    return {entry.key_id: entry.at - NOW for entry in after.retiring}


def test_a_key_that_somebody_gave_up_too_early_stays():
    assert {"id-old": HOUR} == leaves(completed(key(), new(), entries=(retiring("new"),)))


# --- what is written down ---


def test_a_rotation_is_written_down_when_its_key_works():
    before = Journal(
        selector="x",
        lease=lease(),
        rotation=rotation(),
        retiring=(retiring(),),
        history=(record(),),
    )
    made = new(description="for CI", created_by="ann")
    s = snapshot(key(), made, holding=("new",), journal=before)

    old_leaves = Retiring(key_id="id-old", redacted="ak-old...old", at=NOW + HOUR, rotation="r1")
    assert Journal(
        selector="id id-old",
        changed_at=NOW,
        current=Current(
            key_id="id-new",
            name="ci",
            redacted="ak-new...new",
            fingerprint=secret("new").fingerprint,
            since=NOW,
            expires_at=NOW + 90 * DAY,
            lifetime=90 * DAY,
            type=KeyType.USER,
            description="for CI",
            created_by="ann",
        ),
        retiring=(old_leaves, retiring()),
        history=(
            Record(
                rotation="r1",
                reason="key_near_expiry",
                strategy="reissue",
                outcome="completed",
                started_at=NOW - MINUTE,
                finished_at=NOW,
                old_key_id="id-old",
                old_redacted="ak-old...old",
                old_fingerprint=secret().fingerprint,
                key_id="id-new",
                redacted="ak-new...new",
                expires_at=NOW + 90 * DAY,
                old_valid_until=NOW + HOUR,
                danger_seconds=0.25,
            ),
            record(),
        ),
    ) == transitions.completed(s, made, secret("new"), 0.25)


def test_a_rotation_with_several_mints_was_repaired():
    last = mint(strategy="refresh", lifetime=DAY)
    after = completed(key(), new(), mints=(mint(), last))

    assert ("repaired", "refresh") == (after.history[0].outcome, after.history[0].strategy)
    assert DAY == after.current.lifetime


def test_how_long_the_danger_lasted_may_be_unknown():
    s = snapshot(key(), new(), journal=in_flight())

    assert None is transitions.completed(s, new(), secret("new"), None).history[0].danger_seconds


# --- when the old key leaves ---


def test_after_a_reissue_the_old_key_leaves_a_grace_from_now():
    assert {"id-old": HOUR} == leaves(completed(key(), new()))


def test_it_does_not_outlive_itself():
    assert {"id-old": MINUTE} == leaves(completed(key(expires_at=NOW + MINUTE), new()))
    assert {"id-old": SECOND} == leaves(completed(new(), expires_at=NOW + SECOND))
    assert {"id-old": HOUR} == leaves(completed(endless(), new(), expires_at=None))


def test_after_a_refresh_it_leaves_when_the_provider_said_it_ends():
    by = {"mints": (mint(strategy="refresh"),), "grace_deadline": NOW + MINUTE}

    assert {"id-old": MINUTE} == leaves(completed(key(), new(), **by))


def test_a_refresh_that_keeps_the_id_leaves_nothing_behind():
    kept = key(redacted=shown("new"))

    assert {} == leaves(completed(kept, delivered=kept, mints=(mint(strategy="refresh"),)))


def test_a_reissue_after_a_refresh_of_its_own_id_keeps_to_the_end_of_the_grace():
    # The listing shows the lost secret under the old id: the old secret ends by itself.
    by = {"mints": (mint(strategy="refresh"), mint()), "grace_deadline": NOW + MINUTE}

    assert {"id-old": MINUTE} == leaves(completed(key(redacted=shown("two")), new(), **by))
    assert {"id-old": MINUTE} == leaves(completed(new(), **by))


def test_a_reissue_that_finds_the_old_key_untouched_begins_its_grace():
    by = {"mints": (mint(strategy="refresh"), mint()), "grace_deadline": NOW + MINUTE}

    assert {"id-old": HOUR} == leaves(completed(key(), new(), **by))


def test_what_was_lost_on_the_way_leaves_at_once():
    after = completed(key(), new(), new("two"), new("tri", name="x"), mints=(mint(), mint()))

    assert {"id-two": 0 * DAY, "id-old": HOUR} == leaves(after)


def test_an_older_key_that_was_lost_leaves_as_well():
    lost = new("two", created_at=NOW - MINUTE + SECOND / 2)
    latest = new(created_at=NOW - SECOND)

    after = completed(key(), lost, latest, mints=(mint(), mint(at=NOW - SECOND)), delivered=latest)

    assert {"id-two": 0 * DAY, "id-old": HOUR} == leaves(after)


def test_one_that_was_refreshed_may_have_been_delivered_before_and_keeps_its_grace():
    mints = (mint(strategy="refresh"), mint(strategy="refresh", source_id="id-two"))
    two = new("two", expires_at=NOW + HOUR / 2)

    assert {"id-two": HOUR / 2, "id-old": HOUR} == leaves(completed(key(), new(), two, mints=mints))


def test_a_rotation_that_minted_once_has_lost_nothing():
    # A person has refreshed the key by hand, just before we did.
    assert {"id-old": HOUR} == leaves(completed(key(), new(), new("two")))


def test_an_old_key_that_was_put_back_has_a_grace_from_its_replacement_on():
    entry = retiring("tri", at=NOW - DAY)
    back = completed(key(), new(), entries=(entry,), held=("id-tri",))
    gone = completed(key(), new(), entries=(entry,))

    assert {"id-tri": HOUR, "id-old": HOUR} == leaves(back)
    assert {"id-tri": -DAY, "id-old": HOUR} == leaves(gone)


def test_so_has_one_that_the_policy_is_about_again():
    overdue, later = retiring("old", at=NOW - DAY), retiring("old", at=NOW + DAY)

    assert {"id-old": HOUR} == leaves(completed(key(), new(), entries=(overdue,), held=("id-old",)))
    assert {"id-old": DAY} == leaves(completed(key(), new(), entries=(later,), held=("id-old",)))


def test_what_already_leaves_keeps_its_time():
    entry = retiring("old", at=NOW + DAY, failures=3)

    assert (entry,) == completed(key(), new(), entries=(entry,)).retiring


# --- doubts ---


def test_a_rotation_with_one_mint_leaves_no_doubt():
    assert () == completed(key(), new()).doubted


def test_a_mint_that_was_given_up_may_still_come_true():
    two = (mint(), mint())

    assert (rotation(*two),) == completed(key(), new(), mints=two).doubted


def test_a_doubt_lasts_two_days():
    late, later = (rotation(mint(at=NOW - 2 * DAY + add)) for add in (0 * DAY, TICK))
    journal = in_flight(mint(), mint()).model_copy(update={"doubted": (later, late)})
    s = snapshot(key(), new(), journal=journal)

    both = (rotation(mint(), mint()), later)
    assert both == transitions.completed(s, new(), secret("new"), None).doubted
    nothing_lost = replace(s, keys=(key(),))
    assert both == transitions.refused(nothing_lost, new(), Rejected("no")).doubted


# --- what the answer to a mint shows ---


def seen(plan, answer, *keys, journal=None):
    s = snapshot(*(keys or (plan.source,)), journal=journal or in_flight())
    return after_mint(s, plan, Minted(secret("new"), answer), held("new"))


def reissue(old):
    return Plan("reissue", old, NOW + 90 * DAY, HOUR, 90 * DAY)


def refresh(old):
    return Plan("refresh", old, None, HOUR)


def test_an_answer_that_could_not_be_read_shows_nothing():
    assert None is seen(reissue(key()), None)


def test_the_answer_of_a_reissue_is_seen_beside_the_old_key():
    s = seen(reissue(key()), new(), key(), key("two"))

    assert (key(), key("two"), new()) == s.keys
    assert held("new") == s.held


def test_what_the_answer_leaves_out_is_as_before():
    old = service(bindings=BINDINGS)
    answer = new(name="", type=KeyType.UNKNOWN, redacted=unseen())

    assert (
        replace(new(), type=KeyType.SERVICE, bindings=BINDINGS)
        == seen(reissue(old), answer).keys[-1]
    )


def test_what_the_answer_tells_is_believed():
    answer = service("new", bindings=BINDINGS)

    assert answer == seen(reissue(service()), answer).keys[-1]


@pytest.mark.parametrize("wrong", [shown(), shown("two")])
def test_a_look_that_is_not_the_secrets_is_not_believed(wrong):
    assert shown("new") == seen(reissue(key()), new(redacted=wrong)).keys[-1].redacted


def test_a_look_that_is_the_secrets_is_believed_as_it_is():
    told = Redacted("ak-new0", "0new")

    assert told == seen(reissue(key()), new(redacted=told)).keys[-1].redacted


def test_a_refresh_gives_the_old_key_an_end():
    old = endless()
    keys = seen(refresh(old), new(), old, endless("two")).keys

    assert [NOW - MINUTE + HOUR, None] == [each.expires_at for each in keys[:-1]]


@pytest.mark.parametrize(
    ("expires_at", "expected"),
    [(NOW, NOW), (NOW + DAY, NOW - MINUTE + HOUR)],
)
def test_a_refresh_gives_no_key_a_later_end_than_it_had(expires_at, expected):
    old = key(expires_at=expires_at)

    assert expected == seen(refresh(old), new()).keys[0].expires_at


def test_the_end_counts_from_the_latest_mint():
    journal = in_flight(mint(at=NOW - DAY), mint(at=NOW - SECOND))

    old = endless()
    assert NOW - SECOND + HOUR == seen(refresh(old), new(), journal=journal).keys[0].expires_at


def test_without_a_rotation_no_end_is_known():
    assert None is seen(refresh(endless()), new(), journal=Journal()).keys[0].expires_at


def test_a_refresh_that_keeps_the_id_leaves_one_key():
    assert ["id-old"] == [each.id for each in seen(refresh(key()), new(id="id-old")).keys]


def test_a_key_that_was_given_up_and_won_all_the_same_stays():
    journal = in_flight().model_copy(update={"retiring": (retiring("new"), retiring())})
    s = snapshot(key(), new(), journal=journal)

    after = transitions.completed(s, new(), secret("new"), None)

    assert ["id-old", "id-ret"] == [entry.key_id for entry in after.retiring]
    again = replace(s, journal=after)
    assert after == transitions.abandoned(again, rotation(), new())

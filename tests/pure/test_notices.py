"""Who is to hear of a rotation that is done, when, and what is written down about it."""

from dataclasses import replace

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    TICK,
    endless,
    in_flight,
    key,
    lease,
    mint,
    new,
    notice,
    policy,
    record,
    secret,
    snapshot,
)

from rotator import notices, transitions
from rotator.decide import decide
from rotator.errors import Rejected
from rotator.journal import Journal
from rotator.model import Locked, Notify, Reason, Refuse, Retire, Wait
from rotator.notices import News
from rotator.outlook import outlook, rotation_ahead
from rotator.standing import State, standing
from rotator.views import Due

HOOKED = policy(hooks=("web", "mail"))


def waiting(*entries, keys=None, **changes):
    changes = {"policy": HOOKED, "journal": Journal(notices=entries, history=(record(),))} | changes
    return snapshot(*((key(),) if keys is None else keys), **changes)


def tried(hook="web", **changes):
    return notice(hook, failures=1, **changes)


# --- when ---


def test_a_hook_hears_when_its_time_has_come():
    due = notice()

    assert Notify(Reason("notification_is_due", "to be told of a rotation: web"), (due,)) == decide(
        waiting(due, tried("mail", at=NOW + TICK))
    )


def test_all_that_are_due_hear_at_once():
    both = notice(), notice("mail", at=NOW - DAY)

    assert "to be told of a rotation: mail, web" == decide(waiting(*both)).reason.text
    assert both == decide(waiting(*both)).notices


def test_one_that_nobody_has_tried_is_due_by_any_clock():
    assert isinstance(decide(waiting(notice(at=NOW + SECOND))), Notify)


def test_until_then_it_is_waited_for():
    entries = tried(at=NOW + HOUR), tried("mail", at=NOW + MINUTE)

    assert Wait(
        Reason("notification_is_due", "hook mail is told of a rotation again then"), NOW + MINUTE
    ) == decide(waiting(*entries))
    assert [NOW + HOUR, NOW + MINUTE] == [due.at for due in notices.upcoming(waiting(*entries))]


def test_a_key_that_never_expires_does_not_hinder_it():
    assert NOW + HOUR == decide(waiting(tried(at=NOW + HOUR), keys=(endless(),))).until


def test_one_that_is_not_configured_here_is_left_to_others():
    stranger = notice("gone")

    assert "key_near_expiry" == decide(waiting(stranger)).reason.code
    assert [] == list(notices.upcoming(waiting(stranger)))
    assert [Due] == [type(due) for due in notices.upcoming(waiting(stranger, tried(at=NOW + DAY)))]


@pytest.mark.parametrize(("late", "kind"), [(0 * TICK, Notify), (TICK, Wait)])
def test_until_there_can_be_none_any_more(late, kind):
    assert isinstance(decide(waiting(notice("gone", until=NOW + late))), kind)
    assert isinstance(decide(waiting(notice("gone", at=NOW + late, until=NOW))), kind)


# --- what comes first ---


def test_a_rotation_comes_first():
    s = waiting(notice(), keys=(key(expires_at=NOW + 14 * DAY),))

    assert "key_near_expiry" == decide(s).reason.code


def test_a_rotation_that_was_asked_for_comes_first():
    assert "rotation_was_demanded" == decide(waiting(notice(), demanded=True)).reason.code


def test_a_key_that_is_to_leave_comes_first():
    entry = transitions.refused(snapshot(journal=in_flight()), key("ret"), Rejected("no")).retiring[
        0
    ]
    journal = Journal(notices=(notice(),), retiring=(entry,))

    assert isinstance(decide(waiting(journal=journal, keys=(key(), key("ret")))), Retire)


def test_a_mint_that_is_settling_comes_first():
    s = snapshot(
        key(),
        policy=HOOKED,
        journal=replaced(in_flight(mint(at=NOW - SECOND)), notices=(notice(),)),
    )

    assert "mint_is_settling" == decide(s).reason.code


def replaced(journal, **changes):
    return journal.model_copy(update=changes)


def test_a_policy_that_needs_a_person_does_not_keep_what_is_done_from_being_told():
    assert isinstance(decide(waiting(keys=())), Refuse)
    assert isinstance(decide(waiting(notice(), keys=())), Notify)


def test_whoever_holds_the_lease_is_at_it():
    journal = Journal(notices=(notice(),), lease=lease(OTHER))

    assert isinstance(decide(waiting(journal=journal)), Locked)


def test_the_outlook_tells_of_it():
    assert ("notify", NOW) == (outlook(waiting(notice())).action, outlook(waiting(notice())).at)
    later = outlook(waiting(tried(at=NOW + HOUR)))
    assert ("notify", NOW + HOUR) == (later.action, later.at)


def test_the_outlook_does_not_hide_behind_it_that_a_person_is_needed():
    assert "refuse" == outlook(waiting(notice(), keys=())).action


def test_what_happens_to_the_key_is_seen_past_it():
    assert ("reissue", NOW + 66 * DAY) == (
        rotation_ahead(waiting(notice())).action,
        rotation_ahead(waiting(tried(at=NOW + HOUR))).at,
    )


@pytest.mark.parametrize(("entry", "state"), [(tried(), State.WARNING), (notice(), State.DUE)])
def test_a_hook_that_was_tried_in_vain_is_a_warning(entry, state):
    assert state is standing(waiting(entry)).state


# --- what is written down ---


def test_the_record_of_a_rotation_notes_all_its_hooks():
    before = replaced(in_flight(), notices=(notice(failures=3),))
    s = snapshot(key(), new(), policy=HOOKED, holding=("new",), journal=before)
    s = replace(s, limits=replace(s.limits, notify_for=HOUR))

    assert (
        notice(failures=3),
        notice("web", rotation="r1", until=NOW + HOUR),
        notice("mail", rotation="r1", until=NOW + HOUR),
    ) == transitions.completed(s, new(), secret("new"), None).notices


def test_of_a_rotation_that_failed_nobody_hears():
    s = snapshot(key(), policy=HOOKED, journal=in_flight())

    assert () == transitions.refused(s, new(), Rejected("no")).notices
    assert () == transitions.unminted(s).notices


def test_a_try_is_written_down_before_it_is_made():
    first, second = notice(), notice("mail", failures=2)
    after = notices.booked(waiting(first, second), (first,), NOW + MINUTE)

    assert (notice(at=NOW + MINUTE, failures=1), second) == after.notices
    assert NOW == after.changed_at


def test_one_that_was_told_is_gone_and_one_that_was_not_is_tried_again():
    entries = notice(), notice("mail"), notice(rotation="r9")
    after = notices.settled(
        waiting(*entries), {("r0", "web"): None, ("r0", "mail"): NOW + HOUR, ("r7", "x"): None}
    )

    assert (notice("mail", at=NOW + HOUR), notice(rotation="r9")) == after.notices


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (notice(failures=1), True),
        (notice(), False),
        (notice("gone", failures=1), False),
    ],
)
def test_a_policy_is_behind_when_a_hook_of_its_own_was_tried_in_vain(entry, expected):
    assert expected == bool(notices.behind(waiting(entry)))


# --- what is told ---


def test_the_news_are_those_of_the_record():
    done = record(expires_at=NOW + DAY, old_valid_until=NOW + HOUR, outcome="repaired")

    assert News(
        id="r0:web",
        type="rotator.rotation.repaired",
        policy="ci-key",
        subject="id-old",
        at=NOW - 10 * DAY,
        facts={
            "rotation_id": "r0",
            "reason": "key_near_expiry",
            "strategy": "reissue",
            "key_id": "id-old",
            "redacted_key": "ak-old...old",
            "expires_at": "2026-11-24T08:31:00Z",
            "old_key_id": "id-ret",
            "old_redacted_key": "ak-ret...ret",
            "old_valid_until": "2026-11-23T09:31:00Z",
            "targets": ("app/one#key",),
        },
    ) == notices.news_of(HOOKED, notice(), done)


def test_a_key_that_never_expires_has_no_time_for_it():
    facts = notices.news_of(HOOKED, notice(), record()).facts

    assert (None, None) == (facts["expires_at"], facts["old_valid_until"])


def test_the_record_is_the_one_of_the_rotation():
    journal = Journal(history=(record(rotation="r1"), record()))

    assert record() == notices.record_of(journal, notice())
    assert None is notices.record_of(journal, notice(rotation="r9"))

"""How a policy stands: its row in ``status``, and how urgent that is."""

from dataclasses import replace

import pytest
from hypothesis import given
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    SECOND,
    TARGETS,
    TICK,
    by_name,
    current,
    endless,
    in_flight,
    key,
    lease,
    lineage,
    mint,
    new,
    notice,
    policy,
    record,
    retiring,
    secret,
    shown,
    snapshot,
)
from pure_snapshots import snapshots

from rotator.errors import Unavailable, Unreadable
from rotator.journal import PutBack
from rotator.model import Reason, Refuse, RetireWhen
from rotator.outlook import Outlook
from rotator.standing import (
    InFlight,
    OldKey,
    Past,
    Standing,
    State,
    not_seen,
    past,
    standing,
    urgency,
)

DUE = key(expires_at=NOW + DAY)


def journal(**changes):
    return lineage(**changes)


# --- the states ---


@pytest.mark.parametrize(
    ("s", "expected"),
    [
        (snapshot(key()), State.WELL),
        (snapshot(endless()), State.WELL),
        (snapshot(DUE), State.DUE),
        (snapshot(key(), policy=policy(suspend=True)), State.SUSPENDED),
        (snapshot(DUE, policy=policy(suspend=True)), State.PERSON),
        (snapshot(key(), journal=in_flight(mint(at=NOW)), policy=policy(suspend=True)), State.BUSY),
        (snapshot(), State.PERSON),
        (snapshot(key(), holding=("two",)), State.PERSON),
        (snapshot(key(), holding=(None,)), State.WARNING),
        (snapshot(DUE, journal=journal(lease=lease(OTHER))), State.BUSY),
        (snapshot(key(), journal=in_flight(mint(at=NOW))), State.BUSY),
        (snapshot(key(), journal=journal(history=(record(outcome="failed"),))), State.WARNING),
        (snapshot(key(), journal=journal(history=(record(outcome="repaired"),))), State.WELL),
        (snapshot(key(), journal=journal(retiring=(retiring(at=NOW + HOUR),))), State.WELL),
        (snapshot(key(), journal=journal(retiring=(retiring(),))), State.DUE),
        (
            snapshot(key(), journal=journal(retiring=(retiring(at=NOW + HOUR, failures=1),))),
            State.WARNING,
        ),
    ],
)
def test_the_state_is_what_the_policy_needs(s, expected):
    assert expected == standing(s).state


def test_a_policy_that_will_need_a_person_needs_one_today():
    s = snapshot(key(created_at=None), policy=policy(before_expiry=14 * DAY))

    assert (State.PERSON, "refuse", NOW + 66 * DAY) == (
        standing(s).state,
        standing(s).ahead.action,
        standing(s).ahead.at,
    )


@given(s=snapshots)
def test_of_anything_there_is_a_row(s):
    row = standing(s)

    assert (s.now, s.policy.name) == (row.now, row.outlook.policy)
    assert row.outlook.needs_a_person == (row.state is State.PERSON)


# --- what a row tells ---


def test_the_age_is_that_of_the_secret():
    since = NOW - HOUR
    refreshed = lineage().current.model_copy(update={"since": since})

    assert NOW - 10 * DAY == standing(snapshot(key())).born_at
    assert since == standing(snapshot(key(), journal=journal(current=refreshed))).born_at


def test_without_a_key_there_is_no_age():
    assert None is standing(snapshot()).born_at


def test_drift_is_told_by_name_also_where_something_else_comes_first():
    row = standing(snapshot(DUE, holding=("two",)))

    assert ("key_near_expiry", "store_holds_unknown_key") == (
        row.outlook.reason,
        row.drift.code,
    )


def test_while_a_rotation_is_in_flight_nothing_is_called_drift():
    assert None is standing(snapshot(key(), holding=("two",), journal=in_flight())).drift


@pytest.mark.parametrize("keys", [(), (key(), key("two"))])
def test_without_the_one_key_nothing_is_called_drift(keys):
    s = snapshot(*keys, holding=("ret",), policy=by_name())

    assert None is standing(s).drift


def test_whoever_holds_the_lease_is_told_until_it_has_run_out():
    held = journal(lease=lease(OTHER, until=NOW + TICK))
    over = journal(lease=lease(OTHER, until=NOW))

    assert (OTHER, NOW + TICK) == told_lease(snapshot(key(), journal=held))
    assert (None, None) == told_lease(snapshot(key(), journal=over))


def told_lease(s):
    row = standing(s)
    return row.lease_owner, row.lease_until


def test_the_last_rotation_is_told_with_its_length():
    entry = record(
        started_at=NOW - MINUTE,
        finished_at=NOW - MINUTE / 2,
        danger_seconds=0.5,
        expires_at=NOW,
        old_valid_until=NOW + HOUR,
    )

    assert Past(
        rotation_id="r0",
        reason="key_near_expiry",
        strategy="reissue",
        outcome="completed",
        started_at=NOW - MINUTE,
        finished_at=NOW - MINUTE / 2,
        duration_seconds=30.0,
        old_redacted_key=str(shown("ret")),
        redacted_key=str(shown()),
        expires_at=NOW,
        old_valid_until=NOW + HOUR,
        danger_seconds=0.5,
        error="",
        tries=1,
    ) == past(entry)
    assert past(entry) == standing(snapshot(key(), journal=journal(history=(entry,)))).last


def test_the_rotation_in_flight_is_told_with_its_tries():
    s = snapshot(key(), journal=in_flight(mint(), mint(strategy="refresh")))

    assert (
        InFlight(
            rotation_id="r1",
            reason="key_near_expiry",
            started_at=NOW - MINUTE,
            old_redacted_key=str(shown()),
            strategy="refresh",
            tries=2,
        )
        == standing(s).in_flight
    )


# --- worries ---


def worries(s):
    return standing(s).worries


def test_what_is_well_is_no_worry():
    assert () == worries(snapshot(key(), journal=journal(history=(record(),))))


def test_a_place_that_is_empty_is_one_unless_a_person_is_needed_anyway():
    text = "app/one#key holds no key; the next rotation puts one there"

    assert (text,) == worries(snapshot(key(), holding=(None,)))
    assert () == worries(snapshot(holding=(None,)))


def test_one_that_is_filled_from_another_is_none():
    s = snapshot(
        key(), holding=("old", None), journal=lineage(), policy=policy(targets=TARGETS[:2])
    )

    assert () == worries(s)
    assert State.DUE == standing(s).state


def test_a_key_that_is_shared_needs_a_person_now_and_ahead():
    shared = Refuse(Reason("key_is_shared", "two have it"), "name another key")
    row = standing(snapshot(key(expires_at=NOW + DAY)), {"id-old": shared})

    assert (State.PERSON, "refuse", "refuse") == (row.state, row.outlook.action, row.ahead.action)


def test_drift_is_one_where_something_else_comes_first():
    text = "app/one#key holds a key that the provider does not list, and not ak-old...old"

    assert (text,) == worries(snapshot(DUE, holding=("two",)))
    assert () == worries(snapshot(key(), holding=("two",)))


@pytest.mark.parametrize(("tries", "often"), [(1, ""), (2, ", 2 times in a row")])
def test_a_last_rotation_that_failed_is_one_with_its_error(tries, often):
    latest = record(outcome="failed", error="no", tries=tries)

    assert (f"the last rotation failed{often}: no",) == worries(
        snapshot(key(), journal=journal(history=(latest, record())))
    )
    assert () == worries(snapshot(key(), journal=journal(history=(record(), latest))))


def test_an_old_key_that_cannot_be_revoked_is_one():
    leaving = retiring(at=NOW + HOUR, failures=2)

    assert ("ak-ret...ret could not be revoked, 2 times so far",) == worries(
        snapshot(key(), journal=journal(retiring=(leaving,)))
    )


def test_an_old_key_that_is_used_late_in_its_grace_is_one():
    leaving = retiring(at=NOW + MINUTE)
    known = record(old_key_id="id-ret", old_valid_until=NOW + MINUTE)
    used = key("ret", last_used_at=NOW - SECOND)

    assert ("ak-ret...ret was used 1s ago, and ends in 1m",) == worries(
        snapshot(key(), used, journal=journal(retiring=(leaving,), history=(known,)))
    )


def test_a_hook_that_could_not_be_told_is_one():
    entries = (notice("web", failures=3), notice("mail"))
    hooked = policy(hooks=("web", "mail"))

    assert ("hook web could not be told, 3 times so far",) == worries(
        snapshot(key(), policy=hooked, journal=journal(notices=entries, history=(record(),)))
    )


def test_the_same_worry_is_told_once():
    leaving = (retiring("ret", failures=1), retiring("two", redacted="ak-ret...ret", failures=1))

    assert 1 == len(worries(snapshot(key(), journal=journal(retiring=leaving))))


# --- old keys that still work ---


def old_keys(**changes):
    return standing(snapshot(key(), new(), journal=journal(**changes))).old_keys


def test_old_keys_are_told_the_first_to_end_first():
    leaving = (retiring("ret", at=NOW + HOUR), retiring("two", at=NOW + MINUTE, failures=2))

    assert (
        OldKey(str(shown("two")), NOW + MINUTE, 2),
        OldKey(str(shown("ret")), NOW + HOUR),
    ) == old_keys(retiring=leaving)


def test_one_that_nothing_ends_yet_comes_last():
    leaving = retiring("two", at=NOW + MINUTE)
    begun = in_flight(mint(at=NOW), expires_at=None).rotation

    assert (
        OldKey(str(shown("two")), NOW + MINUTE),
        OldKey(str(shown()), None),
    ) == old_keys(rotation=begun, retiring=(leaving,))


def test_one_that_is_still_used_may_work_longer():
    leaving = retiring(at=NOW + MINUTE)
    known = record(old_key_id="id-ret", old_valid_until=NOW + MINUTE)
    idle = policy(retire=RetireWhen.WHEN_IDLE)
    s = snapshot(
        *(key(), key("ret", last_used_at=NOW)),
        policy=idle,
        journal=journal(retiring=(leaving,), history=(known,)),
    )

    assert (OldKey(leaving.redacted, NOW + HOUR),) == standing(s).old_keys


def test_a_secret_that_the_provider_ends_is_told_until_then():
    ends = (NOW + TICK, NOW)
    refreshed = [record(old_redacted=str(shown("two")), old_valid_until=end) for end in ends]

    assert [(OldKey(str(shown("two")), NOW + TICK),), ()] == [
        old_keys(history=(entry,)) for entry in refreshed
    ]


def test_a_former_key_that_was_put_back_is_no_old_one():
    back = PutBack(
        key_id="id-old",
        redacted=str(shown()),
        fingerprint=secret().fingerprint,
        at=NOW - MINUTE,
        ends_at=NOW + HOUR,
    )
    known = {
        "current": current("new", put_back=back),
        "history": (record(old_redacted=str(shown()), old_valid_until=NOW + HOUR),),
        "retiring": (retiring("old", at=NOW + HOUR), retiring("two", at=NOW + HOUR)),
    }
    seen = standing(snapshot(key(), new(), journal=lineage().model_copy(update=known)))

    assert str(shown()) == seen.outlook.redacted_key
    assert (str(shown("two")),) == tuple(one.redacted_key for one in seen.old_keys)


def test_an_old_key_is_told_once():
    leaving = retiring(at=NOW + HOUR)
    entry = record(old_redacted=leaving.redacted, old_valid_until=NOW + HOUR)

    assert (OldKey(leaving.redacted, NOW + HOUR),) == old_keys(
        retiring=(leaving,), history=(entry,)
    )


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({"grace_deadline": NOW + HOUR}, NOW + HOUR),
        ({"expires_at": None}, None),
    ],
)
def test_in_a_rotation_the_old_key_is_the_one_that_is_replaced(changes, until):
    s = snapshot(key(), journal=in_flight(mint(at=NOW), **changes))

    assert (OldKey(str(shown()), until),) == standing(s).old_keys


# --- what is ahead ---


def test_behind_the_end_of_an_old_key_comes_the_next_rotation():
    leaving = (retiring("ret", at=NOW + HOUR), retiring("two", at=NOW + MINUTE))
    row = standing(snapshot(key(), key("two"), journal=journal(retiring=leaving)))

    assert ("retire", NOW + MINUTE) == (row.outlook.action, row.outlook.at)
    assert ("reissue", NOW + 66 * DAY) == (row.ahead.action, row.ahead.at)


def test_where_no_old_key_is_left_what_is_ahead_comes_next():
    row = standing(snapshot(key()))

    assert row.outlook == row.ahead


def test_an_old_key_that_somebody_uses_is_not_waited_for():
    leaving = retiring("old", key_id="id-gone", at=NOW)
    row = standing(snapshot(key(), journal=journal(retiring=(leaving,))))

    assert "reissue" == row.ahead.action


# --- what could not be seen ---


def test_a_policy_that_could_not_be_looked_at_has_a_row_all_the_same():
    row = Outlook("ci", "failed", None, "unreadable", "is damaged", remedy="restore it")

    assert Standing(State.FAILED, row, row) == not_seen(
        "ci", Unreadable("is damaged", remedy="restore it")
    )
    assert row.needs_a_person


# --- order ---


def test_what_needs_a_person_is_on_top_and_then_what_comes_first():
    def named(name, s):
        return standing(replace(s, policy=replace(s.policy, name=name)))

    rows = [
        named("endless", snapshot(endless())),
        named("later", snapshot(key())),
        named("sooner", snapshot(key(expires_at=NOW + 20 * DAY))),
        named("a-twin", snapshot(key())),
        named("due", snapshot(DUE)),
        named("taken", snapshot(DUE, journal=journal(lease=lease(OTHER)))),
        named("empty", snapshot(key(), holding=(None,))),
        named("gone", snapshot()),
        not_seen("dark", Unavailable("down")),
    ]

    assert [*("dark", "gone", "empty", "taken", "due", "sooner", "a-twin", "later", "endless")] == [
        row.outlook.policy for row in sorted(rows, key=urgency)
    ]

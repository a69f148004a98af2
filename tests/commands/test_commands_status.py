"""A row of ``status`` in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.commands.status_cells import LAYOUTS, cells
from rotator.errors import Unavailable
from rotator.model import Reason
from rotator.outlook import Outlook
from rotator.standing import InFlight, OldKey, Past, Standing, State, not_seen

NOW = datetime(2026, 11, 23, 8, 31, tzinfo=UTC)
MINUTE, HOUR, DAY = (timedelta(minutes=each) for each in (1, 60, 1440))
COMING = Outlook(
    policy="ci",
    action="reissue",
    at=NOW + 6 * DAY,
    reason="key_near_expiry",
    text="",
    key_id="k",
    redacted_key="ak-abc...xyz",
    expires_at=NOW + 20 * DAY,
)
LAST = Past(
    rotation_id="r",
    reason="key_near_expiry",
    strategy="reissue",
    outcome="completed",
    started_at=NOW - 3 * DAY,
    finished_at=NOW - 3 * DAY,
    duration_seconds=1.5,
    old_redacted_key="ak-old...old",
    redacted_key="ak-abc...xyz",
    expires_at=None,
    old_valid_until=None,
    danger_seconds=None,
    error="",
    tries=1,
)
BEGUN = InFlight("r", "key_near_expiry", NOW - MINUTE, "ak-old...old", "reissue", 2)


def told(title, *, coming=None, **changes):
    """The text in the column of that title; None where there is none."""
    ahead = replace(COMING, **coming or {})
    row = Standing(State.WELL, ahead, ahead, now=NOW, born_at=NOW - 10 * DAY)
    cell = cells(replace(row, **changes)).get(title)
    return cell.text if cell else None


@pytest.mark.parametrize(
    ("coming", "expected"),
    [
        ({}, "████░░ 20d"),
        ({"expires_at": None}, "never"),
        ({"expires_at": NOW}, "░░░░░░ 0s ago"),
        ({"expires_at": NOW - HOUR}, "░░░░░░ 1h ago"),
        ({"key_id": None}, None),
    ],
)
def test_the_expiry_is_a_bar_and_words(coming, expected):
    assert expected == told("expires", coming=coming)


def test_without_a_birth_there_is_no_bar():
    assert "20d" == told("expires", born_at=None)


@pytest.mark.parametrize(
    ("coming", "state", "expected"),
    [
        ({}, State.WELL, "reissue in 6d"),
        ({"at": NOW}, State.DUE, "reissue now"),
        ({"action": "wait", "at": None}, State.WELL, "nothing"),
        ({"action": "locked", "at": NOW + MINUTE}, State.BUSY, "look in 1m"),
        ({"action": "refuse", "at": None}, State.PERSON, "a person"),
        ({"action": "refuse"}, State.PERSON, "a person in 6d"),
        ({"action": "unheard of"}, State.WELL, "unheard of in 6d"),
    ],
)
def test_what_comes_next_is_told_with_its_time(coming, state, expected):
    assert expected == told("next", coming=coming, state=state)


def test_what_a_suspension_stops_is_told_with_its_time():
    stopped = {"state": State.SUSPENDED, "overdue_since": NOW - 3 * DAY}

    assert ("suspended", "overdue 3d") == (told("state", **stopped), told("next", **stopped))
    assert "reissue in 6d" == told("next", state=State.SUSPENDED)


def test_the_reason_is_the_name_of_the_check():
    assert "key_near_expiry" == told("why")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"last": LAST}, "completed 3d ago"),
        ({"last": replace(LAST, outcome="rolled_back")}, "rolled back 3d ago"),
        ({"last": LAST, "in_flight": BEGUN}, "begun 1m ago, try 2"),
    ],
)
def test_the_last_result_is_told_or_what_is_in_flight(changes, expected):
    assert expected == told("last", **changes)


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ((), None),
        ((OldKey("ak-o...1", NOW + HOUR),), "ak-o...1 1h left"),
        ((OldKey("ak-o...1", None),), "ak-o...1 still works"),
        ((OldKey("ak-o...1", NOW + HOUR), OldKey("ak-o...2", None)), "ak-o...1 1h left, +1"),
    ],
)
def test_the_grace_is_that_of_the_old_key_that_ends_first(old, expected):
    assert expected == told("old key", old_keys=old)


def test_drift_and_the_lease_are_told_where_there_are_any():
    assert (None, None) == (told("drift"), told("lease"))
    assert "drifted" == told("drift", drift=Reason("store_holds_another_key", ""))
    assert "rotator-…-ab12cd34 30s" == told(
        "lease", lease_owner="rotator-7d4f-1-ab12cd34", lease_until=NOW + MINUTE / 2
    )


def test_of_a_policy_that_was_not_seen_only_that_is_told():
    row = cells(not_seen("ci", Unavailable("down")))

    assert {"policy", "state", "state, age", "why"} == row.keys()
    assert ("not seen", "unavailable") == (row["state"].text, row["why"].text)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_everything(layout):
    titles = {title for column in layout for title in column}

    assert {"policy", "key", "expires", "next", "why", "last", "old key", "drift", "lease"} < titles
    assert titles & {"state", "state, age"}

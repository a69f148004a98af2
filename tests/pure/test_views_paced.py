"""A due moment with jitter and windows: put off, and never too far."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    TICK,
    Every,
    endless,
    key,
    lineage,
    policy,
    shown,
    snapshot,
)

from rotator.decide import decide
from rotator.journal import Journal
from rotator.model import Limits, Mint, Reason, Wait
from rotator.outlook import outlook
from rotator.views import age_due, expiry_due

#: Due a day ago, and dead in 13 days.
DUE = key(expires_at=NOW + 13 * DAY)
DEADLINE = DUE.expires_at - HOUR
DAILY = Every(DAY, HOUR, NOW + 2 * HOUR)
BY_EXPIRY = "expires 2026-12-06 08:31 UTC, and is replaced 14d before"


def paced(*keys, **rules):
    return snapshot(*(keys or (DUE,)), policy=policy(**rules))


# --- windows ---


def test_a_due_key_waits_for_its_window():
    reason = Reason(
        "window_is_closed",
        f"{BY_EXPIRY}; waits for the window that opens at 2026-11-23 10:31 UTC",
    )

    assert Wait(reason, NOW + 2 * HOUR) == decide(paced(windows=(DAILY,)))


def test_when_its_window_opens_it_is_rotated_for_the_reason_that_it_was_due_for():
    s = replace(paced(windows=(DAILY,)), now=NOW + 2 * HOUR)
    step = decide(s)

    assert isinstance(step, Mint)
    assert Reason("key_near_expiry", BY_EXPIRY) == step.reason


def test_a_key_that_is_not_due_yet_is_planned_for_the_window_that_comes_then():
    late = key(expires_at=NOW + 14 * DAY + 5 * HOUR)
    step = decide(paced(late, windows=(DAILY,)))

    assert NOW + DAY + 2 * HOUR == step.until
    assert "window_is_closed" == step.reason.code


def test_a_plan_tells_what_will_be_done_in_the_window():
    row = outlook(paced(windows=(DAILY,)))

    assert ("reissue", NOW + 2 * HOUR, "window_is_closed") == (row.action, row.at, row.reason)


@pytest.mark.parametrize(
    ("closes", "waits"), [(DEADLINE, True), (DEADLINE + TICK, False)], ids=["in time", "too late"]
)
def test_a_window_that_ends_too_late_is_not_waited_for(closes, waits):
    only = Every(100 * DAY, HOUR, closes - HOUR)
    step = decide(paced(windows=(only,)))

    assert waits == isinstance(step, Wait)
    if not waits:
        text = f"{BY_EXPIRY}; no window opens in time, so outside of them"
        assert Reason("key_near_expiry", text) == step.reason


def test_the_retry_budget_counts_where_it_is_longer_than_the_grace():
    only = Every(100 * DAY, HOUR, DEADLINE - HOUR)
    s = paced(windows=(only,))

    assert isinstance(decide(s), Wait)
    assert isinstance(decide(replace(s, limits=Limits(retry_budget=HOUR + TICK))), Mint)


def test_a_key_without_expiry_waits_as_long_as_it_takes():
    yearly = Every(365 * DAY, HOUR, NOW + 300 * DAY)
    step = decide(paced(endless(), before_expiry=None, max_age=5 * DAY, windows=(yearly,)))

    assert NOW + 300 * DAY == step.until


def test_an_age_waits_only_as_long_as_the_expiry_lets_it():
    rules = {"before_expiry": DAY, "max_age": 5 * DAY}

    assert NOW + 2 * HOUR == age_due(paced(**rules, windows=(DAILY,)), DUE).at
    late = (Every(100 * DAY, HOUR, NOW + 13 * DAY),)
    assert NOW - 5 * DAY == age_due(paced(**rules, windows=late), DUE).at


def test_a_person_does_not_wait_for_a_window():
    assert isinstance(decide(replace(paced(windows=(DAILY,)), demanded=True)), Mint)


# --- jitter ---


def test_without_jitter_nothing_moves():
    assert NOW - DAY == expiry_due(paced(), DUE).at


def test_jitter_moves_a_due_moment_always_by_as_much():
    s = paced(jitter=DAY)
    moved = expiry_due(s, DUE).at - (NOW - DAY)

    assert NOTHING < moved < DAY
    assert NOW - DAY + moved == expiry_due(replace(s, now=NOW + 9 * DAY), DUE).at


@pytest.mark.parametrize(
    "other",
    [
        {"changes": {"id": "id-two"}},
        {"changes": {"redacted": shown("new")}},
        {"changes": {"expires_at": DUE.expires_at + TICK}},
        {"rules": {"name": "other"}},
    ],
    ids=["key", "secret", "date", "policy"],
)
def test_another_key_rotation_or_policy_has_jitter_of_its_own(other):
    def moved(rules=None, changes=None):
        one = replace(DUE, **(changes or {}))
        return expiry_due(paced(one, jitter=DAY, **(rules or {})), one).at - one.expires_at

    assert moved() != moved(**other)


def test_jitter_leaves_half_of_the_time_that_the_expiry_leaves():
    for label in ("old", "new", "two", "ret"):
        one = key(label, expires_at=NOW + 14 * DAY)
        at = expiry_due(paced(one, jitter=100 * DAY), one).at

        assert NOW <= at < NOW + (14 * DAY - HOUR) / 2


def test_jitter_moves_an_age_as_well():
    rules = {"before_expiry": None, "max_age": 20 * DAY, "jitter": DAY}
    old = endless()

    assert NOW + 10 * DAY < age_due(paced(old, **rules), old).at < NOW + 11 * DAY


# --- whatever the windows ---

spans = st.integers(1, 30 * 24 * 60).map(lambda minutes: minutes * MINUTE)
windows = st.lists(st.builds(Every, spans, spans, spans.map(lambda span: NOW + span)), max_size=3)


paces = st.builds(
    policy,
    windows=windows.map(tuple),
    jitter=spans,
    grace=spans,
    before_expiry=spans,
    max_age=st.none() | spans,
)


@given(rules=paces, life=spans)
def test_no_window_and_no_jitter_lets_a_key_expire(rules, life):
    """Whoever looks when told to begins before it is too late, or as soon as he is there."""
    born = key(created_at=NOW - DAY, expires_at=NOW + life)
    s = snapshot(born, policy=rules, journal=lineage())
    # A grace that is as long as the life of a key leaves a quarter of it to the next one.
    needed = min(max(rules.grace, s.limits.retry_budget), (life + DAY) * 3 / 4)
    deadline = born.expires_at - needed
    step = decide(s)
    for _ in range(50):
        if not isinstance(step, Wait):
            break
        assert step.until > s.now
        s = replace(s, now=step.until)
        step = decide(s)

    assert not isinstance(step, Wait)
    assert s.now <= max(deadline, NOW, born.expires_at - rules.before_expiry)


@given(windows=windows.map(tuple), jitter=spans, late=spans)
def test_what_has_no_windows_or_is_in_one_is_not_held_up(windows, jitter, late):
    """Nothing is begun outside of a window as long as one comes in time."""
    s = replace(
        snapshot(DUE, policy=policy(windows=windows, jitter=jitter), journal=Journal()),
        now=NOW + late,
    )
    due = expiry_due(s, DUE)
    if due.at <= s.now and windows and "no window" not in due.reason.text:
        openings = [each.opening(s.now) for each in windows]

        assert any(opens <= s.now for opens, _ in openings)
    assert due.at <= max(DEADLINE, s.now)

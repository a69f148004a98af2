"""Jitter that stays what it is, and openings that come in time."""

from datetime import timedelta

import pytest
from pure_builders import DAY, HOUR, MINUTE, NOTHING, NOW, SECOND, TICK, Every, Never

from rotator.pacing import Jitter, Slot, opened

DAILY = Every(DAY, HOUR)
NONE, HALF = Jitter(NOTHING, 0.5), Jitter(HOUR, 0.5)


def slot(*windows, due=NOW, now=NOW, deadline=None, jitter=NONE):
    return opened(windows or (DAILY,), due, now, deadline=deadline, jitter=jitter)


# --- jitter ---


def test_the_same_parts_draw_the_same_and_others_draw_something_else():
    assert Jitter.of(DAY, "ci", 1) == Jitter.of(DAY, "ci", 1)
    assert Jitter.of(DAY, "ci", 1) != Jitter.of(DAY, "ci", 2)
    assert Jitter.of(DAY, "a", "bc") != Jitter.of(DAY, "ab", "c")


def test_what_is_drawn_never_changes_with_a_release():
    assert 0.7315 == round(Jitter.of(DAY, "ci-key", "id-old").draw, 4)


def test_draws_are_spread_evenly():
    draws = [Jitter.of(DAY, "ci", number).draw for number in range(1000)]

    assert all(0 <= draw < 1 for draw in draws)
    assert 0.45 < sum(draws) / 1000 < 0.55
    assert 210 < sum(draw < 0.25 for draw in draws) < 290


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (None, 30 * MINUTE),
        (DAY, 30 * MINUTE),
        (2 * HOUR, 30 * MINUTE),
        (HOUR, 15 * MINUTE),
        (4 * TICK, TICK),
        (NOTHING, NOTHING),
        (-HOUR, NOTHING),
    ],
)
def test_jitter_takes_no_more_than_half_of_the_room(room, expected):
    assert expected == HALF.within(room)


# --- openings ---


@pytest.mark.parametrize("late", [NOTHING, TICK, HOUR - TICK])
def test_what_falls_due_in_an_opening_is_begun_then(late):
    assert Slot(NOW + late, NOW) == slot(due=NOW + late, now=NOW - DAY)


@pytest.mark.parametrize("late", [HOUR, DAY - TICK])
def test_what_falls_due_after_one_waits_for_the_next(late):
    assert Slot(NOW + DAY, NOW + DAY) == slot(due=NOW + late, now=NOW - DAY)


def test_an_opening_that_was_missed_is_no_use():
    assert NOW + DAY == slot(due=NOW - HOUR, now=NOW + HOUR).at
    assert NOW == slot(due=NOW - HOUR, now=NOW + HOUR - TICK).at


@pytest.mark.parametrize(("spare", "expected"), [(NOTHING, NOW + DAY), (-TICK, None)])
def test_an_opening_counts_when_all_of_it_comes_in_time(spare, expected):
    found = slot(due=NOW + HOUR, now=NOW + HOUR, deadline=NOW + DAY + HOUR + spare)

    assert expected == (found and found.at)


@pytest.mark.parametrize("ago", [NOTHING, MINUTE])
def test_what_can_be_begun_now_is_however_late_it_is(ago):
    assert NOW == slot(due=NOW, now=NOW + ago, deadline=NOW).at


def test_of_several_windows_the_first_that_comes_in_time_counts():
    long, later = Every(DAY, 8 * HOUR, NOW + HOUR), Every(DAY, HOUR, NOW + 2 * HOUR)

    assert NOW + HOUR == slot(long, later).at
    assert NOW + HOUR == slot(later, long).at
    assert NOW + 2 * HOUR == slot(long, later, deadline=NOW + 4 * HOUR).at
    assert None is slot(long, later, deadline=NOW + 2 * HOUR)


def test_windows_that_open_no_more_are_as_if_they_came_too_late():
    assert None is slot(Never())
    assert NOW == slot(Never(), DAILY).at


def test_what_waited_for_an_opening_is_spread_over_the_first_half_of_it():
    waited = slot(due=NOW - HOUR, now=NOW - HOUR, jitter=Jitter(DAY, 0.5))

    assert Slot(NOW + 15 * MINUTE, NOW) == waited
    assert NOW + 15 * MINUTE == slot(due=NOW - HOUR, now=NOW + SECOND, jitter=Jitter(DAY, 0.5)).at


@pytest.mark.parametrize("late", [NOTHING, SECOND])
def test_what_falls_due_within_an_opening_is_spread_already(late):
    assert NOW + late == slot(due=NOW + late, jitter=Jitter(DAY, 0.5)).at


def test_an_opening_that_never_ends_is_always_open():
    always = Every(HOUR, timedelta(hours=2))

    assert NOW + 90 * MINUTE == slot(always, due=NOW + 90 * MINUTE).at

"""The clock: follows the provider's where it certainly differs, and nowhere else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from rotator.adapters.clock import Skew, SystemClock
from rotator.events import Event

UNHURRIED = settings(deadline=None)
NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NONE = timedelta()
DURATIONS = st.timedeltas(NONE, timedelta(seconds=5))
#: What is measured of it, with what a date and a way blur, is within the hour that is followed.
FOLLOWED = timedelta(hours=1) - 12 * SECOND
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


def date_of(server):
    """As a ``Date`` header says it: cut off at the second."""
    return server.replace(microsecond=0)


def seen(skew, ahead, *, at=NOW, round_trip=NONE):
    return skew.observe(date_of(at + ahead), at, round_trip)


class Emitted(list):
    def __call__(self, event, /, **fields):
        self.append((event, fields))


def test_clocks_that_agree_are_left_alone():
    skew = Skew()
    assert [seen(skew, timedelta(milliseconds=ms)) for ms in (-400, 0, 400)] == [None] * 3
    assert skew.value == NONE


@pytest.mark.parametrize("ahead", [5, -5, 90, -90, 3500])
def test_a_difference_of_more_than_a_second_is_followed(ahead):
    skew = Skew()
    assert seen(skew, ahead * SECOND) == skew.value
    assert abs(skew.value - ahead * SECOND) <= SECOND


def test_a_difference_is_news_once():
    skew = Skew()
    moments = [NOW + timedelta(milliseconds=170 * step) for step in range(40)]
    news = [seen(skew, 5 * SECOND, at=moment) for moment in moments]
    assert len([one for one in news if one is not None]) == 1


def test_a_difference_that_goes_away_is_news_too():
    skew = Skew()
    seen(skew, 60 * SECOND)
    assert seen(skew, NONE) == NONE
    assert skew.value == NONE


def test_a_slow_answer_proves_no_difference():
    skew = Skew()
    assert seen(skew, -8 * SECOND, round_trip=9 * SECOND) is None
    assert skew.value == NONE


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=-400), timedelta(days=9999)])
def test_an_absurd_date_is_reported_once_and_not_followed(ahead):
    skew = Skew()
    first, second = seen(skew, ahead), seen(skew, ahead + SECOND)
    assert abs(first - ahead) <= SECOND
    assert second is None
    assert skew.value == NONE


def test_a_clock_that_is_too_far_off_says_so_until_it_is_not():
    clock = SystemClock(Emitted(), wall=lambda: NOW, steady=lambda: 0.0)
    assert clock.astray is None
    clock.observe(NOW + timedelta(hours=2), NONE)
    assert abs(clock.astray - timedelta(hours=2)) <= SECOND
    clock.observe(NOW, NONE)
    assert clock.astray is None


def test_an_absurd_date_leaves_an_earlier_correction_in_place():
    skew = Skew()
    seen(skew, 60 * SECOND)
    before = skew.value
    seen(skew, timedelta(days=1))
    assert skew.value == before


def test_an_absurd_date_that_comes_back_after_a_good_one_is_news_again():
    skew = Skew()
    seen(skew, timedelta(days=1))
    seen(skew, NONE)
    assert seen(skew, timedelta(days=1)) is not None


@UNHURRIED
@given(MOMENTS, st.timedeltas(-FOLLOWED, FOLLOWED), DURATIONS, DURATIONS)
def test_what_is_followed_is_never_further_off_than_resolution_and_delay(local, ahead, out, back):
    skew = Skew()
    stamped, read = local + ahead + out, local + out + back
    skew.observe(date_of(stamped), read, out + back)
    error = abs(skew.value - ahead)
    assert skew.value == NONE or error <= (SECOND + out + back) / 2
    assert error <= 2 * SECOND + out + back


@UNHURRIED
@given(MOMENTS, st.timedeltas(-timedelta(minutes=50), timedelta(minutes=50)), st.lists(DURATIONS))
def test_a_constant_difference_is_news_at_most_once(local, ahead, delays):
    skew, news = Skew(), 0
    for delay in delays:
        local += timedelta(seconds=60.3)
        stamped = local - delay / 2 + ahead
        news += skew.observe(date_of(stamped), local, delay) is not None
    assert news <= 1 or any(delay > 2 * SECOND for delay in delays)


def test_the_corrected_time_is_the_providers():
    emitted = Emitted()
    clock = SystemClock(emitted)
    clock.observe(datetime.now(UTC) + timedelta(minutes=5), NONE)
    assert abs(clock.now() - datetime.now(UTC) - timedelta(minutes=5)) < 2 * SECOND
    assert clock.now().tzinfo is UTC
    [(event, fields)] = emitted
    assert event is Event.CLOCK_SKEWED
    assert fields["skew_seconds"] == pytest.approx(300, abs=1.1)


def test_a_clock_that_is_right_is_not_corrected_and_says_nothing():
    emitted = Emitted()
    clock = SystemClock(emitted)
    clock.observe(date_of(datetime.now(UTC)), timedelta(milliseconds=50))
    assert abs(clock.now() - datetime.now(UTC)) < SECOND
    assert emitted == []


class Machine:
    """A clock that somebody sets, and one that nobody can."""

    def __init__(self, wall=NOW):
        self.at, self.seconds, self.emitted = wall, 100.0, Emitted()
        self.clock = SystemClock(self.emitted, wall=lambda: self.at, steady=lambda: self.seconds)

    def wait(self, seconds):
        self.at, self.seconds = self.at + seconds * SECOND, self.seconds + seconds


@pytest.mark.parametrize("jump", [timedelta(minutes=40), -timedelta(days=3)])
def test_a_clock_that_is_set_between_two_answers_changes_nothing(jump):
    machine = Machine()
    machine.clock.observe(date_of(NOW), NONE)
    machine.wait(60)

    machine.at += jump

    assert machine.clock.now() == NOW + 60 * SECOND
    machine.clock.observe(date_of(NOW + 60 * SECOND), NONE)
    assert machine.clock.now() == NOW + 60 * SECOND
    assert machine.emitted == []


def test_a_clock_that_was_too_far_off_is_read_again_once_it_is_set_right():
    machine = Machine(NOW - timedelta(days=3))
    machine.clock.observe(date_of(NOW), NONE)
    assert machine.clock.now() == NOW - timedelta(days=3)
    assert len(machine.emitted) == 1

    machine.at = NOW
    machine.clock.observe(date_of(NOW), NONE)

    assert machine.clock.now() == NOW
    assert 0 == machine.emitted[1][1]["skew_seconds"], "and whoever was told hears that it is over"
    machine.clock.observe(date_of(NOW), NONE)
    assert 2 == len(machine.emitted)


def test_a_clock_that_is_set_to_another_absurd_time_is_reported_again():
    machine = Machine(NOW - timedelta(days=3))
    for days in (-3, 5, 5):
        machine.at = NOW + timedelta(days=days)
        machine.clock.observe(date_of(NOW), NONE)

    assert machine.clock.now() == NOW + timedelta(days=5)
    assert [259_200, -432_000] == [
        pytest.approx(fields["skew_seconds"], abs=1) for _, fields in machine.emitted
    ]


def test_durations_do_not_follow_the_provider():
    clock = SystemClock(Emitted())
    before = clock.monotonic()
    clock.observe(datetime.now(UTC) - timedelta(minutes=30), NONE)
    assert 0 <= clock.monotonic() - before < 1
    assert abs(clock.monotonic() - time.monotonic()) < 1


@pytest.mark.looptime
async def test_it_waits_as_long_as_it_is_told(looptime):
    clock = SystemClock(Emitted())
    await clock.sleep(timedelta(hours=1))
    await clock.sleep(timedelta(seconds=-5))
    assert looptime == 3600

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from rotator.backoff import polite, urgent

HOUR = timedelta(hours=1)
LEAST, MOST = timedelta(milliseconds=200), timedelta(seconds=10)
#: As near to 1 as jitter comes without being it.
NEARLY = 1 - 2**-53

attempts = st.integers(1, 10**9)
jitters = st.floats(0, 1, exclude_max=True)
lengths = st.timedeltas(timedelta(-9999), timedelta(9999))


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (9, 256), (10, 300), (17, 300), (18, 300), (10**9, 300)],
)
def test_a_polite_delay_doubles_up_to_five_minutes(attempt, seconds):
    assert timedelta(seconds=seconds) == polite(attempt, jitter=1)
    assert timedelta(seconds=seconds) / 2 == polite(attempt, jitter=0)


def test_jitter_is_spread_evenly_over_the_upper_half():
    assert timedelta(seconds=6) == polite(4, jitter=0.5)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (timedelta(seconds=3), 4),
        (timedelta(seconds=4), 4),
        (timedelta(seconds=4, microseconds=1), 4.000001),
        (timedelta(minutes=30), 1800),
        (HOUR, 3600),
        (HOUR + timedelta(microseconds=1), 3600),
        (timedelta(days=1), 3600),
        (timedelta(0), 4),
    ],
)
def test_what_the_service_asked_for_is_kept_up_to_an_hour(asked, expected):
    assert timedelta(seconds=expected) == polite(4, jitter=0, asked=asked)


@given(attempt=attempts, jitter=jitters, asked=st.none() | lengths)
def test_a_polite_delay_has_bounds(attempt, jitter, asked):
    delay = polite(attempt, jitter=jitter, asked=asked)

    assert timedelta(milliseconds=500) <= delay <= HOUR
    assert asked is not None or delay <= timedelta(minutes=5)
    assert asked is None or delay >= min(asked, HOUR)


@pytest.mark.parametrize(
    ("attempt", "milliseconds"),
    [(1, 200), (2, 400), (3, 800), (6, 6400), (7, 10000), (9, 10000), (10, 10000), (10**9, 10000)],
)
def test_an_urgent_delay_doubles_up_to_ten_seconds(attempt, milliseconds):
    assert timedelta(milliseconds=milliseconds) == urgent(attempt, left=None, jitter=1)
    assert timedelta(milliseconds=milliseconds) / 2 == urgent(attempt, left=None, jitter=0)


@pytest.mark.parametrize(
    ("left", "seconds"), [(400, 10), (200, 10), (199, 9.95), (20, 1), (4, 0.2), (3, 0.2)]
)
def test_an_urgent_delay_takes_a_twentieth_of_the_time_left(left, seconds):
    assert timedelta(seconds=seconds) == urgent(20, left=timedelta(seconds=left), jitter=1)


@pytest.mark.parametrize("left", [timedelta(0), timedelta(-1), timedelta(days=-999)])
def test_past_the_end_deliveries_go_on_at_the_shortest_delay(left):
    assert LEAST == urgent(20, left=left, jitter=1)


def test_much_time_left_does_not_lengthen_an_urgent_delay():
    assert LEAST == urgent(1, left=timedelta(days=1), jitter=1)


@given(attempt=attempts, jitter=jitters, left=st.none() | lengths)
def test_an_urgent_delay_has_bounds(attempt, jitter, left):
    delay = urgent(attempt, left=left, jitter=jitter)

    assert LEAST / 2 <= delay <= MOST
    assert left is None or delay <= max(left / 20, LEAST)


@given(attempt=attempts, one=jitters, other=jitters)
def test_more_jitter_never_makes_a_delay_shorter(attempt, one, other):
    less, more = sorted((one, other))

    assert polite(attempt, jitter=less) <= polite(attempt, jitter=more)
    assert urgent(attempt, left=None, jitter=less) <= urgent(attempt, left=None, jitter=more)


def test_no_jitter_reaches_past_the_whole_delay():
    assert timedelta(seconds=1) >= polite(1, jitter=NEARLY)

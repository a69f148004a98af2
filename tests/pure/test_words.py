from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from rotator.words import length, moment


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (-1, "0s"),
        (-86401, "0s"),
        (0.999999, "0s"),
        (1, "1s"),
        (45.9, "45s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m1s"),
        (3599, "59m59s"),
        (3600, "1h"),
        (3601, "1h"),
        (3660, "1h1m"),
        (5400, "1h30m"),
        (86399, "23h59m"),
        (86400, "1d"),
        (86460, "1d"),
        (90000, "1d1h"),
        (604799, "6d23h"),
        (3650 * 86400, "3650d"),
    ],
)
def test_a_length_is_told_by_its_two_largest_units(seconds, expected):
    assert expected == length(timedelta(seconds=seconds))


@given(value=st.timedeltas())
def test_any_length_can_be_told(value):
    assert "" != length(value)


def test_a_moment_is_told_to_the_minute():
    assert "2026-11-23 08:31 UTC" == moment(datetime(2026, 11, 23, 8, 31, 59, 999999, tzinfo=UTC))

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from rotator.words import bar, count, length, moment, outcome, printable, short, some, span


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


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "░░░░░"), (0.01, "█░░░░"), (0.6, "███░░"), (0.99, "█████"), (1, "█████")],
)
def test_a_bar_is_full_as_far_as_its_share(share, expected):
    assert expected == bar(share, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is, … and all", "as it is, … and all"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("right \u202e to left", "right \\u202e to left"),
        ("6\N{NO-BREAK SPACE}s\n", "6\N{NO-BREAK SPACE}s "),
    ],
)
def test_what_could_move_the_cursor_is_not_printed(text, expected):
    assert expected == printable(text)


def test_things_are_counted_in_words():
    assert ["0 keys", "1 key", "2 keys"] == [count(number, "key", "keys") for number in range(3)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more")],
)
def test_of_many_names_three_are_told(names, expected):
    assert expected == some(list(names))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12345678", "12345678"), ("123456789", "123…6789"), ("rotator-7d4f", "rot…7d4f")],
)
def test_a_long_text_is_shortened_in_its_middle(text, expected):
    assert expected == short(text, 8)
    assert "rot…d4f" == short("rotator-7d4f", 7)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0031, "3.1 ms"),
        (0.9996, "999.6 ms"),
        (1.0, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1m"),
        (5400, "1h30m"),
        (-0.5, "-500.0 ms"),
        (-90, "-1m30s"),
    ],
)
def test_a_measured_time_is_told_in_its_unit(seconds, expected):
    assert expected == span(seconds).replace("\N{NO-BREAK SPACE}", " ")


def test_an_outcome_is_told_without_what_joins_its_words():
    assert "rolled back" == outcome("rolled_back")

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from rotator import words
from rotator.settings import parse_duration
from rotator.settings.durations import parse_duration as parse

HOW = "; write a length of time like 90s, 1h30m, 7d or 2w"
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("1.5h", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        (
            "1w2d3h4m5s6ms",
            timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6),
        ),
        ("36500d", 36500 * DAY),
        (DAY, DAY),
    ],
)
def test_lengths_of_time_are_plain_words(text, length):
    assert length == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not a length of time"),
        ("soon", "not a length of time"),
        ("7", "not a length of time"),
        ("-7d", "not a length of time"),
        ("+7d", "not a length of time"),
        ("7D", "not a length of time"),
        ("1y", "not a length of time"),
        ("1mo", "not a length of time"),
        ("7 days", "not a length of time"),
        ("1e3s", "not a length of time"),
        ("\u0667d", "not a length of time"),
        ("7d\n", "not a length of time"),
        (None, "not a length of time"),
        (True, "not a length of time"),
        (["7d"], "not a length of time"),
        (7, "a number has no unit"),
        (7.5, "a number has no unit"),
        (float("nan"), "a number has no unit"),
        ("0s", "must be longer than nothing"),
        ("0.0001ms", "must be longer than nothing"),
        ("36501d", "must be at most 100 years"),
        ("9" * 400 + "d", "must be at most 100 years"),
        ("9" * 5000 + "d", "must be at most 100 years"),
    ],
)
def test_anything_else_is_refused_without_being_repeated(text, fault):
    with pytest.raises(ValueError, match=r"write a length of time") as caught:
        parse(text)

    assert f"{fault}{HOW}" == str(caught.value)


@given(st.text(alphabet="0123456789.smhdw \n-+eE_", max_size=30) | st.text(max_size=10))
def test_any_text_is_a_length_or_refused(text):
    assert _is_read_or_refused(text)


@given(st.integers(1, 36500 * 86400))
def test_what_we_write_ourselves_is_read_again(seconds):
    # Two units are written, the rest is dropped.
    written = words.length(timedelta(seconds=seconds))

    assert written == words.length(parse(written))


def _is_read_or_refused(text):
    try:
        return timedelta(0) < parse(text) <= 36500 * DAY
    except ValueError as error:
        return str(error).endswith(HOW)

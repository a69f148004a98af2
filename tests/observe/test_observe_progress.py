"""The line that says how far long work is."""

import os
from contextlib import contextmanager

import pytest

from rotator.observe.progress import Progress, drawn


@contextmanager
def terminal():
    """Both ends of one: what is written to the second is read from the first."""
    ends = os.openpty()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (0, "looking  ░░░░░░░░░░░░░░░░░░░░░░░░  0 of 8, 3s"),
        (2, "looking  ██████░░░░░░░░░░░░░░░░░░  2 of 8, 3s"),
        (8, "looking  ████████████████████████  8 of 8, 3s"),
    ],
)
def test_it_tells_how_much_of_how_much_is_done(done, expected):
    assert expected == drawn("looking", done, 8, 3.4, 80)


def test_it_never_breaks_the_row():
    assert "looking  ░░░░░░░░░░" == drawn("looking", 0, 8, 0, 20)


def test_where_there_is_nothing_to_do_it_is_done():
    assert "░" not in drawn("looking", 0, 0, 0, 80)


def test_lines_of_others_stand_above_it():
    with terminal() as (screen, fd), open(fd, "w", closefd=False) as stream:
        bar = Progress("looking", 8, fd)
        above = bar.beside(stream)
        above.write("an event\n")
        seen = b""
        while not seen.endswith(b"\n"):
            seen += os.read(screen, 100)

        assert above.isatty()
        assert b"\r\x1b[Kan event\r\n" == seen


def test_what_does_not_share_its_terminal_is_left_alone(tmp_path):
    with terminal() as (_, fd), (tmp_path / "out").open("w") as file:
        assert file is Progress("looking", 8, fd).beside(file)


def test_a_terminal_without_it_is_left_alone():
    with terminal() as (_, fd), open(fd, "w", closefd=False) as stream:
        assert stream is Progress("looking", 8, None).beside(stream)


def test_work_that_is_done_at_once_shows_nothing():
    with terminal() as (screen, fd):
        bar = Progress("looking", 8, fd)
        bar.start()
        bar.step()
        bar.stop()
        os.write(fd, b"all there is")

        assert b"all there is" == os.read(screen, 100)

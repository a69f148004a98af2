"""What a person at a terminal sees, and a pipe does not."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from e2e_stage import RUN, staged

DAY = timedelta(days=1)
BAR = "█░"


def add_two(stage):
    for name in ("one", "two"):
        key = stage.arize.seed_user_key(
            name, created_at=stage.now - 10 * DAY, expires_at=stage.now + 80 * DAY
        )
        stage.add_policy(name, key, before_expiry="14d")
        stage.put(name, api_key=key[1])


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        add_two(stage)
        yield stage


@pytest.fixture
def slow(tmp_path):
    """Arize takes so long for its pages that a person begins to wonder."""
    with staged(tmp_path, latency=timedelta(milliseconds=400)) as stage:
        # Patience for a machine that is busy: only Arize is to be slow.
        stage.timeout, stage.run_section = "5s", RUN | {"lease": "15s"}
        for _ in range(300):
            stage.arize.seed_user_key("another")
        add_two(stage)
        yield stage


@contextmanager
def begun(stage, *arguments, stdin=subprocess.DEVNULL, stdout=None, **environ):
    """A command with stderr, and stdout unless it goes elsewhere, on a terminal; and that."""
    screen, fd = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rotator", *arguments, "--config", str(stage.config)],
        stdin=fd if stdin is None else stdin,
        stdout=stdout or fd,
        stderr=fd,
        env=stage.environ | {"TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"} | environ,
        cwd=stage.folder,
        start_new_session=True,
    ) as process:
        os.close(fd)
        try:
            yield process, screen
        except BaseException:
            process.kill()
            raise
    os.close(screen)


def at_terminal(stage, *arguments, stdout=None, **environ):
    """Run it to its end; what the terminal shows, and what goes elsewhere."""
    with begun(stage, *arguments, stdout=stdout, **environ) as (process, screen):
        shown = _read(screen)
        piped = process.stdout.read().decode() if process.stdout else ""
    return shown, piped


def interrupt(process):
    """Ctrl-C, until it ends: one that comes just before Python reads is seen only at the next."""
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return


def _read(screen, until="never"):
    shown = b""
    try:
        while until.encode() not in shown and (found := os.read(screen, 4096)):
            shown += found
    except OSError:
        pass  # How Linux says that nobody has the other end any more.
    return shown.decode()


@pytest.mark.parametrize("command", [["plan"], ["status"], ["run", "--once"]], ids=" ".join)
def test_progress_is_on_the_terminal_and_never_in_the_pipe(slow, command):
    shown, piped = at_terminal(slow, *command, stdout=subprocess.PIPE)

    assert "0 of 2" in shown
    assert shown.endswith("\r\x1b[K"), "nothing is left of it"
    assert "one" in piped
    assert not set(BAR) & set(piped.replace("█████░", ""))


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": ""}])
def test_a_terminal_that_cannot_erase_shows_none(slow, environ):
    shown, _ = at_terminal(slow, "status", stdout=subprocess.PIPE, **environ)

    assert "" == shown


def test_events_stand_above_the_progress(slow):
    shown, _ = at_terminal(slow, "run", "--once")

    rows = re.split(r"\r\n|\r\x1b\[K", shown)
    events = [row for row in rows if "policy.planned" in row]
    assert 2 == len(events)
    assert {"policy.planned"} == {row.split()[2] for row in events}
    assert any(row.startswith("looking after policies") for row in rows)
    assert "" == rows[-1]


@pytest.mark.parametrize("command", [["plan"], ["status"], ["history", "one"]], ids=" ".join)
def test_no_row_is_wider_than_the_terminal(stage, command):
    stage.add_policy("gone-for-good-and-never-to-return", ("QXBpS2V5OjQwNA==", ""), max_age="30d")
    stage.run("--rotate", "one")

    for width in (40, 80, 140):
        shown, _ = at_terminal(stage, *command, COLUMNS=str(width))

        rows = re.split(r"\r\n|\r\x1b\[K", re.sub(r"\x1b\[[0-9;]*m", "", shown))
        assert max(map(len, rows)) <= width, rows
        assert "one" in shown


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": ""}])
def test_colours_are_not_forced_on_anybody(stage, environ):
    shown, _ = at_terminal(stage, "status", **environ)

    assert [] == re.findall(r"\x1b\[[0-9;]*3[1-7]m", shown)
    assert "\x1b[32m" in at_terminal(stage, "status", NO_COLOR="")[0]


def test_further_lines_of_a_note_stand_below_its_first_word(stage):
    shown, _ = at_terminal(stage, "check", "--online", COLUMNS="60")

    rows = shown.splitlines()
    at = next(at for at, row in enumerate(rows) if "note: whether" in row)
    assert ["    note: ", " " * 10, " " * 10] == [row[:10] for row in rows[at : at + 3]]


@pytest.mark.parametrize("command", ["plan", "status"])
def test_no_row_in_a_pipe_ends_in_blanks(stage, command):
    _, piped = at_terminal(stage, command, stdout=subprocess.PIPE)

    assert [] == [row for row in piped.splitlines() if row != row.rstrip()]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_takes_the_progress_away_with_it(slow, number, code):
    with begun(slow, "status", stdout=subprocess.PIPE) as (process, screen):
        _read(screen, until="0 of 2")
        process.send_signal(number)
        shown = _read(screen)

    assert code == process.returncode
    assert shown.removesuffix("\r\n").endswith("\r\x1b[K")
    assert "Traceback" not in shown


def test_who_leaves_a_question_unanswered_gets_the_prompt_on_a_line_of_its_own(stage):
    with begun(stage, "adopt", "one", stdin=None, stdout=subprocess.PIPE) as (process, screen):
        shown = _read(screen, until="(not shown): ")
        interrupt(process)
        shown += _read(screen)

    assert (130, "raw key (not shown): \r\n") == (process.returncode, shown)


COMMANDS = [
    ["plan"],
    ["plan", "--json"],
    ["status"],
    ["history", "one"],
    ["check"],
    ["check", "--online"],
]


def remaining(shown):
    """What is still on the screen: a slow machine shows progress, and takes it back."""
    return shown.rpartition("\r\x1b[K")[2]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_nothing_is_one_line_and_no_success(stage, command, unbuffered):
    with Path("/dev/full").open("wb") as full:
        shown, _ = at_terminal(stage, *command, stdout=full, PYTHONUNBUFFERED=unbuffered)
        with begun(stage, *command, stdout=full) as (process, _):
            pass

    said = "stdout cannot be written: No space left on device; make room, or write elsewhere"
    assert (1, f"{said}\r\n") == (process.returncode, remaining(shown))


@pytest.mark.parametrize("command", COMMANDS[:3], ids=" ".join)
def test_who_has_read_enough_is_told_no_failure(stage, command):
    reader, writer = os.pipe()
    os.close(reader)
    with begun(stage, *command, stdout=writer) as (process, screen):
        shown = _read(screen)
    os.close(writer)

    assert (0, "") == (process.returncode, remaining(shown))


def test_events_that_cannot_be_written_are_missed_on_stderr(stage):
    with Path("/dev/full").open("wb") as full:
        shown, _ = at_terminal(stage, "run", "--once", stdout=full)

    words = r"\r\x1b\[Krotator: \d+ events could not be written: No space left on device\r\n"
    assert re.search(words, shown)

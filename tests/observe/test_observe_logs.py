import io
import json
import os
import pty
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.errors import Rejected
from rotator.events import Event, declared
from rotator.keys import KeyType
from rotator.model import Reason, Selector, Target
from rotator.observe import configure, observing
from rotator.observe.writer import CAPACITY
from rotator.secrets import Masked, Secret

NOW = datetime(2026, 11, 23, 8, 31, 2, tzinfo=UTC)
RAW = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789ABCDEFxyz"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def say():
    """Emits one event through the real chain and answers its line."""

    def say(event, /, *, level_shown="debug", **fields):
        stream = io.StringIO()
        observer = configure("json", level_shown, stream)
        observer(event, **fields)
        observer.close()
        return json.loads(stream.getvalue()) if stream.getvalue() else None

    return say


def written(stream, form="auto"):
    observer = configure(form, "info", stream)
    observer(Event.DAEMON_STOPPED)
    observer.close()
    return stream.getvalue()


# --- lines ---


def test_a_line_begins_with_when_how_bad_and_what(say):
    line = say(Event.DAEMON_STARTED, owner="me", version="1")

    assert ["timestamp", "level", "event", "version", "owner"] == list(line)
    assert ("info", "daemon.started") == (line["level"], line["event"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])


def test_fields_stand_in_the_order_of_the_catalogue(say):
    names = declared(Event.ROTATION_COMPLETED)

    line = say(Event.ROTATION_COMPLETED, **dict.fromkeys(reversed(names), 1))

    assert names == tuple(line)[3:]


def test_a_field_that_is_not_declared_is_shown_at_the_end(say):
    line = say(Event.DAEMON_STARTED, novel=1, owner="me")

    assert ["owner", "novel"] == list(line)[3:]


def test_an_event_that_is_not_in_the_catalogue_is_shown(say):
    line = say("something.new", answer=42)

    assert ("info", "something.new", 42) == (line["level"], line["event"], line["answer"])


def test_a_field_cannot_take_the_place_of_what_every_line_has(say):
    line = say(Event.DAEMON_STOPPED, event="other", timestamp="never", self="me")

    assert "daemon.stopped" == line["event"]
    assert "never" != line["timestamp"]


def test_urgency_raises_the_level(say):
    assert "critical" == say(Event.DELIVERY_FAILED, level="critical")["level"]


@pytest.mark.parametrize("level", ["loud", None, 3])
def test_a_level_that_does_not_exist_is_the_catalogues(say, level):
    assert "warning" == say(Event.DELIVERY_FAILED, level=level)["level"]


@pytest.mark.parametrize(
    ("shown", "expected"), [("info", False), ("warning", False), ("debug", True)]
)
def test_what_is_less_important_is_not_shown(say, shown, expected):
    line = say(Event.LIBRARY, level_shown=shown, logger="x", message="y")

    assert expected == (line is not None)


# --- values ---


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.25, 0.25),
        (float("inf"), "inf"),
        ("text", "text"),
        (NOW, "2026-11-23T08:31:02Z"),
        (NOW.replace(microsecond=345678), "2026-11-23T08:31:02.345Z"),
        (NOW.astimezone().replace(microsecond=0), "2026-11-23T08:31:02Z"),
        (NOW.replace(tzinfo=None), "2026-11-23T08:31:02"),
        (timedelta(hours=1), 3600),
        (timedelta(milliseconds=3.1), 0.0031),
        (Secret(RAW), "[masked]"),
        (Masked({"a": RAW}), "[masked]"),
        (Secret(RAW).redacted, "ak-CAN...xyz"),
        (Reason("key_near_expiry", "It expires in 6d."), "It expires in 6d."),
        (KeyType.SERVICE, "service"),
        (Selector(id="k"), "id k"),
        (Target("apps/ci", "api_key"), "apps/ci#api_key"),
        (Path("/etc/rotator"), "/etc/rotator"),
        (b"1234", "<4 bytes>"),
        (Rejected("no", remedy="ask"), "no (ask)"),
        (ValueError("bad", 7, {"a": RAW}), "ValueError: bad; 7"),
        (OSError({"a": RAW}), "OSError"),
        (object(), "<builtins.object>"),
        (uuid.UUID(int=0), "<uuid.UUID>"),
        ((1, Secret(RAW)), [1, "[masked]"]),
        ({"b", "a"}, ["a", "b"]),
        ({"at": NOW, 7: None}, {"at": "2026-11-23T08:31:02Z", "7": None}),
    ],
)
def test_a_value_is_shown_in_one_form(say, value, expected):
    assert expected == say(Event.DAEMON_STARTED, owner=value)["owner"]


def test_a_structure_without_end_ends(say):
    endless: list[object] = []
    endless.append(endless)

    assert "[[[[['<list>']]]]]" == str(say(Event.DAEMON_STARTED, owner=endless)["owner"])


def test_an_unforeseen_error_is_shown_with_its_place_and_its_cause(say):
    error = _failing()

    about = say(Event.POLICY_FAILED, exception=error)["exception"]

    assert ("RuntimeError", "RuntimeError: while looking") == (about["type"], about["message"])
    assert ("KeyError", "KeyError: x") == (about["cause"]["type"], about["cause"]["message"])
    assert re.fullmatch(r".*test_observe_logs\.py:\d+:_failing", about["frames"][-1])


def test_an_error_that_hides_its_cause_shows_none(say):
    error = _failing()
    error.__cause__ = None

    assert "cause" not in say(Event.POLICY_FAILED, exception=error)["exception"]


def test_a_group_of_errors_shows_its_members(say):
    error = ExceptionGroup("two", [ValueError("one"), Rejected("other")])

    about = say(Event.POLICY_FAILED, exception=error)["exception"]

    assert ["ValueError: one", "other"] == [part["message"] for part in about["exceptions"]]


def test_an_error_of_a_package_is_named_with_it(say):
    about = say(Event.POLICY_FAILED, exception=Rejected("no"))["exception"]

    assert "rotator.errors.Rejected" == about["type"]


def test_an_error_in_a_field_that_is_not_for_it_is_its_message(say):
    assert "ValueError: bad" == say(Event.POLICY_FAILED, error=ValueError("bad"))["error"]


# --- never raises ---


class Hostile(dict[str, object]):
    def items(self):
        raise RuntimeError(RAW)


def test_an_event_whose_fields_cannot_be_shown_is_shown_without_them(say):
    line = say(Event.ROTATION_COMPLETED, policy=Hostile())

    assert ["timestamp", "level", "event"] == list(line)
    assert "rotation.completed" == line["event"]


def test_after_the_end_events_may_still_come():
    stream = io.StringIO()
    observer = configure("json", "info", stream)
    observer.close()
    observer(Event.DAEMON_STOPPED)

    assert observer.flush(10)
    assert "daemon.stopped" == json.loads(stream.getvalue())["event"]


def test_a_closed_stream_is_quiet():
    stream = io.StringIO()
    observer = configure("json", "info", stream)
    stream.close()
    observer(Event.DAEMON_STOPPED)

    assert observer.close()


def test_lines_that_a_stalled_reader_cost_are_told_once_it_reads_again():
    reading, writing = os.pipe()
    emitted = 3 * CAPACITY
    with os.fdopen(writing, "w") as stream:
        observer = configure("json", "info", stream)
        for _ in range(emitted):
            observer(Event.DAEMON_STOPPED)
        observer(Event.DELIVERY_FAILED, policy="ci")
        lines = []
        with os.fdopen(reading) as reader:
            for line in reader:
                lines.append(json.loads(line))
                if lines[-1]["event"] == "log.dropped":
                    break
        assert observer.close(10)

    assert "rotation.delivery_failed" == lines[-2]["event"]
    assert emitted + 2 == len(lines) + lines[-1]["dropped"]


# --- which format ---


def test_on_a_terminal_lines_are_for_a_person():
    assert re.match(r"\d\d:\d\d:\d\d info  daemon.stopped$", _plain(written(Terminal())))


def test_elsewhere_lines_are_json():
    assert "daemon.stopped" == json.loads(written(io.StringIO()))["event"]


def test_json_can_be_had_on_a_terminal():
    assert "daemon.stopped" == json.loads(written(Terminal(), form="json"))["event"]


def test_a_person_can_have_lines_anywhere():
    assert " info  daemon.stopped" in written(io.StringIO(), form="console")


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_follow_the_terminal_and_the_environment(
    monkeypatch, environment, terminal, expected
):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    line = written(Terminal() if terminal else io.StringIO(), form="console")

    assert expected == ("\x1b[" in line)


def test_a_real_terminal_is_written_to(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        observer = configure("auto", "info", stream)
        observer(Event.DAEMON_STOPPED)
        assert observer.close(10)
        shown = os.read(master, 1000).decode()
    os.close(master)

    assert " info  daemon.stopped\r\n" == shown[8:]


def test_what_is_observed_goes_to_standard_output_until_the_block_ends(capfd):
    with observing(format="json", level="info") as emit:
        emit(Event.DAEMON_STOPPED)

    assert "daemon.stopped" == json.loads(capfd.readouterr().out)["event"]


def _failing() -> BaseException:
    try:
        try:
            {}["x"]
        except KeyError as error:
            raise RuntimeError("while looking") from error
    except RuntimeError as error:
        return error


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


# --- listeners ---


def test_a_listener_hears_every_event_with_its_fields_also_those_that_are_not_shown():
    heard, stream = [], io.StringIO()
    observer = configure("json", "error", stream)
    observer.listen(lambda event, **fields: heard.append((event, fields)))

    observer(Event.VAULT_RENEWED, ttl_seconds=60)
    observer.close()

    assert [(Event.VAULT_RENEWED, {"ttl_seconds": 60})] == heard
    assert "" == stream.getvalue()


def test_a_listener_that_fails_is_shown_and_stops_nothing():
    heard, stream = [], io.StringIO()
    observer = configure("json", "info", stream)
    observer.listen(lambda *_, **__: 1 / 0)
    observer.listen(lambda event, **_: heard.append(event))

    observer(Event.DAEMON_STOPPED)
    observer.close()

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ["daemon.stopped", "process.crashed"] == [line["event"] for line in lines]
    assert "ZeroDivisionError" == lines[1]["exception"]["type"]
    assert [Event.DAEMON_STOPPED] == heard

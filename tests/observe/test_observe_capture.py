import asyncio
import gc
import io
import json
import logging
import subprocess
import sys
import threading
import warnings

import pytest

from rotator.events import Event
from rotator.observe import configure


@pytest.fixture
def observed():
    """Makes an observer and answers it with a function that gives its lines."""
    made = []

    def observe(level="info"):
        stream = io.StringIO()
        observer = configure("json", level, stream)
        made.append(observer)

        def lines():
            assert observer.flush(10)
            return [json.loads(line) for line in stream.getvalue().splitlines()]

        return observer, lines

    yield observe
    for observer in made:
        observer.close()


# --- logging ---


@pytest.mark.parametrize(
    ("shown", "method", "expected"),
    [
        ("info", "debug", None),
        ("info", "info", None),
        ("info", "warning", "warning"),
        ("info", "critical", "critical"),
        ("error", "warning", None),
        ("error", "error", "error"),
        ("debug", "debug", "debug"),
        ("debug", "info", "debug"),
        ("debug", "warning", "warning"),
    ],
)
def test_what_a_library_logs_is_shown_by_its_weight(observed, shown, method, expected):
    _, lines = observed(shown)
    getattr(logging.getLogger("httpcore.connection"), method)("said %s", "so")

    line = lines()[0] if lines() else None
    assert expected == (line and line["level"])
    assert None is line or ("library.log", "httpcore.connection", "said so") == (
        line["event"],
        line["logger"],
        line["message"],
    )


def test_a_logged_error_is_shown_without_locals(observed):
    _, lines = observed()
    try:
        {}["x"]
    except KeyError:
        logging.getLogger("hvac").exception("it failed")

    (line,) = lines()
    assert ("error", "it failed", "KeyError") == (
        line["level"],
        line["message"],
        line["exception"]["type"],
    )


def test_a_library_that_logs_badly_is_shown_all_the_same(observed, capfd):
    _, lines = observed()
    logging.getLogger("bad").error("%d of %d", *["one"])

    assert ["%d of %d"] == [line["message"] for line in lines()]
    assert ("", "") == capfd.readouterr()


def test_handlers_that_know_nothing_of_secrets_are_replaced_and_put_back(observed):
    root = logging.getLogger()
    before = root.handlers[:], root.level, warnings.showwarning
    observer, _ = observed()

    assert 1 == len(root.handlers)
    observer.close()
    assert before == (root.handlers, root.level, warnings.showwarning)


# --- warnings ---


def test_a_warning_of_python_is_an_event(observed, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        _, lines = observed()
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)

        (line,) = lines()
    assert ("warning", "python") == (line["level"], line["logger"])
    assert line["message"].startswith("DeprecationWarning: soon gone (")
    assert ("", "") == capfd.readouterr()


# --- crashes ---


def test_a_thread_that_crashes_is_one_line(observed, capfd):
    _, lines = observed()
    thread = threading.Thread(target=lambda: {}["x"])
    thread.start()
    thread.join()

    (line,) = lines()
    assert ("critical", "process.crashed") == (line["level"], line["event"])
    assert "KeyError: x" == line["exception"]["message"]
    assert ("", "") == capfd.readouterr()


def test_a_thread_that_ends_itself_is_no_crash(observed):
    _, lines = observed()
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()

    assert [] == lines()


def test_an_error_in_a_finaliser_is_one_line(observed, capfd):
    class Bad:
        def __del__(self):
            raise ValueError("too late")

    _, lines = observed()
    Bad()
    gc.collect()

    (line,) = lines()
    assert ("error", "python", "ValueError: too late") == (
        line["level"],
        line["logger"],
        line["exception"]["message"],
    )
    assert ("", "") == capfd.readouterr()


async def test_a_task_whose_error_nobody_awaits_is_one_line(observed):
    async def fail():
        raise ValueError("unseen")

    _, lines = observed()
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()

    (line,) = [line for line in lines() if line["logger"] == "asyncio"]
    assert ("error", "asyncio", "Task exception was never retrieved") == (
        line["level"],
        line["logger"],
        line["message"],
    )
    assert "ValueError: unseen" == line["exception"]["message"]


def test_a_loop_that_was_made_later_is_covered_by_logging(observed):
    async def fail():
        raise ValueError("unseen")

    async def run():
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    _, lines = observed()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(run())
    loop.close()

    (line,) = [line for line in lines() if line["logger"] == "asyncio"]
    assert "Task exception was never retrieved" == line["message"]
    assert "ValueError: unseen" == line["exception"]["message"]


def test_a_loop_can_be_attached(observed):
    observer, lines = observed()
    loop = asyncio.new_event_loop()
    observer.attach(loop)
    loop.call_exception_handler({"message": "it broke"})
    loop.close()

    assert ["it broke"] == [line["message"] for line in lines()]


_CRASH = """
import sys
from rotator.observe import configure

def crash(key):
    raise RuntimeError({"key": key}, "with " + key)

configure(sys.argv[1], "info", sys.stdout)
crash("ak-" + "CANARY" + "0123456789" * 4)
"""


def test_a_crash_is_one_line_of_json_and_nothing_else():
    crashed = _run(_CRASH, "json")

    (line,) = (json.loads(line) for line in crashed.stdout.splitlines())
    assert (1, "") == (crashed.returncode, crashed.stderr)
    assert ("critical", "process.crashed") == (line["level"], line["event"])
    assert "RuntimeError: with [masked]" == line["exception"]["message"]
    assert "crash" == line["exception"]["frames"][-1].rpartition(":")[2]


def test_a_crash_is_short_for_a_person():
    crashed = _run(_CRASH, "console")

    assert (1, "") == (crashed.returncode, crashed.stderr)
    assert " crit  process.crashed" in crashed.stdout
    assert "CANARY" not in crashed.stdout


def test_a_process_that_just_ends_writes_what_it_has_said():
    ended = _run(
        """
import sys
from rotator.events import Event
from rotator.observe import configure

observer = configure(sys.argv[1], "info", sys.stdout)
for _ in range(500):
    observer(Event.DAEMON_STOPPED)
""",
        "json",
    )

    assert (0, "", 500) == (ended.returncode, ended.stderr, ended.stdout.count("daemon.stopped"))


def test_a_process_whose_reader_has_gone_ends_quietly():
    program = """
import sys
from rotator.events import Event
from rotator.observe import observing

sys.stdin.read()
with observing(format="json", level="info") as emit:
    for _ in range(500):
        emit(Event.DAEMON_STOPPED)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        process.stdin.close()

        assert b"" == process.stderr.read()
    assert 0 == process.returncode


def test_rich_is_not_loaded_for_a_log():
    loaded = _run("import sys, rotator.observe; print('rich' in sys.modules)", "json")

    assert ("False\n", "") == (loaded.stdout, loaded.stderr)


def test_rich_stays_when_it_was_there_before():
    loaded = _run("import rich, rotator.observe, sys; print(sys.modules['rich'] is rich)", "json")

    assert ("True\n", "") == (loaded.stdout, loaded.stderr)


def test_rich_can_be_loaded_afterwards():
    loaded = _run("import rotator.observe, rich.table; print(rich.__name__)", "json")

    assert ("rich\n", "") == (loaded.stdout, loaded.stderr)


def test_an_event_from_a_finaliser_within_an_event_does_no_harm(observed):
    observer, lines = observed()

    class Talkative:
        def __del__(self):
            observer(Event.DAEMON_STOPPING)

    for _ in range(50):
        observer(Event.DAEMON_STOPPED, fields=[Talkative()])

    assert 100 == len(lines())


def _run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )

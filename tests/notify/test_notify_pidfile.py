"""The hook ``signal``, with real processes and real files."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from notify_stage import NEWS

from rotator.errors import NotFound, NotPermitted, Rejected, Unavailable
from rotator.notify.pidfile import Signal

#: Says when it is ready, and ends with 7 when it is told to read again.
WAITING = """
import signal, sys, time
signal.signal(signal.SIGHUP, lambda *_: sys.exit(7))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE) as waiting:
        waiting.stdout.readline()
        yield waiting
        waiting.kill()


@pytest.fixture
def pid_file(tmp_path):
    return tmp_path / "app.pid"


def hook(pid_file, process=None):
    return Signal(pid_file, signal.SIGHUP, process)


def name_of(process):
    return Path(f"/proc/{process.pid}/comm").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("text", ["{}", "{}\n", " {} \n"])
async def test_the_process_is_told(process, pid_file, text):
    pid_file.write_text(text.format(process.pid), encoding="utf-8")

    await hook(pid_file).tell(NEWS)

    assert 7 == process.wait(10)


async def test_the_file_is_read_each_time(process, pid_file):
    told = hook(pid_file)
    with pytest.raises(Unavailable, match="there is no"):
        await told.tell(NEWS)
    pid_file.write_text(str(process.pid), encoding="utf-8")

    await told.tell(NEWS)

    assert 7 == process.wait(10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "1",
        "-1",
        "-5000",
        "+12345",
        "12 34",
        "x",
        "1" * 10,
        "9" * 100,
        "\x00",
        "\xb2",
        "01",
    ],
)
async def test_what_is_no_number_of_one_process_is_refused(pid_file, text):
    pid_file.write_bytes(text.encode("latin-1"))

    with pytest.raises(Rejected, match="holds no number of a process that may be signalled"):
        await hook(pid_file).tell(NEWS)


async def test_a_process_that_is_gone_is_told_as_gone(process, pid_file):
    pid_file.write_text(str(process.pid), encoding="utf-8")
    process.kill()
    process.wait()

    for told in (hook(pid_file), hook(pid_file, "python3")):
        with pytest.raises(Unavailable, match=f"process {process.pid} of .* does not exist"):
            await told.tell(NEWS)


async def test_a_process_of_another_name_is_left_alone(process, pid_file):
    pid_file.write_text(str(process.pid), encoding="utf-8")

    with pytest.raises(NotFound, match="is not called 'nginx'"):
        await hook(pid_file, "nginx").tell(NEWS)

    assert None is process.poll()


async def test_one_of_the_right_name_is_told(process, pid_file):
    pid_file.write_text(str(process.pid), encoding="utf-8")

    await hook(pid_file, name_of(process)).tell(NEWS)

    assert 7 == process.wait(10)


async def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(NotPermitted, match="cannot be read"):
        await hook(tmp_path).tell(NEWS)


def test_what_stands_in_the_way_is_seen_without_a_signal(process, pid_file, tmp_path):
    pid_file.write_text(f"{process.pid}\n", encoding="utf-8")

    assert hook(pid_file).obstacle() is None
    assert process.poll() is None
    assert isinstance(hook(pid_file, "another").obstacle(), NotFound)
    pid_file.write_text("none", encoding="utf-8")
    assert isinstance(hook(pid_file).obstacle(), Rejected)
    pid_file.unlink()
    assert isinstance(hook(pid_file).obstacle(), Unavailable), "it may be there soon"
    missing = hook(tmp_path / "nowhere/app.pid").obstacle()
    assert (NotFound, f"there is no directory {tmp_path}/nowhere", "make it, or mount it") == (
        type(missing),
        missing.message,
        missing.remedy,
    )

"""The hook ``command``, with real child processes."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from notify_stage import NEWS

from rotator.errors import NotFound, NotPermitted, Rejected, Temporary
from rotator.notify.command import Command, kept, variables
from rotator.notify.notifier import attempt

CANARY = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789"
#: Writes its arguments and its whole environment.
DUMP = """
import json, os, sys
json.dump([sys.argv[1:], dict(os.environ)], open("told.json", "w"))
"""
#: Begins a child, says both of their numbers, and waits for ever.
FAMILY = """
import os, subprocess, sys, time
{deaf}
child = subprocess.Popen([sys.executable, "-c", "import time; {deaf}; time.sleep(600)"])
open("pids", "w").write(f"{{os.getpid()}} {{child.pid}}\\n")
time.sleep(600)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def command(*arguments, seconds=20.0, **environment):
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return Command(arguments, timedelta(seconds=seconds), plain | environment)


def python(source, *arguments, **options):
    return command(sys.executable, "-c", source, *arguments, **options)


def told():
    return json.loads(Path("told.json").read_text(encoding="utf-8"))


def pids():
    return [int(pid) for pid in Path("pids").read_text(encoding="utf-8").split()]


async def family():
    """Both numbers, once both are there."""
    for _ in range(1000):
        with suppress(FileNotFoundError):
            if len(pids()) == 2:
                return pids()
        await asyncio.sleep(0.01)
    raise AssertionError("nobody came")


def alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


async def gone(*numbers):
    """Whether all of them go, if not at once: the kernel takes its time."""
    for _ in range(1000):
        if not any(map(alive, numbers)):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_it_gets_the_facts_as_variables():
    await python(DUMP).tell(NEWS)

    _, environ = told()
    assert {
        "ROTATOR_EVENT": "rotator.rotation.completed",
        "ROTATOR_EVENT_ID": "9f4c2a7be1d05836:deployer",
        "ROTATOR_POLICY": "ci-pipeline",
        "ROTATOR_ROTATION_ID": "9f4c2a7be1d05836",
        "ROTATOR_REASON": "key_near_expiry",
        "ROTATOR_STRATEGY": "reissue",
        "ROTATOR_KEY_ID": "QXBpS2V5OjEwMDI=",
        "ROTATOR_REDACTED_KEY": "ak-def...uvw",
        "ROTATOR_EXPIRES_AT": "2027-02-21T08:31:02Z",
        "ROTATOR_OLD_KEY_ID": "QXBpS2V5OjEwMDE=",
        "ROTATOR_OLD_REDACTED_KEY": "ak-abc...xyz",
        "ROTATOR_TARGETS": "apps/ci/arize#api_key\nci#key",
    } == {name: value for name, value in environ.items() if name.startswith("ROTATOR_")}


async def test_no_shell_reads_its_arguments():
    odd = ["$(touch pwned)", "a b", "; touch pwned", "*", ""]

    await python(DUMP, *odd).tell(NEWS)

    assert odd == told()[0]
    assert ["told.json"] == [path.name for path in Path.cwd().iterdir()]


async def test_of_our_own_variables_it_gets_a_few_plain_ones_and_those_that_are_named():
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/home",
        "LANG": "C",
        "ARIZE_API_KEY": CANARY,
        "VAULT_TOKEN": CANARY,
        "KUBECONFIG": "/k",
        "ROTATOR_ARIZE__API_KEY": CANARY,
    }
    hook = Command(
        (sys.executable, "-c", DUMP), timedelta(seconds=20), kept(environ, ("KUBECONFIG", "NONE"))
    )

    await hook.tell(NEWS)

    arguments, seen = told()
    assert CANARY not in f"{arguments} {seen}"
    assert {"PATH", "HOME", "LANG", "KUBECONFIG"} <= set(seen)


@pytest.mark.parametrize("status", [1, 3, 127])
async def test_a_status_other_than_nothing_is_a_failure(status):
    with pytest.raises(Temporary) as caught:
        await python(f"raise SystemExit({status})").tell(NEWS)

    assert f"the command ended with status {status}" == caught.value.message


async def test_what_it_writes_goes_nowhere(capfd):
    with pytest.raises(Temporary) as caught:
        await python(f"import sys; print('{CANARY}'); sys.exit('{CANARY}')").tell(NEWS)

    assert ("", "") == capfd.readouterr()
    assert CANARY not in str(caught.value)
    assert "its output is not kept" in caught.value.remedy


async def test_one_that_writes_without_end_is_no_trouble():
    await python("print('x' * 10_000_000)").tell(NEWS)


async def test_one_that_is_killed_says_by_what():
    with pytest.raises(Temporary, match="ended by SIGKILL"):
        await python("import os; os.kill(os.getpid(), 9)").tell(NEWS)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(("/no/such/program",), NotFound), (("/",), NotPermitted), (("a\0b",), Rejected)],
)
async def test_one_that_cannot_be_begun_is_told(arguments, kind):
    with pytest.raises(kind):
        await command(*arguments).tell(NEWS)


@pytest.mark.parametrize("deaf", ["pass", DEAF], ids=["polite", "deaf"])
async def test_one_that_takes_too_long_is_ended_with_all_it_has_begun(deaf):
    hook = python(FAMILY.format(deaf=deaf), seconds=1.5)

    error = await attempt(hook, NEWS)

    assert "it took longer than 1.5 s and was ended" == error.message
    assert await gone(*pids())


async def test_one_that_is_cancelled_is_ended_with_all_it_has_begun():
    task = asyncio.create_task(python(FAMILY.format(deaf=DEAF)).tell(NEWS))
    both = await family()

    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert await gone(*both)


async def test_one_whose_first_ends_at_once_when_asked_takes_its_deaf_child_along():
    source = FAMILY.format(deaf=DEAF).replace(DEAF, "pass", 1)
    task = asyncio.create_task(python(source).tell(NEWS))
    both = await family()

    task.cancel()
    await asyncio.wait({task})

    assert await gone(*both)


async def test_what_goes_on_in_the_background_after_a_success_is_left_alone():
    child = "import time; time.sleep(600)"
    await python(
        f"import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', '{child}'])\n"
        f"open('pids', 'w').write(str(child.pid))"
    ).tell(NEWS)

    (pid,) = pids()
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_fact_that_is_not_known_is_not_set():
    assert "ROTATOR_EXPIRES_AT" not in variables(replace(NEWS, facts={"expires_at": None}))


def test_a_program_that_cannot_be_run_is_seen_without_running_it():
    Path("plain").write_text("#!/bin/sh\n", encoding="utf-8")

    assert command("sh").obstacle() is None
    assert isinstance(command("no-such-program").obstacle(), NotFound)
    assert isinstance(command("./no-such-program").obstacle(), NotFound)
    assert isinstance(command("./plain").obstacle(), NotPermitted)
    Path("plain").chmod(0o700)
    assert command("./plain").obstacle() is None

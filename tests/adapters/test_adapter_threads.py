"""Calls that hang: who waits for them, how many there are, and what they keep from going on."""

import asyncio
import subprocess
import sys
import threading

import pytest
from adapter_hanging import ended

from rotator.adapters.threads import Threads
from rotator.errors import Temporary


def threads(*, most=1, patience=60.0):
    return Threads("held up", "the work", remedy="help it", most=most, patience=patience)


@pytest.fixture
def held():
    """Work waits for it."""
    event = threading.Event()
    yield event
    release(event)


def release(event):
    event.set()
    ended("held up")


async def given_up(few, held):
    """Begin with work that hangs, and wait for it no more."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        loop.call_soon_threadsafe(begun.set)
        held.wait()

    task = asyncio.create_task(few.in_time(work))
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})


async def test_what_is_done_and_what_stopped_it_are_told():
    few = threads()

    assert 3 == await few.in_time(lambda: 3)
    with pytest.raises(ZeroDivisionError):
        await few.in_time(lambda: 1 // 0)
    assert 4 == await few.in_time(lambda: 4)


async def test_work_that_hangs_is_waited_for_a_while_only(held):
    with pytest.raises(Temporary, match=r"^the work took longer than 0.01 s \(help it\)$"):
        await threads(patience=0.01).in_time(held.wait)


async def test_behind_it_nothing_is_begun_and_that_is_told_at_once(held):
    few, done = threads(most=2), []
    await given_up(few, held)
    await few.in_time(lambda: done.append(1))
    await given_up(few, held)

    async with asyncio.timeout(30):
        for _ in range(3):
            with pytest.raises(Temporary, match="took longer"):
                await few.in_time(lambda: done.append(2))
    assert [1] == done


async def test_when_it_comes_back_the_next_has_its_turn(held):
    few = threads()
    await given_up(few, held)
    release(held)
    await asyncio.sleep(0)

    assert 3 == await few.in_time(lambda: 3)


async def test_a_machine_that_has_no_thread_for_us_may_have_one_later(monkeypatch):
    few = threads()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _refused)
        with pytest.raises(RuntimeError, match="no thread"):
            await few.in_time(lambda: 3)

    assert 3 == await few.in_time(lambda: 3)


def _refused(_):
    raise RuntimeError("no thread")


def test_what_hangs_keeps_no_process_from_ending():
    program = """
import asyncio, threading
from rotator.adapters.threads import Threads
few = Threads("held up", "the work", remedy="", most=1, patience=0.01)
try:
    asyncio.run(few.in_time(threading.Event().wait))
except Exception as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert ("the work took longer than 0.01 s\n", "") == (ended.stdout, ended.stderr)

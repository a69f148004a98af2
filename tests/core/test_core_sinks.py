"""Files beside the store: at each look, however it went, and in nobody's way."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from adapter_hanging import back, ended, hang, threads
from sim_network import Fault
from sim_stage import DAY, HOUR, Stage, said, virtual

from rotator.afterwards import Change
from rotator.errors import NotPermitted, Rejected
from rotator.events import Event
from rotator.runner import Ending, Runner
from rotator.secrets import Secret
from rotator.sinks.files import FileSink


class Paper:
    """A file that is none."""

    place = "/run/arize.key"

    def __init__(self, *hooks):
        self.hooks = {hook.kind: hook for hook in hooks}
        self.holds = None
        self.known = None
        self.failures = []
        self.waits = []
        self.written = 0

    async def update(self, secret, current, change):
        if self.failures:
            raise self.failures.pop(0)
        self.known = current
        if self.holds == secret:
            return False
        self.holds, self.written = secret, self.written + 1
        self.waits = [Change(hook, change, timedelta(0)) for hook in self.hooks]
        return True

    async def waiting(self):
        return tuple(self.waits)

    async def heard(self, change):
        self.waits.remove(change)


class Ear:
    kind = "signal"
    timeout = timedelta(seconds=10)

    def __init__(self, *failures):
        self.failures = list(failures)
        self.heard = []

    async def tell(self, news):
        self.heard.append(news)
        if self.failures:
            raise self.failures.pop(0)


def sidecar(stage, *papers):
    """A runner of a process that keeps these files."""
    process = stage.universe.process("sidecar")
    process.world.sinks["ci"] = papers
    stage.universe.settled()
    return process, Runner(process.world, process.reconciler, concurrency=1)


async def look(stage, runner, **options):
    return await runner.look(stage.universe.policies[0], **options)


def told(process, name):
    return [fields for _, event, _, fields in process.actor.events if event == name]


@virtual
async def test_a_file_gets_the_new_key_when_this_process_rotates():
    stage, paper = Stage(), Paper()
    stage.add()
    process, runner = sidecar(stage, paper)

    result = await look(stage, runner)

    assert (Ending.WELL, True) == (result.ending, result.rotated)
    assert Secret(stage.held()) == paper.holds
    record = stage.journal().history[0]
    assert record.key_id == paper.known.key_id
    assert [
        {
            "policy": "ci",
            "file": "/run/arize.key",
            "redacted_key": record.redacted,
            "key_id": record.key_id,
            "expires_at": None,
        }
    ] == told(process, Event.FILE_WRITTEN)


@virtual
async def test_and_when_another_one_does():
    stage, paper = Stage(), Paper()
    stage.add(bounded=True)
    await stage.come_by()
    _, runner = sidecar(stage, paper)
    await look(stage, runner)
    await stage.come_by(demanded=True)

    await look(stage, runner)

    assert (Secret(stage.held()), 2) == (paper.holds, paper.written)


@virtual
async def test_nothing_is_said_of_a_file_that_is_as_it_should_be():
    stage, paper = Stage(), Paper()
    stage.add()
    process, runner = sidecar(stage, paper)
    for _ in range(3):
        await look(stage, runner)

    assert 1 == len(told(process, Event.FILE_WRITTEN))


@virtual
async def test_a_daemon_gives_its_file_the_key_of_others_at_the_next_listing():
    stage, paper = Stage(), Paper()
    stage.add(bounded=True)
    await stage.come_by()
    stage.universe.settled()
    process = stage.universe.daemon()
    process.world.sinks["ci"] = (paper,)
    await asyncio.sleep(60)
    first = paper.holds
    await stage.come_by(demanded=True)
    await asyncio.sleep(330)

    assert Secret(stage.held()) == paper.holds != first
    process.stop.set_result("SIGTERM")
    await process.task


@virtual
async def test_a_daemon_mends_its_file_with_every_listing_also_when_all_is_at_rest():
    stage, paper = Stage(), Paper()
    stage.add("a", bounded=True)
    stage.add("b", bounded=True)
    await stage.come_by()
    stage.universe.settled()
    process = stage.universe.daemon()
    process.world.sinks["a"] = (paper,)
    await asyncio.sleep(2 * 3600 + 60)
    for _ in range(2):
        paper.holds = None
        await asyncio.sleep(300)

        assert Secret(stage.held("a")) == paper.holds
    process.stop.set_result("SIGTERM")
    await process.task


@virtual
async def test_a_provider_that_is_down_keeps_no_file_from_being_written():
    stage, paper = Stage(), Paper()
    stage.add(bounded=True)
    stage.script += [("list", Fault.REFUSED)] * 9
    _, runner = sidecar(stage, paper)

    result = await look(stage, runner)

    assert Ending.UNREADY is result.ending
    assert Secret(stage.held()) == paper.holds


@virtual
async def test_what_is_not_in_the_store_is_in_no_file():
    stage, paper = Stage(), Paper()
    stage.add(bounded=True, delivered=False)
    stage.script += [("preflight", Fault.DENIED)]
    process, runner = sidecar(stage, paper)

    await look(stage, runner)

    assert None is paper.holds
    assert [] == told(process, Event.FILE_FAILED)


@pytest.mark.parametrize(
    ("error", "code"), [(NotPermitted("no"), "notpermitted"), (RuntimeError("x"), "temporary")]
)
@virtual
async def test_a_file_that_fails_is_told_and_tried_again_and_the_rotation_stands(error, code):
    stage, paper, other = Stage(), Paper(), Paper()
    other.place = "/run/other"
    stage.add()
    paper.failures = [error, error]
    process, runner = sidecar(stage, paper, other)

    (result,) = await runner.once(
        stage.universe.policies, demanded=False, patience=timedelta(minutes=1)
    )

    assert (Ending.WELL, True, 1) == (result.ending, result.rotated, len(stage.journal().history))
    assert [(1, code), (2, code)] == [
        (one["attempt"], one["error_code"]) for one in told(process, Event.FILE_FAILED)
    ]
    assert paper.holds == other.holds == Secret(stage.held())
    assert "x" not in told(process, Event.FILE_FAILED)[0]["error"].split()


@virtual
async def test_a_pass_whose_file_stays_behind_says_so():
    stage, paper = Stage(), Paper()
    stage.add()
    paper.failures = [Rejected("no")] * 100
    process, runner = sidecar(stage, paper)

    (result,) = await runner.once(
        stage.universe.policies, demanded=False, patience=timedelta(minutes=1)
    )

    assert (Ending.BEHIND, True) == (result.ending, result.rotated)
    assert 1 == told(process, Event.PASS_COMPLETED)[0]["behind"]
    assert 4 < len(told(process, Event.FILE_FAILED)) < 9


@virtual
async def test_a_store_that_fails_after_a_look_is_met_again():
    stage, paper = Stage(), Paper()
    stage.add(bounded=True)
    await stage.come_by()
    process, runner = sidecar(stage, paper)
    stage.script += [("read apps", None), ("read apps", Fault.REFUSED)]
    result = await look(stage, runner)

    assert Ending.BEHIND is result.ending
    assert ["file.failed"] == [name for name in said(process) if name.startswith("file")]
    await asyncio.sleep(5)
    assert Ending.WELL is (await look(stage, runner)).ending
    assert Secret(stage.held()) == paper.holds


# --- a mount that hangs ---


@pytest.fixture
def hung(tmp_path):
    """A real file, on a disk that hangs."""
    ended("file")
    marker = tmp_path / ".arize.key.signal.waiting"
    hang(marker)
    yield FileSink(tmp_path / "arize.key", hooks={"signal": Ear()})
    back(marker, "file")


@virtual
async def test_a_file_that_hangs_is_told_and_its_key_goes_on_being_rotated(hung):
    stage, paper = Stage(), Paper()
    stage.add("a")
    stage.add("b")
    stage.universe.settled()
    process = stage.universe.daemon()
    process.world.sinks.update(a=(hung,), b=(paper,))
    await asyncio.sleep(60)
    first, failed = stage.held("a"), told(process, Event.FILE_FAILED)
    assert [{"a"}, {"temporary"}] == [
        {one[name] for one in failed} for name in ("policy", "error_code")
    ]
    assert 3 <= len(failed) <= 9
    assert Secret(stage.held("b")) == paper.holds
    # A day old, a key is due again.
    process.daemon.configure([replace(one, max_age=DAY) for one in stage.universe.policies])
    await asyncio.sleep(25 * 3600)

    assert first != stage.held("a")
    assert 1 == len(threads("file"))
    assert Secret(stage.held("b")) == paper.holds
    process.stop.set_result("SIGTERM")
    await process.task


@virtual
async def test_a_pass_ends_whose_file_hangs(hung):
    stage, paper = Stage(), Paper()
    stage.add()
    process, runner = sidecar(stage, hung, paper)

    (result,) = await runner.once(
        stage.universe.policies, demanded=False, patience=timedelta(minutes=1)
    )

    assert (Ending.BEHIND, True) == (result.ending, result.rotated)
    assert 1 == told(process, Event.PASS_COMPLETED)[0]["behind"]
    assert {f"writing {hung.file} took longer than 10 s"} == {
        one["error"] for one in told(process, Event.FILE_FAILED)
    }
    assert (1, Secret(stage.held())) == (len(threads("file")), paper.holds)


# --- who is to hear ---


@virtual
async def test_a_hook_hears_of_a_change_and_only_of_one():
    stage, ear = Stage(), Ear()
    stage.add()
    process, runner = sidecar(stage, Paper(ear))
    for _ in range(3):
        await look(stage, runner)

    (news,) = ear.heard
    record = stage.journal().history[0]
    assert ("rotator.file.written", "ci", record.key_id) == (news.type, news.policy, news.subject)
    assert {
        "file": "/run/arize.key",
        "key_id": record.key_id,
        "redacted_key": record.redacted,
        "expires_at": None,
    } == news.facts
    (sent,) = told(process, Event.NOTIFY_SENT)
    assert ("signal", "signal", 1) == (sent["hook"], sent["kind"], sent["attempt"])
    assert stage.held() not in repr(news)


@virtual
async def test_one_that_fails_is_tried_again_in_its_time_with_the_same_id():
    stage, ear = Stage(), Ear(Rejected("no"), RuntimeError("what"))
    stage.add()
    paper = Paper(ear)
    process, runner = sidecar(stage, paper)

    (result,) = await runner.once(
        stage.universe.policies, demanded=False, patience=timedelta(minutes=1)
    )

    assert Ending.WELL is result.ending
    assert [1, 2] == [one["attempt"] for one in told(process, Event.NOTIFY_FAILED)]
    assert (3, 1) == (len(ear.heard), len({news.id for news in ear.heard}))
    assert 1 == paper.written


@virtual
async def test_it_is_not_tried_before_its_time_however_often_one_looks():
    stage, ear = Stage(), Ear(*[Rejected("no")] * 100)
    stage.add()
    _, runner = sidecar(stage, Paper(ear))
    for _ in range(20):
        await look(stage, runner)

    assert len(ear.heard) < 6


@virtual
async def test_one_that_has_not_heard_for_a_day_is_given_up():
    stage, ear = Stage(), Ear(*[Rejected("no")] * 100)
    stage.add()
    paper = Paper(ear)
    process, runner = sidecar(stage, paper)
    await look(stage, runner)
    paper.waits = [Change("signal", "c1", 25 * HOUR)]
    await asyncio.sleep(60)
    result = await look(stage, runner)

    assert ([], Ending.WELL) == (paper.waits, result.ending)
    assert 1 == len(told(process, Event.NOTIFY_GIVEN_UP))

"""A file with a key in it: real files, and what a neighbour can see of them at any moment."""

import asyncio
import errno
import json
import os
import stat
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from adapter_hanging import back, ended, hang, threads

from rotator.adapters.threads import Threads
from rotator.afterwards import Change
from rotator.errors import NotPermitted, Rejected, Temporary
from rotator.secrets import Secret
from rotator.sinks.files import FileSink

OLD = Secret("ak-CANARYold0123456789abcdefghijklmnopqrstuvwxyz")
NEW = Secret("ak-CANARYnew0123456789abcdefghijklmnopqrstuvwxyz")


@pytest.fixture
def sink(tmp_path):
    return FileSink(tmp_path / "arize.key")


def seen(sink):
    return sink.file.read_text(encoding="utf-8")


def names(sink):
    return sorted(path.name for path in sink.file.parent.iterdir())


async def test_a_file_is_made_and_changed_only_when_the_key_is(sink):
    assert await sink.update(OLD, None, "c1")
    first = sink.file.stat()

    assert not await sink.update(OLD, None, "c2")
    assert first == sink.file.stat()
    assert await sink.update(NEW, None, "c3")
    assert NEW.reveal() == seen(sink)
    assert ["arize.key"] == names(sink)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o400])
async def test_it_has_its_mode_whatever_the_umask_is(sink, mode):
    before = os.umask(0o077)
    try:
        await replace(sink, mode=mode).update(OLD, None, "c")
    finally:
        os.umask(before)

    assert mode == stat.S_IMODE(sink.file.stat().st_mode)


async def test_another_mode_is_put_right_and_told(sink):
    await sink.update(OLD, None, "c")
    sink.file.chmod(0o666)

    assert await sink.update(OLD, None, "c")
    assert 0o600 == stat.S_IMODE(sink.file.stat().st_mode)


async def test_a_link_is_replaced_and_not_followed(sink, tmp_path):
    (tmp_path / "elsewhere").write_text("theirs", encoding="utf-8")
    sink.file.symlink_to(tmp_path / "elsewhere")

    assert await sink.update(OLD, None, "c")
    assert "theirs" == (tmp_path / "elsewhere").read_text(encoding="utf-8")
    assert not sink.file.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(
    ("owner", "expected"),
    [("12:34", (12, 34)), ("12", (12, 0)), (":34", (0, 34)), ("root:daemon", (0, 1))],
)
async def test_it_has_its_owner(sink, owner, expected):
    sink = replace(sink, owner=owner)
    await sink.update(OLD, None, "c")

    status = sink.file.stat()
    assert expected == (status.st_uid, status.st_gid)
    assert not await sink.update(OLD, None, "c")


async def test_an_owner_that_is_nobody_is_told(sink):
    with pytest.raises(Rejected, match="there is no user or group 'nobody-at-all' here"):
        await replace(sink, owner="nobody-at-all").update(OLD, None, "c")


async def test_an_owner_that_may_not_have_it_leaves_no_trace(sink, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(NotPermitted, match="may not be given to 12:34"):
        await replace(sink, owner="12:34").update(OLD, None, "c")

    assert [] == names(sink)


async def test_a_directory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Rejected, match="there is no directory"):
        await FileSink(tmp_path / "no" / "file").update(OLD, None, "c")


async def test_a_path_of_a_directory_is_told_and_leaves_no_trace(tmp_path):
    (tmp_path / "dir").mkdir()
    with pytest.raises(Rejected) as caught:
        await FileSink(tmp_path / "dir").update(OLD, None, "c")

    assert ["dir"] == sorted(path.name for path in tmp_path.iterdir())
    assert OLD.reveal() not in str(caught.value)


async def test_drafts_that_a_crash_left_behind_are_removed_and_those_of_others_are_not(sink):
    left, young, other = (
        sink.file.with_name(name)
        for name in (".arize.key.aa.draft", ".arize.key.bb.draft", ".other.cc.draft")
    )
    for draft in (left, young, other):
        draft.write_text(OLD.reveal(), encoding="utf-8")
    for draft in (left, other):
        os.utime(draft, (1, 1))
    await sink.update(OLD, None, "c")

    assert [".arize.key.bb.draft", ".other.cc.draft", "arize.key"] == names(sink)


async def test_drafts_are_removed_also_when_nothing_has_changed(sink):
    await sink.update(OLD, None, "c")
    left = sink.file.with_name(".arize.key.aa.draft")
    left.write_text(OLD.reveal(), encoding="utf-8")
    os.utime(left, (1, 1))

    assert not await sink.update(OLD, None, "c")
    assert ["arize.key"] == names(sink)


async def test_a_reader_sees_the_old_or_the_new_and_never_another_mode(sink):
    """Somebody reads all the time, and looks at every file in the folder."""
    sink = replace(sink, mode=0o440, form="json", names={"key": "k"})
    await sink.update(OLD, None, "c")
    stop, wrong, looks = threading.Event(), [], 0

    def look():
        nonlocal looks
        while not stop.is_set():
            looks += 1
            if json.loads(seen(sink))["k"] not in {OLD.reveal(), NEW.reveal()}:
                wrong.append("content")
            for path in sink.file.parent.iterdir():
                try:
                    mode = stat.S_IMODE(path.lstat().st_mode)
                except FileNotFoundError:
                    continue
                if mode != 0o440 and not (path != sink.file and mode == 0o600):
                    wrong.append(f"{path.name} {mode:o}")

    thread = threading.Thread(target=look)
    thread.start()
    for at in range(100):
        await sink.update(NEW if at % 2 else OLD, None, "c")
    stop.set()
    thread.join()

    assert ([], True) == (wrong, looks > 10)


async def test_two_processes_may_write_the_same_file(sink):
    others = [replace(sink, threads={}) for _ in range(20)]
    ends = await asyncio.gather(*(one.update(NEW, None, "c") for one in others))

    assert any(ends)
    assert (NEW.reveal(), ["arize.key"]) == (seen(sink), names(sink))


# --- what hangs ---


def impatient(sink, seconds):
    """The same file, as a process sees it that waits no longer."""
    few = Threads("file", str(sink.file), remedy="", most=1, patience=seconds)
    return replace(sink, threads={sink.file: few})


def marker(sink):
    return sink.file.with_name(".arize.key.signal.waiting")


@pytest.fixture
def hung(sink):
    """A file on a disk that hangs until it is back."""
    ended("file")
    hang(marker(sink))
    yield impatient(replace(sink, hooks={"signal": None}), 0.05)
    back(marker(sink), "file")


async def test_one_that_hangs_is_given_a_while_and_not_begun_a_second_time(hung):
    tries = [
        lambda: hung.update(OLD, None, "c1"),
        lambda: hung.update(NEW, None, "c2"),
        hung.waiting,
        lambda: hung.heard(Change("signal", "c1", timedelta(0))),
    ]
    for attempt in tries:
        with pytest.raises(Temporary, match="took longer"):
            await attempt()

    assert 1 == len(threads("file"))


async def test_it_is_written_when_it_answers_again(hung):
    with pytest.raises(Temporary):
        await hung.update(OLD, None, "c1")
    back(marker(hung), "file")

    assert await impatient(hung, 60).update(NEW, None, "c2")
    assert NEW.reveal() == seen(hung)
    assert [".arize.key.signal.waiting", "arize.key"] == names(hung)


async def test_what_was_given_up_is_not_put_over_what_another_process_wrote(hung):
    with pytest.raises(Temporary):
        await hung.update(OLD, None, "c1")
    other = FileSink(hung.file)
    await other.update(NEW, None, "c2")
    back(marker(hung), "file")

    assert NEW.reveal() == seen(hung)
    assert [] == [name for name in names(hung) if name.endswith("draft")]


async def test_a_renaming_that_comes_late_comes_before_the_newer_key(sink, monkeypatch):
    answers, rename = threading.Event(), Path.replace

    def hang(path, target):
        answers.wait()
        return rename(path, target)

    sink = impatient(sink, 0.05)
    monkeypatch.setattr(Path, "replace", hang)
    for key in (OLD, NEW):
        with pytest.raises(Temporary):
            await sink.update(key, None, "c")
    answers.set()
    ended("file")

    assert OLD.reveal() == seen(sink)
    assert await impatient(sink, 60).update(NEW, None, "c")
    assert (NEW.reveal(), ["arize.key"]) == (seen(sink), names(sink))


async def test_one_that_hangs_keeps_no_other_from_being_written(hung, tmp_path):
    other = replace(hung, file=tmp_path / "other", hooks={})
    with pytest.raises(Temporary):
        await hung.update(OLD, None, "c1")

    assert await other.update(OLD, None, "c1")
    assert {hung.file, other.file} == set(hung.threads)


# --- who is to hear ---


@pytest.fixture
def told(sink):
    return replace(sink, hooks={"signal": None, "http": None})


def waiting(changes):
    return [(change.hook, change.id) for change in changes]


async def test_a_change_waits_for_each_hook_until_it_has_heard(told):
    assert () == await told.waiting()
    await told.update(OLD, None, "c1")
    first, second = await told.waiting()

    assert [("signal", "c1"), ("http", "c1")] == waiting([first, second])
    assert timedelta(0) <= first.age < timedelta(minutes=1)
    await told.heard(first)
    assert [("http", "c1")] == waiting(await told.waiting())
    await told.heard(second)
    assert ((), ["arize.key"]) == (await told.waiting(), names(told))


async def test_it_waits_also_for_another_process(told):
    await told.update(OLD, None, "c1")

    assert 2 == len(await replace(told).waiting())
    assert not await replace(told).update(OLD, None, "c2")
    assert {"c1"} == {change.id for change in await told.waiting()}


async def test_who_has_heard_of_an_older_change_hears_of_the_newer_one(told):
    await told.update(OLD, None, "c1")
    old = await told.waiting()
    await told.update(NEW, None, "c2")
    for change in old:
        await told.heard(change)

    assert [("signal", "c2"), ("http", "c2")] == waiting(await told.waiting())


async def test_what_was_heard_already_is_no_error(told):
    await told.heard(Change("signal", "c1", timedelta(0)))


async def test_a_crash_before_the_change_shows_tells_too_often_rather_than_never(told, monkeypatch):
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        told._update(type("M", (), {"reveal": lambda _: b"x"})(), "c1", threading.Event())

    assert {"c1"} == {change.id for change in await told.waiting()}


async def test_markers_hold_no_key(told):
    await told.update(OLD, None, "c1")

    for name in names(told):
        text = told.file.with_name(name).read_text(encoding="utf-8")
        assert (name == "arize.key") == (OLD.reveal() in text)


def test_what_would_keep_it_from_being_written_is_seen_without_writing(sink, tmp_path):
    assert sink.obstacle() is None
    missing = replace(sink, file=tmp_path / "nowhere/arize.key").obstacle()
    assert f"there is no directory {tmp_path}/nowhere" == missing.message
    assert isinstance(replace(sink, owner="nobody-at-all").obstacle(), Rejected)
    assert [] == names(sink)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_closed_to_us_is_seen(sink):
    sink.file.parent.chmod(0o500)

    assert isinstance(sink.obstacle(), NotPermitted)

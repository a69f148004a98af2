"""The store in a directory: the semantics of Vault, and what only files have."""

import asyncio
import errno
import json
import multiprocessing
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.files import FileStore, _failure
from rotator.errors import NotPermitted, Rejected, Temporary, Unavailable, Unreadable
from rotator.journal import Journal
from rotator.model import Target
from rotator.ports import Conflict, Place
from rotator.secrets import Secret

KEY, NEWER = Secret("ak-0123456789abcdefghij-first"), Secret("ak-0123456789abcdefghij-second")
TARGET = Target("apps/ci/arize", "api_key", metadata={"key_id": "arize_key_id"})
MINUTE = timedelta(minutes=1)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def file(directory):
    return directory / "secrets/apps/ci/arize.json"


@pytest.fixture
def store(directory):
    return FileStore(directory)


def put(file, text):
    file.parent.mkdir(parents=True)
    file.write_text(text)


class TestSecrets:
    async def test_a_place_where_nothing_ever_was_is_empty_at_version_zero(self, store):
        held = await store.read(TARGET)

        assert (None, 0) == (held.value, held.version)

    async def test_what_is_written_is_read_back(self, store):
        written = await store.write(await store.read(TARGET), KEY, {"arize_key_id": "k1"})

        held = await store.read(TARGET)
        assert (KEY, 1) == (held.value, held.version)
        assert written == held

    async def test_the_value_before_is_kept_and_no_older_one(self, store):
        for secret in (KEY, NEWER):
            await store.write(await store.read(TARGET), secret, {})

        assert KEY == await store.former(TARGET, lambda secret: secret == KEY)
        await store.write(await store.read(TARGET), KEY, {})
        await store.write(await store.read(TARGET), Secret("ak-third"), {})
        assert await store.former(TARGET, lambda secret: secret == NEWER) is None

    async def test_a_file_without_the_value_before_has_none(self, store, file):
        put(file, '{"version": 1, "data": {"api_key": "old"}, "previous": "?"}')

        assert await store.former(TARGET, lambda _: True) is None

    async def test_a_write_keeps_the_fields_of_others(self, store, file):
        put(file, '{"version": 4, "data": {"password": "theirs", "api_key": "old"}}')

        await store.write(await store.read(TARGET), KEY, {"arize_key_id": "k1"})

        data = {"password": "theirs", "api_key": KEY.reveal(), "arize_key_id": "k1"}
        before = {"password": "theirs", "api_key": "old"}
        assert {"version": 5, "data": data, "previous": before} == json.loads(file.read_text())

    async def test_a_write_over_an_outdated_version_is_a_conflict_and_changes_nothing(self, store):
        empty = await store.read(TARGET)
        first = await store.write(empty, KEY, {})

        assert Conflict() == await store.write(empty, NEWER, {})
        assert first == await store.read(TARGET)

    async def test_a_write_that_was_carried_out_is_found_again(self, store):
        empty = await store.read(TARGET)

        assert await store.write(empty, KEY, {}) == await store.write(empty, KEY, {})

    async def test_mounts_are_kept_apart(self, store):
        other = Target(TARGET.path, TARGET.field, mount="team")
        await store.write(await store.read(other), KEY, {})

        assert (await store.read(TARGET)).value is None

    async def test_a_field_that_is_not_text_is_refused_with_its_place(self, store, file):
        put(file, '{"version": 1, "data": {"api_key": 7}}')

        with pytest.raises(Rejected, match="apps/ci/arize#api_key holds a number where"):
            await store.read(TARGET)

    @pytest.mark.parametrize("path", ["../out", "a/../../out", "/etc/x", "a//b", "", "a\0b", "."])
    async def test_a_path_that_leads_elsewhere_is_refused(self, store, path):
        with pytest.raises(Rejected, match="not a path of plain names"):
            await store.read(Target(path, "api_key"))


class TestRights:
    async def test_what_is_missing_is_told_place_by_place(self, store, directory):
        directory.mkdir()
        (directory / "secrets").mkdir()
        (directory / "journal").write_text("in the way")

        target, journal = await store.lacking([Place(TARGET), Place("ci")], budget=MINUTE)

        assert target is None
        assert f"{directory / 'journal'}: Not a directory" == journal.text
        assert journal.remedy


class TestJournals:
    async def test_a_policy_begins_with_an_empty_one(self, store):
        assert (Journal(), 0) == await store.load("ci")

    async def test_what_is_saved_is_loaded(self, store):
        journal = Journal(selector="id k1")

        version = await store.save("ci", journal, 0)

        assert (1, (journal, 1)) == (version, await store.load("ci"))

    async def test_saving_over_an_outdated_version_loses_the_race(self, store):
        await store.save("ci", Journal(selector="theirs"), 0)

        assert Conflict() == await store.save("ci", Journal(selector="ours"), 0)

    async def test_a_save_that_was_carried_out_is_found_again(self, store):
        assert await store.save("ci", Journal(), 0) == await store.save("ci", Journal(), 0)

    async def test_somebody_elses_document_is_refused(self, store, directory):
        put(directory / "journal/ci.json", '{"version": 1, "data": {"password": "theirs"}}')

        with pytest.raises(Unreadable, match="is not a journal of rotator"):
            await store.load("ci")


class TestFiles:
    async def test_nobody_else_may_read_them(self, store, directory):
        before = os.umask(0)
        try:
            await store.write(await store.read(TARGET), KEY, {})
        finally:
            os.umask(before)

        modes = {
            (path.is_dir(), oct(stat.S_IMODE(path.stat().st_mode)))
            for path in (directory, *directory.rglob("*"))
        }
        assert {(True, "0o700"), (False, "0o600")} == modes

    async def test_a_draft_that_a_crash_left_behind_is_in_nobodys_way(self, store, file):
        put(file.with_name(".arize.json.draft"), "half a docu")
        file.with_name(".arize.json.draft").chmod(0o644)

        await store.write(await store.read(TARGET), KEY, {})

        assert [file] == list(file.parent.iterdir())
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)

    @pytest.mark.parametrize(
        "text",
        [
            '{"version": 1, "data": {"api_key": "ak-cut-off',
            "[]",
            "7",
            '{"data": {}}',
            '{"version": 0, "data": {}}',
            '{"version": true, "data": {}}',
            '{"version": 1, "data": "ak-cut-off"}',
            "\udcff",
        ],
    )
    async def test_a_damaged_one_is_told_without_its_text(self, store, file, text):
        put(file, "")
        file.write_bytes(text.encode(errors="surrogateescape"))

        with pytest.raises(Unreadable) as damage:
            await store.read(TARGET)

        assert f"{file} is damaged, or not a document of rotator" == damage.value.message
        assert damage.value.__cause__ is None

    async def test_of_many_writers_exactly_one_wins(self, store):
        empty = await store.read(TARGET)
        secrets = [Secret(f"ak-{number:030}") for number in range(12)]

        answers = await asyncio.gather(*(store.write(empty, secret, {}) for secret in secrets))

        assert 11 == answers.count(Conflict())

    def test_processes_do_not_undo_each_others_writes(self, directory):
        with multiprocessing.get_context("spawn").Pool(3) as pool:
            pool.map(_count_up, [directory] * 3)

        assert 30 == asyncio.run(FileStore(directory).read(TARGET)).version

    async def test_closing_has_nothing_to_do(self, store):
        assert await store.close() is None


class TestTrouble:
    async def test_a_file_where_a_directory_should_be(self, store, directory):
        directory.write_text("")

        for call in (store.read(TARGET), store.preflight([TARGET], budget=MINUTE)):
            with pytest.raises(Rejected, match="Not a directory"):
                await call

    async def test_a_name_that_is_too_long(self, store):
        held = await store.read(Target("x" * 300, "api_key"))

        with pytest.raises(Rejected, match="File name too long"):
            await store.write(held, KEY, {})

    async def test_a_directory_that_can_be_made_passes_preflight(self, store, directory):
        assert await store.preflight([TARGET], budget=MINUTE) is None
        assert directory.exists() is False

    async def test_a_place_without_permission_fails_preflight(self):
        # Not even root may write into /proc.
        with pytest.raises((NotPermitted, Temporary)):
            await FileStore(Path("/proc/rotator")).preflight([TARGET], budget=MINUTE)

    async def test_a_place_without_permission_cannot_be_written(self):
        store = FileStore(Path("/proc/rotator"))

        with pytest.raises((NotPermitted, Unavailable)):
            await store.write(await store.read(TARGET), KEY, {})

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            (errno.ENOSPC, Temporary),
            (errno.EDQUOT, Temporary),
            (errno.EACCES, NotPermitted),
            (errno.EROFS, NotPermitted),
            (errno.EISDIR, Rejected),
            (errno.EIO, Unavailable),
        ],
    )
    def test_the_systems_errors_are_told_apart(self, number, kind):
        assert kind is type(_failure(OSError(number, os.strerror(number)), "words"))


def _count_up(directory):
    asyncio.run(_count_up_to_ten_more(FileStore(directory)))


async def _count_up_to_ten_more(store):
    for number in range(10):
        # Of its own: what is there already counts as written.
        secret, answer = Secret(f"{os.getpid()}-{number}"), Conflict()
        while answer == Conflict():
            answer = await store.write(await store.read(TARGET), secret, {})

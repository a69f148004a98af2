"""The sealed spool: what reaches the disk, who can open it, and what a disk may do to us."""

import asyncio
import json
import os
import stat
import threading

import pytest
from nacl.public import PrivateKey, SealedBox

from rotator.adapters.spool import SealedSpool
from rotator.adapters.spool_keys import KeyPair
from rotator.errors import NotPermitted, Unavailable
from rotator.events import Event
from rotator.model import Spooled
from rotator.ports import Conflict
from rotator.secrets import Masked, Secret

RAW = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789"
ENTRY = Spooled("ci", "0123456789abcdef", 1, Secret(RAW))
BARE = Spooled("ci", "0123456789abcdef", 1)
NAME = "ci~0123456789abcdef~1.sealed"
MAGIC = b"rotator spool 1\n"


def quiet(_, **__):
    pass


class Documents:
    """What lies beside the journals, in memory."""

    def __init__(self):
        self.shelf = {}
        self.asked = []
        self.fault = None

    async def find(self, name):
        self.asked.append(name)
        if self.fault:
            raise self.fault
        version, document = self.shelf.get(name, (0, {}))
        return Masked(document), version

    async def keep(self, name, document, version):
        known = self.shelf.get(name, (0, {}))[0]
        if known != version:
            return Conflict()
        self.shelf[name] = (version + 1, document.reveal())
        return version + 1


@pytest.fixture
def documents():
    return Documents()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "state/spool"


@pytest.fixture
def events():
    return []


@pytest.fixture
def emit(events):
    return lambda event, **fields: events.append((event, fields))


@pytest.fixture
async def spool(directory, documents, emit):
    made = SealedSpool(directory, KeyPair(documents), emit)
    assert None is await made.prepare()
    return made


def bare(directory, name, content=b""):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    return directory / name


class TestOneKey:
    async def test_what_was_put_is_found_sealed_and_can_be_opened(self, spool):
        assert None is await spool.put(ENTRY)

        assert (BARE,) == await spool.find("ci")
        assert ENTRY == await spool.opened(BARE)

    async def test_it_is_there_for_the_next_process_and_gone_when_that_is_done(
        self, spool, directory, documents
    ):
        await spool.put(ENTRY)
        another = SealedSpool(directory, KeyPair(documents), quiet)

        assert ENTRY == await another.opened((await another.find("ci"))[0])
        assert None is await another.destroy(BARE)
        assert [] == list(directory.iterdir())

    async def test_another_policy_has_another_file(self, spool):
        await spool.put(ENTRY)

        assert () == await spool.find("c")
        assert () == await spool.find("ci-2")

    async def test_the_disk_shows_nothing_of_the_key_and_belongs_to_us_alone(
        self, spool, directory
    ):
        await spool.put(ENTRY)

        file = directory / NAME
        assert RAW.encode() not in file.read_bytes()
        assert b"CANARY" not in file.read_bytes()
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
        assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
        assert [NAME] == [path.name for path in directory.iterdir()]

    async def test_whoever_has_the_disk_and_the_public_half_cannot_open_it(
        self, spool, directory, documents
    ):
        await spool.put(ENTRY)
        _, private = documents.shelf.pop("_spool_private")
        thief = SealedSpool(directory, KeyPair(documents), lambda *_, **__: None)

        assert private["key"] not in str(documents.shelf)
        assert BARE == await thief.opened(BARE)

    async def test_destroying_what_is_not_there_is_no_fault(self, spool):
        assert None is await spool.destroy(BARE)

    async def test_an_identifier_that_climbs_goes_nowhere(self, spool, directory):
        climbing = Spooled("ci", "../../../../etc", 1, Secret(RAW))

        assert "is not a name" in (await spool.put(climbing)).message
        assert "is not a name" in (await spool.destroy(climbing)).message
        assert not directory.exists()


class TestThePair:
    async def test_it_is_made_once_and_shared(self, documents):
        pairs = [KeyPair(documents) for _ in range(3)]
        await asyncio.gather(*(pair.prepare() for pair in pairs))

        sealed = [pair.seal(b"text") for pair in pairs]

        assert [b"text"] * 3 == [(await pairs[0].opened(one)).reveal() for one in sealed]
        assert {1} == {version for version, _ in documents.shelf.values()}

    async def test_the_private_half_is_read_for_opening_only(self, documents, spool, directory):
        await spool.put(ENTRY)
        documents.asked.clear()
        another = SealedSpool(directory, KeyPair(documents), quiet)

        await another.prepare()
        await another.put(ENTRY)
        await another.find("ci")
        assert ["_spool_public"] == documents.asked
        await another.opened(BARE)
        assert ["_spool_public", "_spool_private"] == documents.asked

    async def test_a_store_that_is_sealed_after_the_start_keeps_no_key_from_the_disk(
        self, documents, spool
    ):
        documents.fault = Unavailable("it is sealed")

        assert None is await spool.prepare()
        assert None is await spool.put(ENTRY)
        with pytest.raises(Unavailable):
            await spool.opened(BARE)

    async def test_without_its_public_half_there_is_no_spool_and_no_harm(
        self, directory, documents
    ):
        documents.fault = NotPermitted("no read on secret/data/rotator/_spool_public")
        spool = SealedSpool(directory, KeyPair(documents), quiet)

        assert "no read on" in (await spool.prepare()).message
        assert None is await spool.put(ENTRY)
        assert not directory.exists()

    @pytest.mark.parametrize("half", ["", "AAAA", "ä", 7])
    async def test_what_is_no_key_is_not_used_as_one(self, directory, documents, half):
        documents.shelf["_spool_public"] = (1, {"version": 1, "key": half})
        spool = SealedSpool(directory, KeyPair(documents), quiet)

        assert "is no key of the spool" in (await spool.prepare()).message

    async def test_a_public_half_that_was_lost_is_made_from_the_private_one(self, documents, spool):
        await spool.put(ENTRY)
        first = documents.shelf.pop("_spool_public")

        await KeyPair(documents).prepare()

        assert first == documents.shelf["_spool_public"]


class TestHostileFiles:
    @pytest.mark.parametrize(
        "content",
        [
            MAGIC,
            MAGIC + b"not sealed at all",
            MAGIC + bytes(200),
        ],
    )
    async def test_a_damaged_file_is_told_of_once_and_opens_nothing(
        self, spool, directory, events, content
    ):
        bare(directory, NAME, content)

        for _ in range(2):
            found = await spool.find("ci")
            assert [None] == [(await spool.opened(one)).secret for one in found]

        told = [event for event, _ in events]
        assert told == [Event.SPOOL_FAILED] * (content != MAGIC)

    async def test_a_truncated_file_opens_nothing(self, spool, directory):
        await spool.put(ENTRY)
        whole = (directory / NAME).read_bytes()

        for length in range(0, len(whole), 7):
            (directory / NAME).write_bytes(whole[:length])
            assert None is (await spool.opened(BARE)).secret

    async def test_a_file_under_another_name_opens_nothing(self, spool, directory):
        await spool.put(ENTRY)
        (directory / NAME).rename(directory / NAME.replace("ci~", "other~"))

        found = await spool.find("other")

        assert [None] == [(await spool.opened(one)).secret for one in found]

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"[]",
            b'{"policy": "ci"}',
            b'"' + b"x" * 300,
            b"[" * 50_000,
            json.dumps({"policy": "ci", "rotation": "0123456789abcdef", "mint": 1, "key": 7}),
        ],
    )
    async def test_anybody_can_seal_something_and_nonsense_is_no_key(
        self, spool, directory, documents, text
    ):
        pair = KeyPair(documents)
        await pair.prepare()
        text = text.encode() if isinstance(text, str) else text
        bare(directory, NAME, MAGIC + pair.seal(text))

        assert None is (await spool.opened(BARE)).secret

    async def test_a_box_for_somebody_else_opens_nothing(self, spool, directory):
        sealed = SealedBox(PrivateKey.generate().public_key).encrypt(b"{}")
        bare(directory, NAME, MAGIC + sealed)

        assert None is (await spool.opened(BARE)).secret

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("notes.txt", b"theirs"),
            (NAME, b"theirs, under our name"),
            (NAME, MAGIC + bytes(70_000)),
            (f".{NAME}.draft", b"theirs as well"),
            ("ci~0123~1.sealed", MAGIC),
            ("ci~0123456789abcdef~0.sealed", MAGIC),
        ],
    )
    async def test_what_is_not_ours_is_neither_found_nor_removed(
        self, spool, directory, name, content
    ):
        file = bare(directory, name, content)

        assert () == await spool.find("ci")
        assert None is await spool.destroy(BARE)
        assert content == file.read_bytes()

    async def test_a_link_is_not_followed(self, spool, directory, tmp_path):
        theirs = bare(tmp_path, "theirs", MAGIC + b"x")
        directory.mkdir(parents=True)
        (directory / NAME).symlink_to(theirs)

        assert () == await spool.find("ci")
        await spool.destroy(BARE)
        assert (directory / NAME).is_symlink()
        assert theirs.exists()

    async def test_neither_a_pipe_nor_a_directory_holds_anybody_up(self, spool, directory):
        directory.mkdir(parents=True)
        os.mkfifo(directory / NAME)
        (directory / NAME.replace("1.sealed", "2.sealed")).mkdir()

        assert () == await spool.find("ci")

    @pytest.mark.parametrize("content", [b"", MAGIC[:5], MAGIC + b"half a box"])
    async def test_what_a_crash_left_of_a_file_is_found_and_removed(
        self, spool, directory, content
    ):
        draft = bare(directory, f".{NAME}.draft", content)

        assert (BARE,) == await spool.find("ci")
        assert BARE == await spool.opened(BARE)
        await spool.destroy(BARE)
        assert not draft.exists()


class TestTheDisk:
    async def test_one_that_is_not_writable_is_an_answer(self, tmp_path, documents):
        (tmp_path / "file").touch()
        spool = SealedSpool(tmp_path / "file/spool", KeyPair(documents), quiet)
        await spool.prepare()

        assert "file: File exists" in (await spool.put(ENTRY)).message

    async def test_one_that_hangs_is_waited_for_a_moment_only(self, directory, documents):
        directory.mkdir(parents=True)
        pipe = f".{NAME}.draft"
        os.mkfifo(directory / pipe)
        spool = SealedSpool(directory, KeyPair(documents), quiet, patience=0.05)
        await spool.prepare()

        # Opening a pipe that nobody reads from hangs, as a disk may.
        failed = await spool.put(ENTRY)

        assert "took longer than 0.05 s" in failed.message
        os.close(os.open(directory / pipe, os.O_RDONLY | os.O_NONBLOCK))

    async def test_what_arrives_after_it_was_destroyed_does_not_stay(self, directory, documents):
        directory.mkdir(parents=True)
        pipe = directory / f".{NAME}.draft"
        os.mkfifo(pipe)
        spool = SealedSpool(directory, KeyPair(documents), quiet, patience=0.05)
        await spool.prepare()
        await spool.put(ENTRY)
        assert None is await spool.destroy(BARE)

        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
        for thread in threading.enumerate():
            if thread.name == "spool":
                await asyncio.to_thread(thread.join, 5)

        assert not (directory / NAME).exists()

    async def test_threads_that_hang_are_few(self, directory, documents):
        directory.mkdir(parents=True)
        spool = SealedSpool(directory, KeyPair(documents), quiet, patience=0.01)
        await spool.prepare()
        entries = [Spooled("ci", f"{at:016x}", 1, Secret(RAW)) for at in range(40)]
        pipes = [directory / f".ci~{entry.rotation}~1.sealed.draft" for entry in entries]
        for pipe in pipes:
            os.mkfifo(pipe)

        failed = await asyncio.gather(*(spool.put(entry) for entry in entries))

        assert [True] * 40 == ["took longer" in one.message for one in failed]
        hanging = [thread for thread in threading.enumerate() if thread.name == "spool"]
        assert 0 < len(hanging) <= 16
        for pipe in pipes:
            os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))

    async def test_a_directory_that_cannot_be_read_is_told_of_and_holds_nothing(
        self, tmp_path, documents, events, emit
    ):
        (tmp_path / "file").touch()
        spool = SealedSpool(tmp_path / "file", KeyPair(documents), emit)

        assert () == await spool.find("ci")
        assert [Event.SPOOL_FAILED] == [event for event, _ in events]

    async def test_a_fault_in_sealing_is_an_answer_without_the_key(self, directory, documents):
        class Broken(KeyPair):
            ready = True

            def seal(self, text):
                raise ValueError(text)

            async def prepare(self):
                raise ValueError("of the library")

        spool = SealedSpool(directory, Broken(documents), quiet)

        assert "ValueError in the spool" == (await spool.put(ENTRY)).message
        assert "ValueError in the spool" == (await spool.prepare()).message


class TestWhatIsSeenBefore:
    async def test_a_spool_that_will_work_has_no_obstacle_and_looking_makes_nothing(
        self, directory, documents
    ):
        spool = SealedSpool(directory, KeyPair(documents), quiet)

        assert () == await spool.obstacles()
        assert (False, {}) == (directory.parent.exists(), documents.shelf)
        assert [False, False] == [place.read_only for place in await spool.places()]
        await spool.prepare()
        assert () == await spool.obstacles()
        names = {place.at for place in await spool.places() if place.read_only}
        assert {"_spool_public", "_spool_private"} == names == set(documents.shelf)

    async def test_a_directory_that_cannot_be_made_and_a_key_that_is_none_are_both_told(
        self, spool, directory, documents
    ):
        directory.parent.write_text("a file", encoding="utf-8")
        documents.shelf["_spool_public"] = (1, {"key": "nonsense"})

        where, key = await spool.obstacles()

        assert "Not a directory" in where.message
        assert "_spool_public, beside the journals, is no key of the spool" == key.message

    async def test_rights_are_asked_for_by_name_and_not_told_twice(self, spool, documents):
        documents.fault = NotPermitted("no")
        assert () == await spool.obstacles()
        documents.fault = Unavailable("down")
        assert (documents.fault,) == await spool.obstacles()

"""Whatever lies in the spool's directory: no wrong key, no lost key, and no word of either."""

import asyncio
import itertools
import json
import os
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st
from nacl.public import PrivateKey, SealedBox
from test_adapter_spool import MAGIC, Documents

from rotator.adapters.spool import SealedSpool
from rotator.adapters.spool_keys import KeyPair
from rotator.errors import RotatorError
from rotator.model import Spooled
from rotator.secrets import Secret

CANARY = "CANARY"
GENUINE = Spooled("ci", "0123456789abcdef", 1, Secret(f"ak-{CANARY}-genuine-abcdefghijklmnop"))
#: What an entry may be of, so that one is often taken for another: it is in the way of the genuine
#: one, beside it, or of another policy, whose name may be the beginning of ours.
POLICIES = ("ci", "c", "ci-2", "ci~0")
ROTATIONS = ("0123456789abcdef", "fedcba9876543210")
#: Larger than anything of ours, in bytes.
HUGE = 65_537


@dataclass(frozen=True)
class Thing:
    """Something in the directory.

    ``entry``: what it is to be found as, with its key if it is to be opened; None: as nothing.
    """

    name: bytes
    content: bytes
    entry: Spooled | None = None
    kind: str = "file"


def bare(entry):
    return replace(entry, secret=None)


def file_of(entry):
    return f"{entry.policy}~{entry.rotation}~{entry.mint}.sealed".encode()


def facts_of(entry):
    return {"policy": entry.policy, "rotation": entry.rotation, "mint": entry.mint}


def paired():
    """A pair that exists already, and the documents in which it lies."""
    documents = Documents()
    pair = KeyPair(documents)
    asyncio.run(pair.prepare())
    return pair, documents


PAIR, DOCUMENTS = paired()
STRANGER = SealedBox(PrivateKey.generate().public_key)


@cache
def sealed(text):
    """As it may lie on the disk. The same for the same text, so that an example can be repeated."""
    return MAGIC + PAIR.seal(text)


@cache
def sealed_for_another(text):
    return MAGIC + STRANGER.encrypt(text)


def whole(entry, key=None):
    """The file of ``entry``, as any rotator with our public half writes it."""
    facts = {**facts_of(entry), "key": entry.secret.reveal() if key is None else key}
    return sealed(json.dumps(facts).encode())


# --- what there may be ---

entries = st.builds(
    Spooled,
    st.sampled_from(POLICIES[:3]),
    st.sampled_from(ROTATIONS),
    st.integers(1, 3),
    st.text(st.characters(codec="utf-8"), max_size=9).map(lambda text: Secret(f"{CANARY}{text}")),
).filter(lambda entry: bare(entry) != bare(GENUINE))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner)
)
#: Nearly names of ours.
almost = st.sampled_from(
    [
        b"%s.bak",
        b"%s.draft.draft",
        b"..%s",
        b"..%s.draft",
        b"x %s",
        b"%s\n",
        b"\xff%s",
        b"~%s",
        "ä%s".encode(),
    ]
)
odd_names = st.binary(min_size=1, max_size=60).filter(
    lambda name: not {0, ord("/")}.intersection(name) and name not in {b".", b".."}
)


@st.composite
def damaged(draw, data):
    """A whole file, and yet not: cut, with a bit turned round, or with something behind it."""
    how = draw(st.sampled_from(["cut", "turned", "longer"]))
    if how == "cut":
        return data[: draw(st.integers(0, len(data) - 1))]
    if how == "longer":
        return data + draw(st.binary(min_size=1, max_size=99) | st.just(data))
    at, bit = draw(st.integers(0, len(data) - 1)), draw(st.integers(0, 7))
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


@st.composite
def shapes(draw, entry):
    """What somebody sealed for us that tells no key of ``entry``: a text, other than UTF-8 even."""
    facts = facts_of(entry)
    wrong = st.one_of(
        st.binary(max_size=99),
        st.sampled_from([b"[" * 50_000, b'{"key":' * 9_000, b"9" * 5_000]),
        anything.map(json.dumps).map(str.encode),
        # All that it has to tell, but for one thing.
        st.sampled_from(sorted(facts))
        .map(lambda name: {**facts, name: None, "key": f"ak-{CANARY}"})
        .map(json.dumps)
        .map(str.encode),
        (anything.filter(lambda key: not isinstance(key, str)) | st.just(""))
        .map(lambda key: json.dumps({**facts, "key": key}))
        .map(str.encode),
    )
    return sealed(draw(wrong))


@st.composite
def foreign(draw, entry):
    """A file of which nothing can be opened, under the name of ``entry``."""
    other = draw(entries.filter(lambda one: bare(one) != bare(entry)))
    contents = st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(MAGIC.__add__),
        damaged(whole(entry)),
        shapes(entry),
        st.just(whole(other)),
        st.just(sealed_for_another(whole(entry))),
        st.just(MAGIC + bytes(HUGE)),
        # It could be opened, if anybody tried: nothing of ours is that large.
        st.just(whole(entry, "x" * HUGE)),
    )
    return draw(contents)


def as_found(entry, content):
    """What is found of the name of ``entry`` with a content of which no key can be had."""
    ours = content.startswith(MAGIC) and len(content) < HUGE
    return bare(entry) if ours else None


@st.composite
def things(draw):
    entry = draw(entries)
    name = file_of(entry)
    kinds = ["whole", "foreign", "foreign", "almost", "odd", "link", "pipe"]
    match draw(st.sampled_from(kinds)):
        case "whole":
            return Thing(name, whole(entry), entry)
        case "foreign":
            content = draw(foreign(entry))
            return Thing(name, content, as_found(entry, content))
        case "almost":
            kind = draw(st.sampled_from(["file", "link", "pipe", "directory"]))
            return Thing(draw(almost) % name, whole(entry), kind=kind)
        case "odd":
            kind = draw(st.sampled_from(["file", "link", "pipe", "directory"]))
            return Thing(draw(odd_names), whole(entry), kind=kind)
        case kind:
            return Thing(name, whole(entry), kind=kind)


#: Not two of a name. What a crash left of one is a matter of its own, see below.
crowds = st.lists(things(), max_size=8, unique_by=lambda thing: thing.name)


# --- who looks at it ---


def lay(directory, thing):
    path = directory / os.fsdecode(thing.name)
    match thing.kind:
        case "file":
            path.write_bytes(thing.content)
        case "link":
            theirs = directory.parent / f"theirs-{thing.name.hex()[:99]}"
            theirs.write_bytes(thing.content)
            path.symlink_to(theirs)
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()


class Scene:
    """A directory full of ``crowd``, and a process that begins there."""

    def __init__(self, folder, crowd, documents=DOCUMENTS):
        self.directory = Path(folder, "spool")
        self.directory.mkdir()
        for thing in crowd:
            lay(self.directory, thing)
        self.events = []
        # Of a machine that is busy for half a second nothing is learned here.
        self.spool = SealedSpool(self.directory, KeyPair(documents), self._emit, patience=60)

    def _emit(self, event, **fields):
        self.events.append((event, fields))

    async def opened(self):
        """All that is found, of whichever policy, opened."""
        found = [one for policy in POLICIES for one in await self.spool.find(policy)]
        return [await self.spool.opened(one) for one in found]

    def names(self):
        return {os.fsencode(path.name) for path in self.directory.iterdir()}


def played(crowd, story, **options):
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(folder, crowd, **options)
        answer = asyncio.run(story(scene))
        shown = repr(scene.events)
    assert CANARY not in shown, "nothing of a key is in any message"
    assert {"permanent"} >= {fields["error_code"] for _, fields in scene.events}
    return answer


def plain(found):
    """Comparable, and in an order of its own: a secret tells nothing else."""
    return sorted(
        (one.policy, one.rotation, one.mint, one.secret and one.secret.reveal()) for one in found
    )


@given(crowds)
def test_what_is_whole_is_found_and_opened_whatever_lies_beside_it_and_nothing_else_is_a_key(crowd):
    crowd = [*crowd, Thing(file_of(GENUINE), whole(GENUINE), GENUINE)]

    found = played(crowd, Scene.opened)

    assert plain(one.entry for one in crowd if one.entry) == plain(found)


@given(crowds)
def test_what_is_ours_can_be_destroyed_and_all_else_is_left_as_it_was(crowd):
    async def story(scene):
        # By their names, as by a journal: also those that are not found.
        for named in itertools.product(POLICIES[:3], ROTATIONS, range(1, 4)):
            assert None is await scene.spool.destroy(Spooled(*named))
        return scene.names(), [path.read_bytes() for path in scene.directory.parent.glob("theirs*")]

    left, linked = played(crowd, story)

    assert {one.name for one in crowd if not one.entry} == left
    assert sorted(one.content for one in crowd if one.kind == "link") == sorted(linked)


@given(crowds, st.data())
def test_a_key_that_is_put_where_something_lies_is_the_one_that_is_opened(crowd, data):
    content = data.draw(foreign(GENUINE))
    kind = data.draw(st.sampled_from(["file", "link", "pipe"]))
    in_the_way = Thing(file_of(GENUINE), content, as_found(GENUINE, content), kind)
    left = Thing(b".%s.draft" % file_of(GENUINE), data.draw(foreign(GENUINE)))

    async def story(scene):
        assert None is await scene.spool.prepare()
        assert None is await scene.spool.put(GENUINE)
        return await scene.opened()

    found = played([*crowd, in_the_way, left], story)

    assert plain([GENUINE, *(one.entry for one in crowd if one.entry)]) == plain(found)


@given(crowds, st.data())
def test_what_a_crash_left_half_done_gives_no_key_and_hides_none(crowd, data):
    """A draft opens nothing, not even a whole one: what was not renamed may not be on the disk."""
    begun = st.integers(0, len(MAGIC) + 9).map(lambda length: whole(GENUINE)[:length])
    draft = data.draw(st.just(whole(GENUINE)) | begun | foreign(GENUINE))
    crowd = [*crowd, Thing(b".%s.draft" % file_of(GENUINE), draft)]
    ours = MAGIC.startswith(draft) or as_found(GENUINE, draft)

    found = played(crowd, Scene.opened)

    expected = [one.entry for one in crowd if one.entry]
    assert plain([*expected, bare(GENUINE)] if ours else expected) == plain(found)


@given(shapes(GENUINE))
def test_what_somebody_sealed_that_tells_no_key_is_none(content):
    """Anybody can, who has the public half."""
    assert [bare(GENUINE)] == played([Thing(file_of(GENUINE), content)], Scene.opened)


@example("ak-\ud800")
@given(text=st.text(st.characters(exclude_categories=()), min_size=1, max_size=200))
def test_whatever_text_a_key_is_it_comes_back_as_it_was(text):
    """The provider chooses it. Half a surrogate pair is text as well."""
    found = played([Thing(file_of(GENUINE), whole(GENUINE, text))], Scene.opened)

    assert [("ci", GENUINE.rotation, 1, text)] == plain(found)


@given(
    policy=st.text(max_size=20) | st.sampled_from([*POLICIES, "../ci", ".ci", "CI"]),
    rotation=st.text(max_size=40) | st.sampled_from(ROTATIONS),
    mint=st.integers(),
)
def test_an_identifier_from_a_damaged_journal_leads_to_no_other_file(policy, rotation, mint):
    entry = Spooled(policy, rotation, mint, GENUINE.secret)

    async def story(scene):
        await scene.spool.prepare()
        before = scene.names()
        failed = await scene.spool.put(entry)
        added = scene.names() - before
        around = list(scene.directory.parent.iterdir())
        gone = await scene.spool.destroy(entry)
        return failed, added, gone, around, scene.names() == before

    failed, added, gone, around, same = played([], story)

    assert {file_of(entry)} == added if failed is None else set() == added
    assert (failed is None) == (gone is None)
    for error in filter(None, (failed, gone)):
        assert isinstance(error, RotatorError)
        assert CANARY not in str(error)
    assert ["spool"] == [path.name for path in around], "nothing outside of it"
    assert same


@pytest.mark.parametrize("half", ["_spool_public", "_spool_private"])
@given(document=st.dictionaries(st.sampled_from(["version", "key"]) | st.text(), anything))
def test_what_lies_in_the_place_of_a_half_opens_nothing_and_is_told_without_its_words(
    half, document
):
    documents = Documents()
    documents.shelf = {**DOCUMENTS.shelf, half: (7, document | {"theirs": f"ak-{CANARY}"})}
    genuine = Thing(file_of(GENUINE), whole(GENUINE))

    async def story(scene):
        failed = await scene.spool.prepare()
        return failed, await scene.opened(), await scene.spool.put(GENUINE)

    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(folder, [genuine], documents)
        failed, found, unspooled = asyncio.run(story(scene))

    assert [bare(GENUINE) if half == "_spool_private" else GENUINE] == found
    assert (half == "_spool_public") == isinstance(failed, RotatorError)
    assert None is unspooled, "a help, never a hindrance"
    assert CANARY not in f"{failed} {scene.events}"
    assert {"unreadable"} >= {fields["error_code"] for _, fields in scene.events}

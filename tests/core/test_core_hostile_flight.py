"""A damaged document or listing meets a rotation in flight: nothing is begun, and nothing lost."""

import itertools
import json
from dataclasses import dataclass, replace
from functools import cache

import adapter_arize_stage
import httpx
import sim_loop
from hypothesis import assume, given, strategies as st
from sim_invariants import MOST_MINTS
from sim_network import Fault
from sim_stage import Stage
from test_core_hostile import odd, places

from rotator.adapters import documents
from rotator.errors import Unreadable
from rotator.journal import VERSION, decode, encode
from rotator.sandbox.arize_listing import page
from rotator.sandbox.arize_model import Query
from rotator.sandbox.arize_wire import write_page

#: How a process may have died: what it asked for last, and what had become of that. One that died
#: before the write has minted a key that nobody has; a refresh lets the grace of the old one run.
DEATHS = {
    "before the mint": ("mint", Fault.KILLED_BEFORE),
    "before the answer": ("mint", Fault.KILLED_AFTER),
    "before the write": ("write", Fault.KILLED_BEFORE),
    "before the record": ("write", Fault.KILLED_AFTER),
}
#: Mints of one rotation before it pauses, that of the process which died among them.
MOST = 5
#: Seconds from one look to the next while something is damaged: less than the grace, in all.
LOOKS = (0, 290, 900)
#: What makes of a rotation more than a look.
ACTS = ("create", "refresh", "revoke", "write", "save", "destroy")


@dataclass
class Damage:
    """What is put in the place of what is there; None where there is nothing wrong.

    In the store it lies at a version, and is gone when somebody has written over it.
    """

    journal: bytes | None = None
    secret: bytes | None = None
    listing: object = None
    journal_at: int = 0
    secret_at: int = 0


def parsed(text, place):
    """As the store in a directory does."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unreadable(f"{place} is damaged")
    return document


class DamagedStore:
    def __init__(self, store, damage):
        self._store, self._damage = store, damage

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def load(self, policy):
        journal, version = await self._store.load(policy)
        if self._damage.journal is None or version != self._damage.journal_at:
            return journal, version
        return decode(parsed(self._damage.journal, policy), place=policy), version

    async def read(self, target):
        held = await self._store.read(target)
        if self._damage.secret is None or held.version != self._damage.secret_at:
            return held
        return documents.held(target, parsed(self._damage.secret, target), held.version)


class DamagedIssuer:
    def __init__(self, issuer, arize, damage):
        self._issuer, self._arize, self._damage = issuer, arize, damage

    def __getattr__(self, name):
        return getattr(self._issuer, name)

    async def keys(self, scope):
        listing = await self._issuer.keys(scope)
        if self._damage.listing is None:
            return listing
        answer = httpx.Response(200, content=self._damage.listing(listed(self._arize)))
        # Read by the adapter itself, which tells what can be trusted.
        hostile = adapter_arize_stage.Stage(lambda _: answer)
        return replace(await hostile.issuer.keys(scope), taken_at=listing.taken_at)


def listed(arize):
    """The listing as it is on the wire."""
    caller, query = arize.authenticate(arize.management_key), Query(limit=100)
    keys = [key for key in arize.keys if not key.shadow]
    return write_page(page(keys, caller, query, alive_at=arize.clock()), query, "C")


class Flight:
    """A rotation whose process has died, and what is damaged from then on."""

    def __init__(self, death, *, bounded, disks, lied_to=False):
        self.stage = Stage(disks=disks)
        self.damage = Damage()
        self.stage.universe.around = self._around
        self.stage.add(bounded=bounded)
        if lied_to:
            # What a document tells that was made up, the judge takes for what has happened.
            self.stage.shelf.journals = {}
            # And a rotation that looks for a key of another name never sees its own.
            self.stage.universe.judge.assert_converged = lambda: None
        self.stage.script = [DEATHS[death]]
        self.processes = []

    def _around(self, world):
        store = DamagedStore(world.store, self.damage)
        issuer = DamagedIssuer(world.issuer, self.stage.arize, self.damage)
        return replace(world, store=store, issuer=issuer)

    async def begin(self):
        process = self.stage.begin()
        await process.ended()
        assert process.actor.dead
        # The lease runs out.
        await self.stage.pause(40)
        self.begun = len(self.stage.trace)

    @property
    def journal(self):
        """The document, as a store has it."""
        return encode(self.stage.journal())

    @property
    def secret(self):
        return self.stage.shelf.read("apps/ci/0")[1]

    def harm(self, *, journal=None, secret=None, listing=None):
        self.damage.journal, self.damage.secret, self.damage.listing = journal, secret, listing
        self.damage.journal_at = self.stage.shelf.journals["ci"][0]
        self.damage.secret_at = self.stage.shelf.read("apps/ci/0")[0]

    async def looked_at(self):
        """Some processes come by, one after the other; how many mints each of them asked for."""
        counts = []
        for pause in LOOKS:
            await self.stage.pause(pause)
            before, process = self.mints(), self.stage.begin()
            await process.ended()
            self.processes.append(process)
            counts.append(self.mints() - before)
        return counts

    @staticmethod
    def codes(processes):
        """How their looks failed, one set for each of those who came by."""
        told = [[fields for *_, fields in one.actor.events] for one in processes]
        return [{fields["error_code"] for fields in one if "error_code" in fields} for one in told]

    def acts(self):
        """What was asked for since the death that was more than a look."""
        return [
            label for _, _, label, _ in self.stage.trace[self.begun :] if label.startswith(ACTS)
        ]

    def mints(self):
        return sum(label.startswith(("create", "refresh")) for label in self.stage.requests())

    def most_in_an_hour(self):
        """Mints of any hour, be it of the many that follow."""
        trace = self.stage.trace
        times = [at for at, _, label, _ in trace if label.startswith(("create", "refresh"))]
        return max(sum(since <= at < since + 3600 for at in times) for since in times)

    async def mended(self):
        """The damage is gone; all that is due happens."""
        self.harm()
        await self.stage.universe.rest()

    def alive(self):
        """The raw keys that the provider accepts, whatever their names, but for our own."""
        own, arize = self.stage.arize.management_key_id, self.stage.arize
        return [key.raw for key in arize.keys if key.id != own and arize.accepts(key.raw)]

    def assert_untouched(self, codes):
        """So far nobody has done more than look, and say that it cannot go on."""
        assert [] == self.acts()
        assert [True] * len(LOOKS) == [
            bool(one) and one <= codes for one in self.codes(self.processes)
        ]

    def assert_harmless(self):
        """No fault of ours, nothing shown, and what the store holds works and always has."""
        judge = self.stage.universe.judge
        judge._assert_no_fault_of_ours()
        judge._assert_nothing_shown()
        assert [] == judge.violations
        assert self.stage.held() in self.alive()

    def assert_converged(self):
        """Everything has come to rest, and no key is left behind."""
        self.stage.universe.assert_at_rest()
        assert [self.stage.held()] == self.alive()


def flown(story, options, **more):
    """A flight, begun and handed to ``story``."""

    async def whole():
        flight = Flight(**options, **more)
        await flight.begin()
        return await story(flight)

    return sim_loop.run(whole())


@cache
def undamaged(death, bounded, disks):
    """How many mints it takes if nothing is damaged."""

    async def story(flight):
        await flight.mended()
        flight.assert_converged()
        return flight.mints()

    return flown(story, {"death": death, "bounded": bounded, "disks": disks})


def stays_as_it_was(options, harm, codes):
    """Whatever ``harm`` finds to do, nobody acts on it, and afterwards it is as if it never was."""

    async def story(flight):
        flight.harm(**harm(flight))
        await flight.looked_at()
        flight.assert_untouched(codes)
        await flight.mended()
        flight.assert_harmless()
        flight.assert_converged()
        return flight.mints()

    assert undamaged(**options) == flown(story, options)


def changed(document, where, value):
    document = json.loads(json.dumps(document))
    inner = document
    try:
        for part in where[:-1]:
            inner = inner[part]
        inner[where[-1]] = value
    except (LookupError, TypeError):
        # Of a listing: it may have become another since.
        pass
    return document


def somewhere(document, at):
    """The place of one thing in ``document``."""
    found = sorted(places(document), key=str)
    return found[at % len(found)]


def is_journal(text):
    try:
        decode(parsed(text, "it"), place="it")
    except Unreadable:
        return False
    return True


options = st.fixed_dictionaries(
    {"death": st.sampled_from(sorted(DEATHS)), "bounded": st.booleans(), "disks": st.integers(0, 1)}
)
anywhere = st.integers(0, 999)
#: A part of a text that is not all of it.
parts = st.floats(0, 1, exclude_max=True)
foreign = st.sampled_from([b"", b"\xff", b"null", b"[]", b"{}", b'{"api_key": "x"}', b"[" * 50_000])


@given(options, parts)
def test_a_journal_that_was_cut_off_stops_the_rotation_and_costs_no_key(options, part):
    def cut(flight):
        text = json.dumps(flight.journal)
        return {"journal": text[: int(part * len(text))].encode()}

    stays_as_it_was(options, cut, {"unreadable"})


@given(options, foreign | st.integers(VERSION + 1, 99))
def test_a_journal_of_somebody_else_or_of_the_future_is_not_written_over(options, other):
    def replaced(flight):
        newer = {**flight.journal, "version": other}
        return {"journal": json.dumps(newer).encode() if isinstance(other, int) else other}

    stays_as_it_was(options, replaced, {"unreadable"})


@given(options, anywhere, odd)
def test_a_journal_with_something_odd_in_it_that_cannot_be_meant_stops_the_rotation(
    options, at, value
):
    def damaged(flight):
        journal = flight.journal
        text = json.dumps(changed(journal, somewhere(journal, at), value)).encode()
        assume(not is_journal(text))
        return {"journal": text}

    stays_as_it_was(options, damaged, {"unreadable"})


#: What can be read in one place or another: a text, a moment, a length, a way to mint, none at all.
LIES = (
    *(None, "", "x", "\x00", [], {}),
    *("2000-01-01T00:00:00Z", "2026-11-23T00:30:00Z", "9999-12-31T23:59:59Z"),
    *("P2D", "P30D", "P99999D", "refresh", "reissue"),
)


def lies(journal):
    """All that ``journal`` becomes by one odd thing and can still be read.

    But not a life too short for anybody to come by before its end: nobody could know better.
    """
    pairs = itertools.product(places(journal), LIES)
    texts = (json.dumps(changed(journal, where, value)).encode() for where, value in pairs)
    return [text for text in texts if is_journal(text)]


@given(options, anywhere)
def test_a_journal_that_lies_leads_to_no_crash_and_no_end_of_what_the_store_holds(options, at):
    """It can be read, and tells of another rotation than there is, or of none.

    Then a key may stay behind that no document tells of, and another one be minted.
    """

    async def story(flight):
        told = lies(flight.journal)
        flight.harm(journal=told[at % len(told)])
        counts = await flight.looked_at()
        flight.assert_harmless()
        await flight.mended()
        flight.assert_harmless()
        assert sum(counts) < MOST
        assert flight.most_in_an_hour() <= MOST_MINTS
        told = set().union(*flight.codes(flight.stage.universe.processes))
        assert flight.mints() <= MOST or "too_many_mints" in told

    flown(story, options, lied_to=True)


@given(options, foreign | st.sampled_from([None, True, 7, [], {}]))
def test_a_secret_that_cannot_hold_a_key_is_not_written_over(options, other):
    def replaced(flight):
        text = (
            other if isinstance(other, bytes) else json.dumps({**flight.secret, "api_key": other})
        )
        return {"secret": text.encode() if isinstance(text, str) else text}

    assume(other not in {b"{}", b'{"api_key": "x"}'} if isinstance(other, bytes) else True)
    stays_as_it_was(options, replaced, {"rejected", "unreadable"})


@given(options, st.text())
def test_a_secret_with_another_text_in_the_place_of_the_key_is_given_the_new_one(options, text):
    """What was delivered, and is on no disk any more, is lost: one more is minted."""

    async def story(flight):
        flight.harm(secret=json.dumps({**flight.secret, "api_key": text}).encode())
        await flight.looked_at()
        await flight.mended()
        flight.assert_harmless()
        flight.assert_converged()
        return flight.mints()

    lost = options["death"] == "before the record" and not options["disks"]
    assert undamaged(**options) + lost == flown(story, options)


#: Listings that cannot be trusted, made of one that can.
untrusted = st.one_of(
    parts.map(lambda part: lambda text, _: text[: int(part * len(text))]),
    foreign.map(lambda other: lambda *_: other),
    st.sampled_from(["", "x", "\x00", "0001-13-01", 7, True, [], {}]).map(
        lambda value: (
            lambda _, listing: json.dumps(
                changed(listing, ("api_keys", 0, "expires_at"), value)
            ).encode()
        )
    ),
    st.sampled_from(
        [{"has_more": True}, {"next_cursor": "x"}, {"has_more": True, "cursor": 7}]
    ).map(
        lambda pagination: (
            lambda _, listing: json.dumps({**listing, "pagination": pagination}).encode()
        )
    ),
)


@given(options, untrusted)
def test_a_listing_that_cannot_be_trusted_stops_the_rotation_and_costs_no_key(options, spoilt):
    def listing(real):
        return spoilt(json.dumps(real).encode(), real)

    unready = {"temporary", "unavailable", "out_of_patience"}
    stays_as_it_was(options, lambda _: {"listing": listing}, unready)


@given(options, anywhere, odd)
def test_a_listing_that_lies_leads_to_no_crash_and_leaves_no_key_behind(options, at, value):
    """While it lasts a key may be hidden, and be taken for lost; the rotation remembers it."""

    async def story(flight):
        where = somewhere(listed(flight.stage.arize), at)
        # A copy is named as its source is said to be, and lives as long as that is said to have.
        assume(where[-1] not in {"name", "created_at"})
        flight.harm(listing=lambda real: json.dumps(changed(real, where, value)).encode())
        await flight.looked_at()
        flight.assert_harmless()
        await flight.mended()
        flight.assert_harmless()
        flight.assert_converged()
        return flight.mints()

    assert undamaged(**options) <= flown(story, options) <= undamaged(**options) + 2

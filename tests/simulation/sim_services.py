"""The ports of the reconcile, over an account and a store that live in memory."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from sim_network import Fault, TimedOut

from rotator.adapters import documents
from rotator.errors import Ambiguous, NotFound, NotPermitted, Rejected, Unauthenticated
from rotator.events import declared
from rotator.journal import Journal
from rotator.keys import Bindings, Key, KeyStatus, KeyType, Listing, Minted
from rotator.pacing import Opening
from rotator.ports import Conflict
from rotator.sandbox.arize_listing import page
from rotator.sandbox.arize_model import NewKey, Query, Refused
from rotator.secrets import Redacted, Secret

EPOCH = datetime(2026, 11, 23, tzinfo=UTC)
_REFUSALS = {401: Unauthenticated, 403: NotPermitted, 404: NotFound}


#: Seconds for which a replica of the provider may lag behind.
_YOUNG = 300
_NOW = [0.0, EPOCH]


def now():
    elapsed = asyncio.get_running_loop().elapsed
    if elapsed != _NOW[0]:
        _NOW[:] = elapsed, EPOCH + timedelta(seconds=elapsed)
    return _NOW[1]


class SimClock:
    """One process's clock: off by no more than the adapter's correction leaves."""

    def __init__(self, actor):
        self._actor = actor

    def now(self):
        return now() + self._actor.skew + self._actor.jump

    def monotonic(self):
        return asyncio.get_running_loop().elapsed

    async def sleep(self, delay):
        await self._actor.sleep(delay.total_seconds())

    @property
    def astray(self):
        """Nobody knows before the provider's first answer."""
        return -self._actor.jump if self._actor.steady and self._actor.jump else None


class SimIssuer:
    """The provider as one process sees it."""

    def __init__(self, actor, network, arize, credential, revoking):
        self._actor, self._network, self._arize = actor, network, arize
        self._revoking = revoking
        self._source = credential
        self._current = credential()

    async def keys(self, scope):
        def work(fault):
            caller = self._caller()
            query = Query(type=scope.type, space_id=scope.space_id, limit=10_000)
            alive_at = self._arize.clock()
            found = page(
                [key for key in self._arize.keys if not key.shadow],
                caller,
                query,
                alive_at=alive_at,
            )
            era, wide = self._arize.options.era, not scope.space_id
            keys = [self._listed(key, era, wide) for key in found.keys]
            if fault is Fault.STALE:
                horizon = now() - timedelta(seconds=15)
                keys = [key for key in keys if not (key.created_at and key.created_at > horizon)]
            if fault is Fault.UNKNOWN_ENUM:
                keys = [replace(key, status=KeyStatus.UNKNOWN) for key in keys]
            return Listing(tuple(keys), now())

        return await self._ask("list", "list", work)

    async def admit(self):
        seconds = self._network.queue()
        if seconds:
            await self._actor.sleep(seconds)
        return bool(seconds)

    async def create(self, order):
        def work(fault):
            new = NewKey(
                order.name, order.type, order.description, order.expires_at, order.bindings
            )
            return self._minted(self._arize.create(self._caller(), new), fault)

        return await self._mint("create", work)

    async def refresh(self, key_id, *, expires_at, grace):
        def work(fault):
            key = self._arize.refresh(self._caller(), key_id, expires_at=expires_at, grace=grace)
            return self._minted(key, fault)

        return await self._mint(f"refresh {key_id}", work)

    async def revoke(self, key_id):
        seen = dict(self._actor.seen)

        def work(_):
            self._revoking(key_id, seen)
            try:
                self._arize.revoke(self._caller(), key_id)
            except Refused as refused:
                if refused.status != 404:
                    raise
                return False
            return True

        return await self._ask("revoke", f"revoke {key_id}", work)

    async def accepts(self, secret):
        def work(fault):
            young, born_at = self._network.spreads, self._network.births.get(secret)
            if fault is Fault.STALE:
                young = _YOUNG
            if young and born_at and now() - born_at < timedelta(seconds=young):
                self._network.troubled()
                return False
            return self._arize.accepts(secret.reveal())

        accepted = await self._ask("try", "try", work)
        if accepted:
            self._actor.proved.add(secret.reveal())
        return accepted

    def is_own(self, redacted_key):
        return _parsed(redacted_key).matches(self._current)

    async def depends_on(self, redacted_key):
        found, shown = self._source(), _parsed(redacted_key)
        if not shown.matches(found) and self.is_own(redacted_key):
            self._current = found
        return shown.matches(found)

    def adopt(self, secret):
        self._current = secret

    async def _mint(self, label, work):
        try:
            minted = await self._ask("mint", label, work)
        except TimedOut as error:
            raise Ambiguous("nobody knows") from error
        self._actor.minted.append(minted.secret.reveal())
        return minted

    async def _ask(self, kind, label, work):
        try:
            return await self._network.request(self._actor, kind, label, work)
        except Refused as refused:
            raise _REFUSALS.get(refused.status, Rejected)(str(refused)) from None

    def _listed(self, stored, era, wide):
        """As :func:`as_listed`, made once for as long as nothing changes about the key."""
        seen = (stored.id, stored.expires_at, stored.last_used_at, stored.created_at, wide)
        known = self._network.listed.get(stored.raw)
        if known is None or known[0] != seen:
            known = seen, as_listed(stored, era, shown=wide)
            if stored.raw in self._network.undated:
                known = seen, replace(known[1], created_at=None)
            self._network.listed[stored.raw] = known
        return known[1]

    def _caller(self):
        try:
            return self._arize.authenticate(self._current.reveal())
        except Refused:
            self._current = self._source()
            return self._arize.authenticate(self._current.reveal())

    def _minted(self, key, fault):
        secret = Secret(key.raw)
        self._network.births[secret] = now()
        if fault is Fault.TRUNCATED:
            return Minted(secret, None)
        answer = as_listed(key, self._arize.options.era)
        if fault is Fault.UNKNOWN_ENUM:
            answer = replace(answer, type=KeyType.UNKNOWN, status=KeyStatus.UNKNOWN)
        return Minted(secret, answer)


_parsed = lru_cache(1000)(Redacted.parse)


def as_listed(stored, era, *, shown=True):
    told = shown and era == "C" and isinstance(stored.bindings, Bindings)
    return Key(
        id=stored.id,
        name=stored.name,
        redacted=_parsed(stored.redacted),
        description=stored.description,
        type=stored.type,
        created_at=stored.created_at,
        expires_at=stored.expires_at,
        created_by=stored.creator.id,
        last_used_at=stored.last_used_at,
        bindings=stored.bindings if told else None,
    )


@dataclass(frozen=True)
class Every:
    """A window that opens every ``period``, also at ``first``, for ``length``."""

    period: timedelta
    length: timedelta
    first: datetime = EPOCH

    def opening(self, moment):
        count = (moment - self.length - self.first) // self.period + 1
        opens = self.first + count * self.period
        return Opening(opens, opens + self.length)


@dataclass
class Shelf:
    """What the store holds, with every version ever written."""

    secrets: dict = field(default_factory=dict)
    journals: dict = field(default_factory=dict)
    written: list = field(default_factory=list)
    #: By path, the documents before the present one, the latest first.
    earlier: dict = field(default_factory=dict)
    #: By policy, when somebody looked, and who.
    looks: dict = field(default_factory=dict)

    def read(self, path):
        return self.secrets.get(path, (0, {}))

    def value(self, target):
        return self.read(target.path)[1].get(target.field)

    def journal(self, policy):
        return self.journals.get(policy, (0, Journal()))[1]

    def put(self, path, **fields):
        self.replace(path, {**self.read(path)[1], **fields})

    def replace(self, path, new):
        version, document = self.read(path)
        self.earlier.setdefault(path, []).insert(0, document)
        self.secrets[path] = (version + 1, new)


class SimStore:
    """The store as one process sees it."""

    def __init__(self, actor, network, shelf, delivering):
        self._actor, self._network, self._shelf = actor, network, shelf
        self._delivering = delivering

    async def preflight(self, *_, **__):
        await self._ask("preflight", "preflight", lambda _: None)

    async def read(self, target):
        def work(_):
            version, document = self._shelf.read(target.path)
            return documents.held(target, dict(document), version)

        held = await self._ask("read", f"read {target}", work)
        self._actor.seen[target.path] = held.version
        return held

    async def write(self, held, secret, metadata):
        fields = documents.ours(held.target, secret, metadata)
        path, raw = held.target.path, secret.reveal()
        self._delivering(self._actor, held.target, raw)

        def work(fault):
            if fault is Fault.FOREIGN_WRITE:
                self._shelf.put(path, foreign=f"{now()}")
            version, document = self._shelf.read(path)
            if version != held.version:
                if documents.carries(document, fields):
                    return documents.held(held.target, dict(document), version)
                return Conflict()
            merged = documents.merged(held, fields)
            self._shelf.replace(path, merged)
            self._shelf.written.append((str(held.target), raw))
            return documents.held(held.target, dict(merged), version + 1)

        try:
            return await self._ask("write", f"write {held.target}", work)
        except Exception:
            self._actor.failed[path, raw] = asyncio.get_running_loop().elapsed
            raise

    async def former(self, target, fits):
        def work(_):
            documents_before = self._shelf.earlier.get(target.path, ())
            values = (documents.held(target, one, 0).value for one in documents_before)
            return next((value for value in values if value and fits(value)), None)

        return await self._ask("read", f"former {target}", work)

    async def load(self, policy):
        def work(_):
            if not self._actor.jump:
                self._shelf.looks.setdefault(policy, []).append((now(), self._actor))
            version, journal = self._shelf.journals.get(policy, (0, Journal()))
            return journal, version

        return await self._ask("read", f"load {policy}", work)

    async def save(self, policy, journal, version):
        def work(fault):
            found, known = self._shelf.journals.get(policy, (0, Journal()))
            if fault is Fault.FOREIGN_WRITE:
                found += 1
                self._shelf.journals[policy] = (found, known)
            if found != version:
                return found if known == journal else Conflict()
            self._shelf.journals[policy] = (version + 1, journal)
            return version + 1

        return await self._ask("save", f"save {policy}", work)

    async def close(self):
        pass

    async def _ask(self, kind, label, work):
        return await self._network.request(self._actor, kind, label, work)


class SimHook:
    """Somebody who wants to know, and who tells the universe what was heard."""

    kind = "http"
    timeout = timedelta(seconds=30)

    def __init__(self, actor, network, heard):
        self._actor, self._network, self._heard = actor, network, heard

    async def tell(self, news):
        def work(_):
            self._heard(news)

        await self._network.request(self._actor, "hook", f"hook {news.id}", work)


class SimAgenda:
    """The daemon's agenda on the virtual loop."""

    def __init__(self, actor):
        self._actor = actor
        self._handles = {}

    def at(self, name, when, call):
        self._again(name, (when - SimClock(self._actor).now()).total_seconds(), call)

    def every(self, name, period, call):
        def again():
            self._again(name, period.total_seconds(), again)
            call()

        self._again(name, period.total_seconds(), again)

    def stop(self):
        for handle in self._handles.values():
            handle.cancel()

    def _again(self, name, delay, call):
        if name in self._handles:
            self._handles[name].cancel()
        loop = asyncio.get_running_loop()
        self._handles[name] = loop.call_later(max(0.0, delay), self._call, name, call)

    def _call(self, name, call):
        if self._actor.dead:
            return
        late = self._actor.stopped_until - asyncio.get_running_loop().time()
        if late > 0:
            self._again(name, late, call)
            return
        call()


@cache
def _declared(event):
    return frozenset(declared(event))


class Voice:
    """Takes events as strictly as the catalogue has them."""

    def __init__(self, actor, listeners=()):
        self._actor = actor
        self._listeners = listeners

    def __call__(self, event, /, **fields):
        if self._actor.dead:
            return
        level = fields.pop("level", None)
        strangers = fields.keys() - _declared(event)
        if strangers:
            raise AssertionError(f"{event} has no fields {strangers}")
        self._actor.events.append((now(), event, level, fields))
        for listener in self._listeners:
            listener(event, **fields)


def shown(value):
    """All that an event or a journal could show of ``value``."""
    if isinstance(value, Journal):
        return json.dumps(value.model_dump(mode="json"))
    return repr(value)

"""Asks both services what a rotation will need, for all policies at once, and writes nothing.

One listing a scope, capabilities by the hundred, and a bounded number of looks at a time; what is
wrong with one policy, or with one service, hides nothing of the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import readiness
from rotator.commands.common import counting
from rotator.commands.here import around
from rotator.commands.look import shared_keys
from rotator.errors import NotPermitted, RotatorError
from rotator.events import Event
from rotator.journal import Journal
from rotator.keys import Scope
from rotator.model import Snapshot, Target
from rotator.ports import Place
from rotator.wiring import connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rotator.keys import Key
    from rotator.listings import Catalog
    from rotator.model import Policy
    from rotator.readiness import Finding
    from rotator.settings import Settings
    from rotator.wiring import Connected


@dataclass(slots=True)
class Part:
    """A service or a policy, with what was found; not ``looked`` at where that was not possible."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    looked: bool = True

    @property
    def ready(self) -> bool:
        """Nothing stands in the way, as far as can be seen."""
        return self.looked and all(one.note for one in self.findings)


@dataclass(frozen=True, slots=True)
class Preflight:
    """All of it."""

    services: tuple[Part, ...]
    policies: tuple[Part, ...]

    @property
    def ready(self) -> bool:
        """Both services and all policies are."""
        return all(part.ready for part in (*self.services, *self.policies))


async def preflight(settings: Settings) -> Preflight:
    """Look at everything."""
    heard = _Heard()
    async with connected(settings, heard) as services:
        flight = _Flight(settings, services)
        await asyncio.gather(flight.ask_arize(), flight.ask_store())
        with counting("checking", len(settings.policies)) as step:
            await flight.look(step)
        flight.arize.findings += flight.manager()
        await flight.look_at_spool()
    flight.arize.findings += heard.skew()
    flight.store.findings += heard.token(settings.policies)
    spools = (flight.spool,) if settings.spool else ()
    return Preflight((flight.arize, flight.store, *spools), tuple(flight.policies.values()))


class _Heard:
    """Listens for what the adapters find out by the way."""

    def __init__(self) -> None:
        self._skew: object = None
        self._login: dict[str, object] = {}

    def __call__(self, event: Event, /, **fields: object) -> None:
        if event is Event.CLOCK_SKEWED:
            self._skew = fields["skew_seconds"]
        elif event is Event.VAULT_LOGIN:
            self._login = fields

    def skew(self) -> Iterator[Finding]:
        if isinstance(self._skew, int | float) and self._skew:
            yield readiness.of_skew(timedelta(seconds=self._skew))

    def token(self, policies: Sequence[Policy]) -> Iterator[Finding]:
        if self._login.get("method") != "token":
            return  # By any other method, rotator logs in anew.
        renewable = bool(self._login.get("renewable"))
        left = self._login.get("max_ttl_seconds" if renewable else "ttl_seconds")
        if isinstance(left, int | float):
            grace = max(policy.grace for policy in policies)
            if finding := readiness.of_token(timedelta(seconds=left), grace, renewable=renewable):
                yield finding


class _Flight:
    """One preflight, as far as it is."""

    def __init__(self, settings: Settings, services: Connected) -> None:
        self._settings = settings
        self._services = services
        self._began_at = services.world.clock.now()
        self._closed: dict[Scope, RotatorError] = {}
        self._catalogs: dict[Scope, Catalog] = {}
        self.arize = Part(f"Arize at {settings.arize.url}")
        place = settings.vault.address if settings.vault else settings.directory
        self.store = Part(f"the store at {place}")
        self.spool = Part(f"the spool at {settings.spool}")
        self.policies = {policy.name: Part(policy.name) for policy in settings.policies}

    async def ask_arize(self) -> None:
        """List each scope once. What is refused to some policies only is theirs to tell."""
        scopes = {
            Scope(),
            *(one for each in self._settings.policies for one in each.selector.scopes),
        }
        await asyncio.gather(*(self._list(scope) for scope in sorted(scopes, key=str)))
        if not self._catalogs:
            # The same for all, most likely: once is enough.
            self.arize.looked = False
            general = {error.code: error for error in self._closed.values()}
            self.arize.findings += [readiness.of_error(error) for error in general.values()]

    async def _list(self, scope: Scope) -> None:
        try:
            self._catalogs[scope] = await self._services.listings.get(scope, since=self._began_at)
        except RotatorError as error:
            self._closed[scope] = error

    async def ask_store(self) -> None:
        """What is missing at each target, and at each journal."""
        world, policies = self._services.world, self._settings.policies
        parts = self.policies
        places = [(parts[one.name], Place(at)) for one in policies for at in one.targets]
        places += [(parts[one.name], Place(one.name)) for one in policies]
        source = self._settings.arize.api_key.vault
        if source is not None:
            target = Target(source.path, source.field, source.mount)
            places.append((self.arize, Place(target, read_only=True)))
        try:
            places += [(self.spool, one) for one in await world.spool.places()]
            lacks = await world.store.lacking(
                [place for _, place in places], budget=world.limits.retry_budget
            )
        except RotatorError as error:
            self.store.looked = False
            self.store.findings.append(readiness.of_error(error))
            return
        for (part, _), lack in zip(places, lacks, strict=True):
            # A journal and a target of one mount may lack the same.
            if lack is not None and (finding := readiness.of_lack(lack)) not in part.findings:
                part.findings.append(finding)

    async def look_at_spool(self) -> None:
        """See that it takes keys, once Vault is known to answer."""
        self.spool.looked = self.store.looked
        if self.spool.looked:
            found = await self._services.world.spool.obstacles()
            self.spool.findings += [readiness.of_error(error) for error in found]

    async def look(self, step: Callable[[], None]) -> None:
        """Look at every policy, where both services can be asked."""
        slots = asyncio.Semaphore(self._settings.run.concurrency)
        manager, longest = self._manager(), self._longest()

        async def one(policy: Policy) -> None:
            async with slots:
                part = self.policies[policy.name]
                if self.arize.looked and self.store.looked:
                    part.findings += await self._look(policy, manager)
                    part.findings += await around(self._services.world, policy.name)
                else:
                    part.looked = False
                if note := readiness.unproven_lifetime(policy, longest):
                    part.findings.append(note)
            step()

        await asyncio.gather(*(one(policy) for policy in self._settings.policies))

    async def _look(self, policy: Policy, manager: Key | None) -> list[Finding]:
        known = any(not one.note for one in self.policies[policy.name].findings)
        try:
            s = await self._services.reconciler.gatherer.gather(policy, since=self._began_at)
        except NotPermitted as error:
            # What was found by asking for capabilities, in other words.
            findings = [] if known else [readiness.of_error(error)]
            return findings + await self._look_at_key(policy, manager)
        except RotatorError as error:
            return [readiness.of_error(error)]
        return [
            *readiness.of_policy(s, manager),
            *readiness.of_own(s, kept=self._feeds(policy)),
            *await self._shared(s),
        ]

    async def _look_at_key(self, policy: Policy, manager: Key | None) -> list[Finding]:
        """As if the store were new: what Arize alone tells."""
        world = self._services.world
        try:
            keys = await self._services.reconciler.gatherer.keys(
                policy, Journal(), since=self._began_at
            )
        except RotatorError as error:
            return [readiness.of_error(error)]
        now = world.clock.now()
        s = Snapshot(policy, keys, Journal(), 0, (), now, world.me, world.limits)
        return [*readiness.of_policy(s, manager), *await self._shared(s)]

    async def _shared(self, s: Snapshot) -> list[Finding]:
        refusals = await shared_keys(self._services.reconciler.gatherer, s, since=self._began_at)
        return [readiness.of_refusal(one) for one in refusals.values()]

    def _manager(self) -> Key | None:
        """The key that we work with, where it is listed."""
        is_own = self._services.world.issuer.is_own
        keys = (key for catalog in self._catalogs.values() for key in catalog.by_id.values())
        return next((key for key in keys if is_own(str(key.redacted))), None)

    def manager(self) -> Iterator[Finding]:
        """What is to be known of the key that we work with."""
        key = self._manager()
        if key is not None:
            kept = any(self._feeds(policy) for policy in self._settings.policies)
            yield from readiness.of_manager(key, kept=kept)

    def _feeds(self, policy: Policy) -> bool:
        """Whether ``policy`` delivers to where the key that we work with is read from."""
        source = self._settings.arize.api_key.vault
        fields = {(at.path, at.field) for at in policy.targets}
        return source is not None and (source.path, source.field) in fields

    def _longest(self) -> timedelta | None:
        return readiness.longest_given(
            key for catalog in self._catalogs.values() for key in catalog.by_id.values()
        )

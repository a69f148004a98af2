"""The ports with a span around each request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from rotator.journal import Journal
    from rotator.keys import Listing, Minted, Order, Scope
    from rotator.model import Held, Target
    from rotator.notices import News
    from rotator.observe.traces import Traces
    from rotator.ports import Conflict, Hook, KeyIssuer, SecretStore, World
    from rotator.secrets import Secret


def traced(world: World, traces: Traces) -> World:
    """``world``, with its services watched."""
    return replace(
        world,
        issuer=TracedIssuer(world.issuer, traces),
        store=TracedStore(world.store, traces),
        hooks=TracedHooks(world.hooks, traces),
    )


@dataclass(frozen=True, slots=True)
class TracedIssuer:
    """Implements :class:`rotator.ports.KeyIssuer`."""

    issuer: KeyIssuer
    traces: Traces

    async def keys(self, scope: Scope) -> Listing:
        """List keys. Shared by many rotations, so that it is a step of none."""
        return await self.issuer.keys(scope)

    async def admit(self) -> bool:
        """Wait for a turn."""
        return await self.issuer.admit()

    async def create(self, order: Order) -> Minted:
        """Create a key."""
        with self.traces.step("mint"):
            return await self.issuer.create(order)

    async def refresh(
        self, key_id: str, *, expires_at: datetime | None, grace: timedelta
    ) -> Minted:
        """Replace the secret of a key."""
        with self.traces.step("mint"):
            return await self.issuer.refresh(key_id, expires_at=expires_at, grace=grace)

    async def revoke(self, key_id: str) -> None:
        """End a key."""
        with self.traces.step("retire"):
            await self.issuer.revoke(key_id)

    async def accepts(self, secret: Secret) -> bool:
        """Try a key."""
        with self.traces.step("verify"):
            return await self.issuer.accepts(secret)

    def is_own(self, redacted_key: str) -> bool:
        """Whether this is the management key."""
        return self.issuer.is_own(redacted_key)

    def adopt(self, secret: Secret) -> None:
        """Work with this management key."""
        self.issuer.adopt(secret)


@dataclass(frozen=True, slots=True)
class TracedStore:
    """Implements :class:`rotator.ports.SecretStore`."""

    store: SecretStore
    traces: Traces

    async def preflight(self, targets: Sequence[Target], *, budget: timedelta) -> None:
        """Prove that all can be written."""
        with self.traces.step("preflight"):
            await self.store.preflight(targets, budget=budget)

    async def read(self, target: Target) -> Held:
        """Read a target."""
        return await self.store.read(target)

    async def write(
        self, held: Held, secret: Secret, metadata: Mapping[str, str]
    ) -> Held | Conflict:
        """Deliver."""
        with self.traces.step("store"):
            return await self.store.write(held, secret, metadata)

    async def load(self, policy: str) -> tuple[Journal, int]:
        """Read a journal, which is how each look begins."""
        journal, version = await self.store.load(policy)
        self.traces.look(policy, journal.rotation.id if journal.rotation else None)
        return journal, version

    async def save(self, policy: str, journal: Journal, version: int) -> int | Conflict:
        """Write a journal: the lock and the intent, or the record."""
        with self.traces.step("record"):
            return await self.store.save(policy, journal, version)

    async def close(self) -> None:
        """Let go of connections."""
        await self.store.close()


@dataclass(frozen=True, slots=True)
class TracedHook:
    """Implements :class:`rotator.ports.Hook`."""

    hook: Hook
    traces: Traces

    @property
    def kind(self) -> str:
        """As it is called in the configuration."""
        return self.hook.kind

    @property
    def timeout(self) -> timedelta:
        """For telling it once."""
        return self.hook.timeout

    async def tell(self, news: News) -> None:
        """Tell it, as a step of the rotation that it is about."""
        with self.traces.step("notify", of=news.id.partition(":")[0]):
            await self.hook.tell(news)


class TracedHooks(Mapping[str, Mapping[str, "Hook"]]):
    """Hooks by policy and name, looked up when they are told: a configuration may change them."""

    def __init__(self, hooks: Mapping[str, Mapping[str, Hook]], traces: Traces) -> None:
        self._hooks = hooks
        self._traces = traces

    def __getitem__(self, policy: str) -> Mapping[str, Hook]:
        return {name: TracedHook(hook, self._traces) for name, hook in self._hooks[policy].items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._hooks)

    def __len__(self) -> int:
        return len(self._hooks)

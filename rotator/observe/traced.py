"""The ports with a span around each request that is a step; the rest goes through as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from rotator.afterwards import Hook
    from rotator.journal import Journal
    from rotator.keys import Minted, Order
    from rotator.model import Held, Target
    from rotator.notices import News
    from rotator.observe.traces import Traces
    from rotator.ports import Conflict, KeyIssuer, SecretStore, World
    from rotator.secrets import Secret

Port = TypeVar("Port")


def traced(world: World, traces: Traces) -> World:
    """``world``, with its services watched."""
    return replace(
        world,
        issuer=cast("KeyIssuer", TracedIssuer(world.issuer, traces)),
        store=cast("SecretStore", TracedStore(world.store, traces)),
        hooks=TracedHooks(world.hooks, traces),
    )


class _Traced(Generic[Port]):
    """Stands for ``port`` in all that it does not see to itself."""

    def __init__(self, port: Port, traces: Traces) -> None:
        self._port = port
        self._traces = traces

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class TracedIssuer(_Traced["KeyIssuer"]):
    """A :class:`rotator.ports.KeyIssuer`. Listings are shared, and so a step of no rotation."""

    async def create(self, order: Order) -> Minted:
        """Create a key."""
        with self._traces.step("mint"):
            return await self._port.create(order)

    async def refresh(
        self, key_id: str, *, expires_at: datetime | None, grace: timedelta
    ) -> Minted:
        """Replace the secret of a key."""
        with self._traces.step("mint"):
            return await self._port.refresh(key_id, expires_at=expires_at, grace=grace)

    async def revoke(self, key_id: str) -> bool:
        """End a key."""
        with self._traces.retiring(key_id):
            return await self._port.revoke(key_id)

    async def accepts(self, secret: Secret) -> bool:
        """Try a key."""
        with self._traces.step("verify"):
            return await self._port.accepts(secret)


class TracedStore(_Traced["SecretStore"]):
    """A :class:`rotator.ports.SecretStore`."""

    async def preflight(self, targets: Sequence[Target], *, budget: timedelta) -> None:
        """Prove that all can be written."""
        with self._traces.step("preflight"):
            await self._port.preflight(targets, budget=budget)

    async def write(
        self, held: Held, secret: Secret, metadata: Mapping[str, str]
    ) -> Held | Conflict:
        """Deliver."""
        with self._traces.step("store"):
            return await self._port.write(held, secret, metadata)

    async def load(self, policy: str) -> tuple[Journal, int]:
        """Read a journal, which is how each look begins."""
        journal, version = await self._port.load(policy)
        self._traces.look(policy, journal)
        return journal, version

    async def save(self, policy: str, journal: Journal, version: int) -> int | Conflict:
        """Write a journal: the lock and the intent, or the record."""
        with self._traces.step("record"):
            saved = await self._port.save(policy, journal, version)
        self._traces.wrote(policy, journal)
        return saved


class TracedHook(_Traced["Hook"]):
    """A :class:`rotator.ports.Hook`."""

    async def tell(self, news: News) -> None:
        """Tell it, as a step of the rotation that it is about."""
        with self._traces.step("notify", of=news.id.partition(":")[0]):
            await self._port.tell(news)


class TracedHooks(Mapping[str, Mapping[str, "Hook"]]):
    """Hooks by policy and name, looked up when they are told: a configuration may change them."""

    def __init__(self, hooks: Mapping[str, Mapping[str, Hook]], traces: Traces) -> None:
        self._hooks = hooks
        self._traces = traces

    def __getitem__(self, policy: str) -> Mapping[str, Hook]:
        found = self._hooks[policy].items()
        return {name: cast("Hook", TracedHook(hook, self._traces)) for name, hook in found}

    def __iter__(self) -> Iterator[str]:
        return iter(self._hooks)

    def __len__(self) -> int:
        return len(self._hooks)

"""What the reconcile needs from the world, as protocols.

Adapters raise the errors of :mod:`rotator.errors` and nothing else. A lost race is a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field as default
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from rotator.afterwards import Hook, Sink
    from rotator.errors import RotatorError
    from rotator.events import Event
    from rotator.journal import Journal
    from rotator.keys import Listing, Minted, Order, Scope
    from rotator.model import Held, Limits, Policy, Snapshot, Spooled, Step, Target
    from rotator.secrets import Secret


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else wrote first: nothing was written. Read again and decide again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A target in the store, or the journal of a policy of this name; perhaps only to be read."""

    at: Target | str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """What keeps us from a place, and the remedy; ``rule`` is the line that a policy lacks."""

    text: str
    remedy: str
    rule: str = ""


class KeyIssuer(Protocol):
    """The provider of keys.

    Every method is bounded in time as a whole. Reads and :meth:`revoke` may be repeated; the two
    mints may not: they raise :class:`~rotator.errors.Ambiguous` when the outcome is unknown and any
    other error only when nothing was changed.
    """

    async def keys(self, scope: Scope) -> Listing:
        """All active keys of ``scope``, over all pages.

        Raises:
            Temporary, Unauthenticated, NotPermitted, NotFound, Rejected: As their docstrings say.
        """
        ...

    async def admit(self) -> bool:
        """Wait until a key may be minted, which then waits no more; whether that took any time.

        For before the intent is written: from there on a lease runs out.
        """
        ...

    async def create(self, order: Order) -> Minted:
        """Create a key.

        Raises:
            Ambiguous: The answer did not come or held no key.
            Temporary, Unauthenticated, NotPermitted, Rejected: Nothing was created.
        """
        ...

    async def refresh(
        self, key_id: str, *, expires_at: datetime | None, grace: timedelta
    ) -> Minted:
        """Replace the secret of a key; the old one goes on for ``grace`` (whole seconds).

        Raises:
            Ambiguous: The answer did not come or held no key.
            Temporary, Unauthenticated, NotPermitted, NotFound, Rejected: Nothing was changed.
        """
        ...

    async def revoke(self, key_id: str) -> bool:
        """End a key at once; whether there was one. Who may not see it is told that there is none.

        Raises:
            Temporary, Unauthenticated, NotPermitted, Rejected: The key may still be active.
        """
        ...

    async def accepts(self, secret: Secret) -> bool:
        """Whether the provider takes ``secret`` as a credential: anything but 401 proves that.

        Raises:
            Temporary: No answer that would tell.
        """
        ...

    def is_own(self, redacted_key: str) -> bool:
        """Whether the management credential in use looks like this redacted key."""
        ...

    async def depends_on(self, redacted_key: str) -> bool:
        """Whether the source of the management credential has that key, and no other.

        Raises:
            RotatorError: The source cannot be read.
        """
        ...

    def adopt(self, secret: Secret) -> None:
        """Work with this management credential from now on."""
        ...


class SecretStore(Protocol):
    """Where keys and journals live: Vault, or a directory.

    Writes are check-and-set. A write that timed out is found again: repeating it with the same
    arguments answers success if it did happen.
    """

    async def preflight(self, targets: Sequence[Target], *, budget: timedelta) -> None:
        """Prove, without writing, that all ``targets`` can be written for ``budget`` from now.

        Raises:
            Temporary: The store is down, sealed or standby.
            Unauthenticated: The credential ends before the budget does, and cannot be renewed.
            NotPermitted: A capability is missing; the message names it and the path.
        """
        ...

    async def lacking(self, places: Sequence[Place], *, budget: timedelta) -> Sequence[Lack | None]:
        """What is missing at each of ``places``, however many; None where nothing is.

        Raises:
            Temporary, Unauthenticated: As for :meth:`preflight`; nothing could be asked.
        """
        ...

    async def read(self, target: Target) -> Held:
        """What ``target`` holds now; an empty :class:`~rotator.model.Held` where nothing is.

        Raises:
            Temporary, Unauthenticated, NotPermitted, Rejected: As their docstrings say.
        """
        ...

    async def write(
        self, held: Held, secret: Secret, metadata: Mapping[str, str]
    ) -> Held | Conflict:
        """Put ``secret`` and ``metadata`` (field to value) over ``held``, keeping its other fields.

        Answers what is held afterwards, or :class:`Conflict` when ``held`` is not current any more.

        Raises:
            Temporary, Unauthenticated, NotPermitted, Rejected: As their docstrings say.
        """
        ...

    async def former(self, target: Target, fits: Callable[[Secret], bool]) -> Secret | None:
        """The latest earlier value of ``target`` that ``fits``; None when it is kept no more.

        Raises:
            Rejected: This store keeps no earlier values at all.
            Temporary, Unauthenticated, NotPermitted: As their docstrings say.
        """
        ...

    async def load(self, policy: str) -> tuple[Journal, int]:
        """The journal of a policy and its version; an empty one and 0 where there is none.

        Raises:
            Unreadable: Something is there that this rotator cannot read.
            Temporary, Unauthenticated, NotPermitted, Rejected: As their docstrings say.
        """
        ...

    async def save(self, policy: str, journal: Journal, version: int) -> int | Conflict:
        """Write the journal over ``version``. Answers the new version.

        Raises:
            Temporary, Unauthenticated, NotPermitted, Rejected: As their docstrings say.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Spool(Protocol):
    """Minted keys on this machine's disk, sealed, from the answer to the acknowledgement.

    A help, never a hindrance: nothing here stops a rotation.
    """

    async def places(self) -> tuple[Place, ...]:
        """What it needs of the store, beside the journals.

        Raises:
            RotatorError: From the store.
        """
        ...

    async def obstacles(self) -> tuple[RotatorError, ...]:
        """All that would keep it from its work, as far as it can be seen. Writes nothing."""
        ...

    async def prepare(self) -> RotatorError | None:
        """Have at hand what :meth:`put` needs, so that it asks nobody. What kept it from it."""
        ...

    async def put(self, entry: Spooled) -> RotatorError | None:
        """Write ``entry`` to the disk. Takes no longer than a moment; what kept it from it."""
        ...

    async def find(self, policy: str) -> tuple[Spooled, ...]:
        """What lies there for ``policy``, with the seals whole."""
        ...

    async def opened(self, entry: Spooled) -> Spooled:
        """``entry`` with its key; as it was, when the seal cannot be broken.

        Raises:
            Temporary: It may be possible later.
        """
        ...

    async def destroy(self, entry: Spooled) -> RotatorError | None:
        """Remove ``entry``, also should :meth:`put` still be at it. What kept it from it."""
        ...


class NoSpool:
    """A :class:`Spool` for who wants none."""

    async def places(self) -> tuple[Place, ...]:
        """None."""
        return ()

    async def obstacles(self) -> tuple[RotatorError, ...]:
        """None."""
        return ()

    async def prepare(self) -> None:
        """Nothing is needed."""

    async def put(self, entry: Spooled) -> None:
        """It is kept in memory only."""

    async def find(self, policy: str) -> tuple[Spooled, ...]:  # noqa: ARG002 - the port's
        """Nothing."""
        return ()

    async def opened(self, entry: Spooled) -> Spooled:
        """Nothing lies here that could be opened."""
        return entry

    async def destroy(self, entry: Spooled) -> None:
        """Nothing lies here."""


class Clock(Protocol):
    """Time. Decisions use :meth:`now`, durations :meth:`monotonic`."""

    def now(self) -> datetime:
        """Aware UTC, corrected by the provider's clock when they differ by more than a second."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going back."""
        ...

    async def sleep(self, delay: timedelta) -> None:
        """Wait."""
        ...

    @property
    def astray(self) -> timedelta | None:
        """By how much the provider's clock is ahead, where that is too much to be followed."""
        ...


class Emit(Protocol):
    """Says that something happened. Never blocks, never raises."""

    def __call__(self, event: Event, /, **fields: object) -> None:
        """Emit ``event`` with ``fields``, none of them a secret."""
        ...


class Called(Protocol):
    """Told of every request to a service. Never raises, and never waits for anything.

    It stands between the answer to a mint and the delivery, and is called in any thread.
    """

    def __call__(self, service: str, operation: str, status: int | None, seconds: float, /) -> None:
        """Note a request.

        Args:
            service: ``arize`` or ``vault``.
            operation: What was asked for, in a word out of few.
            status: HTTP's; None when no whole answer came.
            seconds: How long that took.
        """
        ...


def unheard(*_: object) -> None:
    """Where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside the reconcile: what a simulation replaces, all of it and nothing else."""

    issuer: KeyIssuer
    store: SecretStore
    clock: Clock
    emit: Emit
    limits: Limits
    #: Who this process is in leases: unique in the world.
    me: str
    #: A fresh identifier for a rotation.
    new_id: Callable[[], str]
    #: A number in [0, 1), for delays.
    jitter: Callable[[], float]
    #: Told what each look saw at its end, and the step decided from it; also that a rotation has
    #: begun. Never raises.
    seen: Callable[[Snapshot, Step], None] = unheard
    spool: Spool = default(default_factory=NoSpool)
    #: By policy and name.
    hooks: Mapping[str, Mapping[str, Hook]] = default(default_factory=dict)
    #: By policy.
    sinks: Mapping[str, Sequence[Sink]] = default(default_factory=dict)
    #: All policies that are configured, whichever of them are looked after here.
    neighbours: Callable[[], Iterable[Policy]] = tuple

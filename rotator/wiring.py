"""From settings to a world: which adapters, with what. No decisions."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, cast

from rotator.adapters.arize import ArizeIssuer, ArizeOptions
from rotator.adapters.arize_rate import Rate
from rotator.adapters.clock import SystemClock
from rotator.errors import Unauthenticated
from rotator.listings import Listings
from rotator.model import Target
from rotator.notify.making import hooks_of
from rotator.ports import NoSpool, World, unheard
from rotator.reconcile import Reconciler
from rotator.rest import Pace
from rotator.settings import read_secret, schema

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rotator.adapters.threads import Threads
    from rotator.adapters.vault import (
        AppRoleAuth,
        KubernetesAuth,
        TokenAuth,
        VaultOptions,
        VaultStore,
    )
    from rotator.afterwards import Hook, Sink
    from rotator.model import Policy, Snapshot, Step
    from rotator.ports import Called, Emit, SecretStore, Spool
    from rotator.secrets import Secret
    from rotator.settings import Settings
    from rotator.settings.sections import SecretSource

    Read = Callable[[SecretSource], Secret]
    ReadAnywhere = Callable[[SecretSource], Awaitable[Secret]]
    Hide = Callable[[Secret, SecretSource], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks on, and has no say: see :class:`~rotator.ports.Called` and ``World.seen``."""

    called: Called = unheard
    seen: Callable[[Snapshot, Step], None] = unheard
    #: Told the names of the policies when they change.
    keep: Callable[[Iterable[str]], None] = unheard
    #: Sees every call of a port.
    around: Callable[[World], World] = lambda world: world


NOBODY = Watch()
#: Policies that are looked at with every listing, in any case: a third of a second of CPU.
_FEWEST = 100


@dataclass(frozen=True, slots=True)
class Connected:
    """The services, and who works with them."""

    world: World
    listings: Listings
    reconciler: Reconciler
    #: Takes up the hooks and files of another configuration; for the rest, connect anew.
    configure: Callable[[Settings], None]


@asynccontextmanager
async def connected(
    settings: Settings,
    emit: Emit,
    *,
    hide: Hide = unheard,
    environ: Mapping[str, str] = os.environ,
    watch: Watch = NOBODY,
) -> AsyncIterator[Connected]:
    """Everything a command needs, until the block ends. Nothing is asked of a service yet.

    Args:
        settings: What to connect.
        emit: Hears of events.
        hide: Is told every credential that is read, and where, for whoever must never show one.
        environ: The variables that secrets are read from.
        watch: Who looks on.
    """

    def read(source: SecretSource) -> Secret:
        secret = read_secret(source, environ)
        hide(secret, source)
        return secret

    clock = SystemClock(emit)
    store = _store(settings, emit, watch.called, read)
    anywhere = _anywhere(store, read, hide)
    issuer = ArizeIssuer(_arize(settings, anywhere), clock=clock, emit=emit, called=watch.called)
    configured = _Configured(settings, anywhere, environ)
    world = World(
        issuer=issuer,
        store=store,
        clock=clock,
        emit=emit,
        limits=settings.limits,
        me=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        new_id=lambda: secrets.token_hex(8),
        jitter=SystemRandom().random,
        seen=watch.seen,
        spool=_spool(settings, store, emit),
        hooks=configured.hooks,
        sinks=configured.sinks,
        neighbours=configured.neighbours,
    )
    world = watch.around(world)
    listings = Listings(world.issuer, clock)

    try:
        yield Connected(world, listings, Reconciler(world, listings), configured.take)
    finally:
        await issuer.close()
        await store.close()


class _Configured:
    """What another configuration replaces, while the services stay."""

    def __init__(self, settings: Settings, read: ReadAnywhere, environ: Mapping[str, str]) -> None:
        self._read = read
        self._environ = environ
        self._neighbours: tuple[Policy, ...] = ()
        self._threads: dict[Path, Threads] = {}
        self.hooks: dict[str, Mapping[str, Hook]] = {}
        self.sinks: dict[str, Sequence[Sink]] = {}
        self.take(settings)

    def take(self, new: Settings) -> None:
        """Take up ``new``. A policy that it has no more may be at its key yet, and have hooks."""
        self.hooks.update(hooks_of(new.root.policies, self._read, self._environ))
        self.sinks.clear()
        self.sinks.update(_sinks(new, self._read, self._environ, self._threads))
        known = {one.name: replace(one, leaving=True) for one in self._neighbours}
        known.update((policy.name, policy) for policy in new.policies)
        self._neighbours = tuple(known.values())

    def neighbours(self) -> tuple[Policy, ...]:
        """All policies that there have been; those that are configured no more are ``leaving``."""
        return self._neighbours


def pace_of(settings: Settings) -> Pace:
    """How often a daemon lists keys, and looks at what that does not show."""
    run = settings.root.run
    return Pace(run.relist, run.recheck, fewest=_FEWEST)


def _store(settings: Settings, emit: Emit, called: Called, read: Read) -> SecretStore:
    """The store that is configured. Imported here: hvac costs a fifth of a second."""
    if settings.vault is None:
        from rotator.adapters.files import FileStore  # noqa: PLC0415

        return FileStore(settings.directory)
    from rotator.adapters.vault import VaultStore  # noqa: PLC0415

    return VaultStore(_vault(settings.vault, called, read), emit)


def _spool(settings: Settings, store: SecretStore, emit: Emit) -> Spool:
    """The spool that is configured. Imported here: most do without libsodium."""
    if settings.spool is None:
        return NoSpool()
    from rotator.adapters.spool import SealedSpool  # noqa: PLC0415
    from rotator.adapters.spool_keys import KeyPair  # noqa: PLC0415

    # A spool without Vault is refused as a mistake in the configuration.
    return SealedSpool(settings.spool, KeyPair(cast("VaultStore", store)), emit)


def _sinks(
    settings: Settings,
    read: ReadAnywhere,
    environ: Mapping[str, str],
    threads: dict[Path, Threads],
) -> Mapping[str, Sequence[Sink]]:
    """The files that are configured. Imported here: most do without."""
    if not any(policy.write for policy in settings.root.policies):
        return {}
    from rotator.sinks.making import sinks_of  # noqa: PLC0415

    return sinks_of(settings.root.policies, read, environ, threads)


def _vault(vault: schema.Vault, called: Called, read: Read) -> VaultOptions:
    from rotator.adapters.vault import VaultOptions  # noqa: PLC0415

    verify: bool | str = not vault.skip_verify
    if verify and vault.ca_cert:
        verify = str(vault.ca_cert)
    certificate = None
    if vault.client_cert and vault.client_key:
        certificate = (str(vault.client_cert), str(vault.client_key))
    return VaultOptions(
        address=vault.address,
        auth=_auth(vault.auth, read),
        mount=vault.mount,
        journal_prefix=vault.journal.strip("/"),
        namespace=vault.namespace,
        verify=verify,
        client_cert=certificate,
        timeout=vault.timeout,
        proxy=vault.proxy,
        called=called,
    )


def _auth(
    auth: schema.Token | schema.AppRole | schema.Kubernetes, read: Read
) -> TokenAuth | AppRoleAuth | KubernetesAuth:
    from rotator.adapters.vault import AppRoleAuth, KubernetesAuth, TokenAuth  # noqa: PLC0415

    match auth:
        case schema.Token(token=token):
            return TokenAuth(lambda: read(token))
        case schema.AppRole(secret_id=secret_id):
            return AppRoleAuth(auth.role_id, lambda: read(secret_id), auth.mount)
        case schema.Kubernetes(jwt=jwt):
            return KubernetesAuth(auth.role, lambda: read(jwt), auth.mount)


def _anywhere(store: SecretStore, read: Read, hide: Hide) -> ReadAnywhere:
    """Reads secrets, also those that lie in the store."""

    async def read_anywhere(source: SecretSource) -> Secret:
        if source.vault is None:
            return read(source)
        place = source.vault
        target = Target(path=place.path, field=place.field, mount=place.mount)
        value = (await store.read(target)).value
        if value is None:
            raise Unauthenticated(
                f"the store holds no secret at {target}",
                remedy="put it there, or point the configuration elsewhere",
            )
        hide(value, source)
        return value

    return read_anywhere


def _arize(settings: Settings, read: ReadAnywhere) -> ArizeOptions:
    arize, limit = settings.arize, settings.arize.rate_limit
    return ArizeOptions(
        base_url=arize.url,
        credential=lambda: read(arize.api_key),
        timeout=arize.timeout,
        ca_cert=arize.ca_cert,
        proxy=arize.proxy,
        concurrency=settings.run.concurrency,
        watched=arize.api_key.file is not None,
        rate=Rate(limit.per_second, limit.burst) if limit else None,
    )

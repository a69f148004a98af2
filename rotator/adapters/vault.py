"""The store in HashiCorp Vault or OpenBao: keys in KV secrets, journals in KV version 2.

A write is one request on the wire and nothing else: the document came with the read, the token was
seen to before, the engine of the mount is known. Only a lost race costs a second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from rotator import journal as journals
from rotator.adapters import documents, vault_rights as rights
from rotator.adapters.vault_auth import AppRoleAuth, Auth, KubernetesAuth, TokenAuth
from rotator.adapters.vault_calls import Calls
from rotator.adapters.vault_kv import V1, V2, Engines, Found
from rotator.adapters.vault_wire import Connection
from rotator.errors import Rejected
from rotator.journal import Journal
from rotator.ports import Conflict, unheard
from rotator.secrets import Masked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rotator.adapters.vault_http import Api, Json
    from rotator.adapters.vault_kv import Engine
    from rotator.errors import RotatorError
    from rotator.model import Held, Target
    from rotator.ports import Called, Emit, Lack, Place
    from rotator.secrets import Secret

__all__ = ["AppRoleAuth", "KubernetesAuth", "TokenAuth", "VaultOptions", "VaultStore"]


@dataclass(frozen=True, slots=True)
class VaultOptions:
    """Where Vault is, who we are there, and where things lie.

    Args:
        address: Like ``https://vault:8200``.
        auth: How to log in.
        mount: The KV mount of targets that name none, and of the journals (there: version 2).
        journal_prefix: Path of the journals below ``mount``.
        namespace: For Vault Enterprise, HCP and OpenBao.
        verify: False for no check at all, True for the usual authorities, or a CA bundle's path.
        client_cert: Paths of certificate and key.
        timeout: For a whole call.
        proxy: URL of a proxy; those of the environment are not used.
        workers: Threads for reads, and as many for writes, started when first needed.
        called: Told of every request, in the thread that makes it.
    """

    address: str
    auth: Auth
    mount: str = "secret"
    journal_prefix: str = "rotator"
    namespace: str | None = None
    verify: bool | str = True
    client_cert: tuple[str, str] | None = None
    timeout: timedelta = timedelta(seconds=10)
    proxy: str | None = None
    workers: int = 8
    called: Called = unheard

    @property
    def connection(self) -> Connection:
        """The part that the wire needs."""
        return Connection(
            self.address,
            self.namespace,
            self.verify,
            self.client_cert,
            self.timeout,
            self.proxy,
            self.called,
        )


class VaultStore:
    """A :class:`~rotator.ports.SecretStore`."""

    def __init__(self, options: VaultOptions, emit: Emit) -> None:
        self._mount = options.mount
        self._prefix = options.journal_prefix
        self._namespace = options.namespace
        self._engines = Engines()
        self._calls = Calls(options.connection, options.auth, workers=options.workers, emit=emit)

    async def preflight(self, targets: Sequence[Target], *, budget: timedelta) -> None:
        """Ask for our capabilities on all targets and the journals, in one request."""

        def work(api: Api) -> None:
            paths = [self._acl_path(api, target) for target in targets]
            paths.append(V2().acl_path(self._mount, self._journal_path(rights.ANY_POLICY)))
            rights.complain(paths, api.capabilities(paths))

        await self._calls.run(work, lasting=budget)

    async def lacking(self, places: Sequence[Place], *, budget: timedelta) -> list[Lack | None]:
        """Mounts are asked for once each, capabilities by the hundred."""
        found = [(place, *self._spot(place)) for place in places]
        mounts = {mount for _, mount, _ in found}

        def look(api: Api) -> dict[str, Engine | RotatorError]:
            return {mount: self._engines.tried(api, mount) for mount in mounts}

        engines = await self._calls.run(look, lasting=budget)
        spots = [
            rights.Spot(place, mount, path, engines[mount], assumed=not self._engines.knows(mount))
            for place, mount, path in found
        ]
        granted: Json = {}
        for batch in rights.batches(spots):
            granted |= await self._calls.run(partial(rights.granted, paths=batch))
        return [rights.lack(spot, granted, namespace=self._namespace) for spot in spots]

    def _spot(self, place: Place) -> tuple[str, str]:
        if isinstance(place.at, str):
            return self._mount, self._journal_path(place.at)
        return self._place(place.at)

    async def read(self, target: Target) -> Held:
        """Read the current version; a deleted one is empty, and its number still counts."""

        def work(api: Api) -> Held:
            mount, path = self._place(target)
            found = self._engines.of(api, mount).read(api, mount, path)
            return documents.held(target, found.document, found.version)

        return await self._calls.run(work)

    async def write(
        self, held: Held, secret: Secret, metadata: Mapping[str, str]
    ) -> Held | Conflict:
        """One request on KV version 2, unless somebody else wrote meanwhile."""
        fields = documents.ours(held.target, secret, metadata)
        new = documents.merged(held, fields)

        def work(api: Api) -> Held | Conflict:
            mount, path = self._place(held.target)
            engine = self._engines.of(api, mount)
            old = Found(held.document.reveal(), held.version)
            version = engine.write(api, mount, path, new, old)
            if version is not None:
                return documents.held(held.target, new, version)
            # Perhaps it was us, in a try whose answer was lost.
            found = engine.read(api, mount, path)
            if not documents.carries(found.document, fields):
                return Conflict()
            return documents.held(held.target, found.document, found.version)

        return await self._calls.run(work, urgent=True)

    async def former(self, target: Target, fits: Callable[[Secret], bool]) -> Secret | None:
        """Look through the versions that KV version 2 has kept, the latest first."""

        def work(api: Api) -> Secret | None:
            mount, path = self._place(target)
            engine = self._engines.of(api, mount)
            if not isinstance(engine, V2):
                raise Rejected(
                    f"the mount {mount} is KV version 1, which keeps no earlier values",
                    remedy="enable version 2 for it, or put the key back by hand: rotator adopt",
                )
            values = (
                documents.held(target, document, 0).value
                for document in engine.earlier(api, mount, path)
            )
            return next((value for value in values if value is not None and fits(value)), None)

        return await self._calls.run(work)

    async def load(self, policy: str) -> tuple[Journal, int]:
        """Read a journal; a deleted one is empty, and the next is written after its version."""
        document, version = await self.find(policy)
        if not document.reveal():
            return Journal(), version
        place = f"the journal {self._mount}/{self._journal_path(policy)}"
        return journals.decode(document.reveal(), place=place), version

    async def save(self, policy: str, journal: Journal, version: int) -> int | Conflict:
        """Write a journal after ``version``."""
        return await self.keep(policy, Masked(journals.encode(journal)), version)

    async def find(self, name: str) -> tuple[Masked[Json], int]:
        """A document beside the journals, or one of them."""
        mount, path = self._mount, self._journal_path(name)

        def work(api: Api) -> Found:
            if isinstance(engine := self._engines.of(api, mount), V1):
                raise Rejected(
                    f"the mount {mount} is KV version 1, and the journal needs check-and-set",
                    remedy="name a mount of KV version 2 in `vault.mount`; targets may have others",
                )
            return engine.read(api, mount, path)

        found = await self._calls.run(work)
        return Masked(found.document), found.version

    async def keep(self, name: str, document: Masked[Json], version: int) -> int | Conflict:
        """Write one after ``version``. Should it be there already, that was us."""
        mount, path = self._mount, self._journal_path(name)
        new = document.reveal()

        def work(api: Api) -> int | Conflict:
            written = V2().write(api, mount, path, new, Found({}, version))
            if written is not None:
                return written
            found = V2().read(api, mount, path)
            return found.version if found.document == new else Conflict()

        return await self._calls.run(work, urgent=True)

    async def state(self) -> str:
        """What Vault says about itself: ``active``, ``sealed``, ... Needs no token.

        Raises:
            Unavailable: It says nothing.
        """
        return await self._calls.state()

    async def close(self) -> None:
        """Close all connections. Calls under way end by themselves."""
        await self._calls.close()

    def _place(self, target: Target) -> tuple[str, str]:
        documents.segments(target.path)
        return target.mount or self._mount, target.path

    def _acl_path(self, api: Api, target: Target) -> str:
        mount, path = self._place(target)
        return self._engines.of(api, mount).acl_path(mount, path)

    def _journal_path(self, policy: str) -> str:
        path = f"{self._prefix}/{policy}"
        documents.segments(path)
        return path

"""The key pair of the spool: the public half seals, the private half lies in Vault and opens.

Whoever steals a disk has what the public half made and nothing that opens it. Both halves lie
beside the journals, under names that no policy can have; only opening reads the private one.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Protocol

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from rotator.errors import NotPermitted, Unreadable
from rotator.ports import Place
from rotator.secrets import Masked

if TYPE_CHECKING:
    from rotator.adapters.vault_http import Json
    from rotator.ports import Conflict

_PUBLIC, _PRIVATE = "_spool_public", "_spool_private"
_VERSION = 1


class Documents(Protocol):
    """Documents beside the journals."""

    async def find(self, name: str) -> tuple[Masked[Json], int]:
        """The document and its version; an empty one where none is."""
        ...

    async def keep(self, name: str, document: Masked[Json], version: int) -> int | Conflict:
        """Write the document over ``version``."""
        ...


class KeyPair:
    """Made once, by whoever needs it first; all processes share it."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._public: SealedBox[PublicKey] | None = None

    async def places(self) -> tuple[Place, ...]:
        """Where the halves lie: only to be read, once they are made.

        Raises:
            RotatorError: From the store.
        """
        made = bool(await self._seen())
        return tuple(Place(name, read_only=made) for name in (_PUBLIC, _PRIVATE))

    async def check(self) -> None:
        """See that the public half is one, if there is any that may be read.

        Raises:
            RotatorError: From the store, or what lies there is no key.
        """
        if document := await self._seen():
            _half(Masked(document), _PUBLIC)

    async def _seen(self) -> Json:
        try:
            document, _ = await self._documents.find(_PUBLIC)
        except NotPermitted:
            return {}
        return document.reveal()

    async def prepare(self) -> None:
        """Have the public half at hand.

        Raises:
            RotatorError: From the store, or what lies there is no key.
        """
        if self._public is not None:
            return
        document, version = await self._documents.find(_PUBLIC)
        if not document.reveal():
            private = await self._private() or await self._made()
            await self._documents.keep(_PUBLIC, _document(private.public_key.encode()), version)
            document, _ = await self._documents.find(_PUBLIC)
        self._public = SealedBox(PublicKey(_half(document, _PUBLIC)))

    @property
    def ready(self) -> bool:
        """Whether the public half is at hand."""
        return self._public is not None

    def seal(self, text: bytes) -> bytes:
        """``text`` as only the private half opens it. Relies on :attr:`ready`."""
        if self._public is None:
            raise AssertionError("no public half")
        return self._public.encrypt(text)

    async def opened(self, sealed: bytes) -> Masked[bytes] | None:
        """What was sealed; None when it was not with this pair, or is damaged.

        Raises:
            RotatorError: From the store, or what lies there is no key.
        """
        private = await self._private()
        if private is None:
            return None
        try:
            return Masked(SealedBox(private).decrypt(sealed))
        except CryptoError:
            return None

    async def _private(self) -> PrivateKey | None:
        document, _ = await self._documents.find(_PRIVATE)
        return PrivateKey(_half(document, _PRIVATE)) if document.reveal() else None

    async def _made(self) -> PrivateKey:
        """A new private half; another process's, if that was faster."""
        _, version = await self._documents.find(_PRIVATE)
        await self._documents.keep(_PRIVATE, _document(PrivateKey.generate().encode()), version)
        private = await self._private()
        if private is None:
            raise Unreadable("the private half of the spool's key vanished as it was written")
        return private


def _document(half: bytes) -> Masked[Json]:
    return Masked({"version": _VERSION, "key": base64.b64encode(half).decode()})


def _half(document: Masked[Json], name: str) -> bytes:
    """The 32 bytes of a half, without a word of what else lies there."""
    found = document.reveal()
    try:
        half = base64.b64decode(str(found["key"]), validate=True)
    except (KeyError, ValueError):
        half = b""
    if found.get("version") != _VERSION or len(half) != PublicKey.SIZE:
        raise Unreadable(
            f"{name}, beside the journals, is no key of the spool",
            remedy="restore an earlier version of it, or delete both halves to begin anew",
        )
    return half

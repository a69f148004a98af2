"""The sealed spool: minted keys on this machine's disk, for as long as no store has them.

One file for each, ``<policy>~<rotation>~<mint>.sealed``, 0600 in a directory of 0700, synced and
renamed into place: a line that says what it is, and a sealed box. Files of other names, links and
whatever is too large are not ours and left alone, and so is one of our name with another beginning.

A disk may be slow, full or broken at the worst moment. So it is given a moment and no more, in a
thread of its own, and every fault is an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import stat
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.adapters.files import make_directory, prove_writable, sync_directory, translated
from rotator.adapters.threads import Threads
from rotator.errors import Permanent, RotatorError, Temporary
from rotator.events import Event
from rotator.model import Spooled
from rotator.secrets import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from rotator.adapters.spool_keys import KeyPair
    from rotator.ports import Emit, Place
    from rotator.secrets import Masked

#: With what a crash left of one: the same name, with a dot before and `.draft` behind.
_NAME = re.compile(r"(\.)?([a-z0-9][a-z0-9._-]*)~([0-9a-f]{16})~([1-9][0-9]?)\.sealed(?(1)\.draft)")
_MAGIC = b"rotator spool 1\n"
#: Bytes. A key has some 50, and its envelope a few hundred.
_LARGEST = 65_536
#: Seconds for which a delivery may wait for the disk.
PATIENCE = 0.5
#: Threads at the disk.
_TURNS = 16


class SealedSpool:
    """A :class:`~rotator.ports.Spool`. Makes ``directory`` when it first writes."""

    def __init__(
        self, directory: Path, keys: KeyPair, emit: Emit, *, patience: float = PATIENCE
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._emit = emit
        self._disk = Threads(
            "spool",
            f"the disk under {directory}",
            remedy="put the spool on a local disk",
            most=_TURNS,
            patience=patience,
        )
        self._writing: dict[str, _Draft] = {}
        self._told: set[str] = set()

    async def places(self) -> tuple[Place, ...]:
        """Both halves of the key, which somebody makes once."""
        return await self._keys.places()

    async def obstacles(self) -> tuple[RotatorError, ...]:
        """Look at the directory, and at the public half, if there is one that may be read."""
        anything = self._directory / "any"
        found = await asyncio.gather(
            self._disk.in_time(lambda: prove_writable([anything])),
            self._keys.check(),
            return_exceptions=True,
        )
        return tuple(error for error in found if isinstance(error, RotatorError))

    async def prepare(self) -> RotatorError | None:
        """Read the public half, or make the pair."""
        try:
            await self._keys.prepare()
        except RotatorError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a help, never a hindrance
            return _fault(error)
        return None

    async def put(self, entry: Spooled) -> RotatorError | None:
        """Seal, write, sync, rename."""
        if not self._keys.ready:
            return None  # And :meth:`prepare` has told why.
        try:
            draft = _Draft(self._file(entry), self._keys.seal(_text(entry)))
            self._writing[draft.file.name] = draft
            await self._disk.in_time(draft.write)
        except RotatorError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, the key is to be delivered
            return _fault(error)
        return None

    async def find(self, policy: str) -> tuple[Spooled, ...]:
        """Our files of ``policy``, by their names."""
        try:
            return await self._disk.in_time(lambda: self._found(policy))
        except RotatorError as error:
            self._say(policy, error)
            return ()

    async def opened(self, entry: Spooled) -> Spooled:
        """Read the file, and the private half."""
        try:
            sealed = await self._disk.in_time(lambda: _content(self._file(entry)))
            if not sealed:
                return entry
            text = await self._keys.opened(sealed)
        except Temporary:
            raise
        except RotatorError as error:
            self._say(entry.policy, error)
            return entry
        secret = _secret(text, entry) if text else None
        if secret is None:
            remedy = "remove the file, if its rotation is over and it stays"
            damaged = f"{self._file(entry)} is damaged, or was sealed for another key"
            self._say(entry.policy, Permanent(damaged, remedy=remedy))
        return replace(entry, secret=secret)

    async def destroy(self, entry: Spooled) -> RotatorError | None:
        """Remove the file."""
        try:
            file = self._file(entry)
            draft = self._writing.pop(file.name, None) or _Draft(file, b"")
            await self._disk.in_time(draft.remove)
        except RotatorError as error:
            return error
        return None

    def _found(self, policy: str) -> tuple[Spooled, ...]:
        with translated(self._directory), contextlib.suppress(FileNotFoundError):
            names = [(path, _NAME.fullmatch(path.name)) for path in self._directory.iterdir()]
            found = {
                (name[3], int(name[4]))
                for path, name in names
                if name and name[2] == policy and _content(path) is not None
            }
            return tuple(Spooled(policy, *one) for one in sorted(found))
        return ()

    def _file(self, entry: Spooled) -> Path:
        """Where ``entry`` lies.

        Raises:
            Permanent: It cannot lie there: a damaged journal may hold any text as an identifier.
        """
        name = f"{entry.policy}~{entry.rotation}~{entry.mint}.sealed"
        if not _NAME.fullmatch(name):
            raise Permanent(f"{name!r} is not a name for a file of the spool")
        return self._directory / name

    def _say(self, policy: str, error: RotatorError) -> None:
        """Once for each fault: a look comes by every few minutes."""
        if error.message not in self._told:
            self._told.add(error.message)
            fields = {"error": error.message, "error_code": error.code, "remedy": error.remedy}
            self._emit(Event.SPOOL_FAILED, policy=policy, **fields)


class _Draft:
    """A file on its way to the disk, which may be called back at any time."""

    def __init__(self, file: Path, sealed: bytes) -> None:
        self.file = file
        self._sealed = sealed
        self._lock = threading.Lock()
        self._unwanted = False

    def write(self) -> None:
        """Write beside, sync, rename; and take it back if nobody wants it any more."""
        with translated(self.file):
            make_directory(self.file.parent)
            draft = self.file.with_name(f".{self.file.name}.draft")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(draft, flags, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                os.fchmod(handle.fileno(), 0o600)
                handle.write(_MAGIC + self._sealed)
                handle.flush()
                os.fsync(handle.fileno())
            with self._lock:
                if self._unwanted:
                    draft.unlink()
                    return
                draft.replace(self.file)
            sync_directory(self.file.parent)

    def remove(self) -> None:
        """Make sure that it is not there, now or later."""
        with translated(self.file):
            with self._lock:
                self._unwanted = True
                gone = [self.file.with_name(f".{self.file.name}.draft"), self.file]
                found = [path for path in gone if _content(path) is not None]
                for path in found:
                    path.unlink(missing_ok=True)
            if found:
                sync_directory(self.file.parent)


def _content(file: Path) -> bytes | None:
    """The sealed box in a file of ours; None for whatever else has its name."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as handle:
        text = handle.read(_LARGEST)
    if file.suffix == ".draft" and _MAGIC.startswith(text):
        return b""
    return text.removeprefix(_MAGIC) if text.startswith(_MAGIC) else None


def _fault(error: Exception) -> RotatorError:
    return Permanent(f"{type(error).__name__} in the spool", remedy="report it")


def _text(entry: Spooled) -> bytes:
    if entry.secret is None:
        raise AssertionError(entry)
    facts = {"policy": entry.policy, "rotation": entry.rotation, "mint": entry.mint}
    return json.dumps({**facts, "key": entry.secret.reveal()}).encode()


def _secret(text: Masked[bytes], entry: Spooled) -> Secret | None:
    """The key in ``text``, if it is that of ``entry``: a file can be renamed."""
    try:
        found = json.loads(text.reveal())
        facts = found["policy"], found["rotation"], found["mint"]
        key = found["key"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    ours = facts == (entry.policy, entry.rotation, entry.mint)
    return Secret(key) if ours and isinstance(key, str) and key else None

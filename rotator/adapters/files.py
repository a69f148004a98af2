"""The store in a directory: for a machine without Vault, and as the embedded default.

Every document is one JSON file: ``secrets/<path>.json`` (below the mount, if the target names one)
or ``journal/<policy>.json``, each ``{"version": n, "data": {...}}``. A secret has a third entry,
``previous``: its data before, so that the last rotation can be taken back. Files are 0600 and
directories 0700. A write goes to a file beside it, which is synced and renamed into place, so that
a reader or a power cut sees the old document or the new one. Check-and-set works between processes:
writers of a document hold an advisory lock, which the kernel drops when its owner dies.

``fsync`` blocks, so everything runs in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator import journal as journals
from rotator.adapters import documents
from rotator.errors import NotPermitted, Rejected, RotatorError, Temporary, Unavailable, Unreadable
from rotator.journal import Journal
from rotator.ports import Conflict, Lack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from pathlib import Path

    from rotator.model import Held, Target
    from rotator.ports import Place
    from rotator.secrets import Secret

#: Lock files. Documents share them by hash, since a lock file that is removed invites a race.
_LOCKS = 64
#: Seconds to wait for another process's write, and between two looks whether it is over.
_LOCK_TIMEOUT, _LOCK_PAUSE = 10.0, 0.005

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
#: What to do about a path that cannot be one of a file.
_WHERE = "check `files.directory` and the path of the target"
_WRONG = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


@dataclass(frozen=True, slots=True)
class _Stored:
    """A document with its version; version 0 is none."""

    document: dict[str, object]
    version: int
    previous: dict[str, object] | None = None


class FileStore:
    """A :class:`~rotator.ports.SecretStore`. Makes ``directory`` when it first writes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def preflight(
        self,
        targets: Sequence[Target],
        *,
        budget: timedelta,  # noqa: ARG002 - the port's; a directory has no token that could end
    ) -> None:
        """Look at the permissions of the directories, and for free space."""
        files = [self._secret(target) for target in targets]
        await asyncio.to_thread(prove_writable, (*files, self._journal("any-policy")))

    async def lacking(
        self,
        places: Sequence[Place],
        *,
        budget: timedelta,  # noqa: ARG002 - as above
    ) -> list[Lack | None]:
        """Look at the permissions of each place."""
        files = [
            self._journal(place.at) if isinstance(place.at, str) else self._secret(place.at)
            for place in places
        ]
        return await asyncio.to_thread(lambda: [_lack(file) for file in files])

    async def read(self, target: Target) -> Held:
        """Read the file."""
        stored = await asyncio.to_thread(_read, self._secret(target))
        return documents.held(target, stored.document, stored.version)

    async def write(
        self, held: Held, secret: Secret, metadata: Mapping[str, str]
    ) -> Held | Conflict:
        """Replace the file."""
        fields = documents.ours(held.target, secret, metadata)
        before = held.document.reveal() if held.version else None
        new = _Stored(documents.merged(held, fields), held.version + 1, before)
        now = await asyncio.to_thread(self._replace, self._secret(held.target), new)
        # Of a document that is not the one just written, the fields tell: perhaps it was us, in a
        # try that was not waited for.
        if not documents.carries(now.document, fields):
            return Conflict()
        return documents.held(held.target, now.document, now.version)

    async def former(self, target: Target, fits: Callable[[Secret], bool]) -> Secret | None:
        """Look at the one value that was there before."""
        stored = await asyncio.to_thread(_read, self._secret(target))
        value = documents.held(target, stored.previous or {}, 0).value
        return value if value is not None and fits(value) else None

    async def load(self, policy: str) -> tuple[Journal, int]:
        """Read the file."""
        file = self._journal(policy)
        stored = await asyncio.to_thread(_read, file)
        if not stored.version:
            return Journal(), 0
        return journals.decode(stored.document, place=f"the journal {file}"), stored.version

    async def save(self, policy: str, journal: Journal, version: int) -> int | Conflict:
        """Replace the file."""
        new = _Stored(journals.encode(journal), version + 1)
        now = await asyncio.to_thread(self._replace, self._journal(policy), new)
        return now.version if now.document == new.document else Conflict()

    async def close(self) -> None:
        """Nothing is kept open."""

    def _secret(self, target: Target) -> Path:
        path = f"{target.mount}/{target.path}" if target.mount else target.path
        return self._file("secrets", path)

    def _journal(self, policy: str) -> Path:
        return self._file("journal", policy)

    def _file(self, kind: str, path: str) -> Path:
        *folders, name = documents.segments(path)
        return self._directory.joinpath(kind, *folders, f"{name}.json")

    def _replace(self, file: Path, new: _Stored) -> _Stored:
        """Write ``new`` over the version before it. What is there afterwards, new or not."""
        with translated(file), self._locked(file):
            now = _read(file)
            if now.version != new.version - 1:
                return now
            _write(file, new)
            return new

    @contextlib.contextmanager
    def _locked(self, file: Path) -> Iterator[None]:
        """Hold the lock of ``file`` against other threads and processes."""
        number = zlib.crc32(os.fsencode(file.relative_to(self._directory))) % _LOCKS
        lock = self._directory / "locks" / f"{number:02}"
        make_directory(lock.parent)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(descriptor, file)
            yield
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int, file: Path) -> None:
    give_up = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise Unavailable(
                    f"{file} is locked by another process for {_LOCK_TIMEOUT:g} s now"
                ) from None
        time.sleep(_LOCK_PAUSE)


def _read(file: Path) -> _Stored:
    with translated(file):
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            return _Stored({}, 0)
    try:
        envelope = json.loads(text)
        version, document = envelope["version"], envelope["data"]
        previous = envelope.get("previous")
    except (ValueError, KeyError, TypeError, RecursionError):
        version, document, previous = None, None, None
    if type(version) is not int or version < 1 or not isinstance(document, dict):
        # Without the parser's words: they may quote the secret.
        raise Unreadable(
            f"{file} is damaged, or not a document of rotator",
            remedy="restore it from a backup, or move it away",
        )
    return _Stored(document, version, previous if isinstance(previous, dict) else None)


def _write(file: Path, stored: _Stored) -> None:
    """Replace ``file`` so that it is there, whole, when this returns. Needs the lock."""
    make_directory(file.parent)
    # The lock makes a fixed name safe, and a crash leaves one file behind at most: the next write
    # reuses it.
    draft = file.with_name(f".{file.name}.draft")
    envelope = {"version": stored.version, "data": stored.document}
    if stored.previous is not None:
        envelope["previous"] = stored.previous
    text = json.dumps(envelope).encode()
    descriptor = os.open(
        draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    with os.fdopen(descriptor, "wb") as handle:
        os.fchmod(handle.fileno(), 0o600)
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(file)
    sync_directory(file.parent)


def make_directory(path: Path) -> None:
    """Make ``path`` with its parents, 0700, and see that they survive a power cut."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """See that what was made or removed in ``path`` survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prove_writable(files: Sequence[Path]) -> None:
    """See that each of ``files`` could be written, its directory perhaps be made.

    Raises:
        RotatorError: One could not.
    """
    for folder in {file.parent for file in files}:
        with translated(folder):
            existing = next(path for path in (folder, *folder.parents) if path.exists())
            if not existing.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
            if not os.access(existing, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "Permission denied")
            if not os.statvfs(existing).f_bavail:
                raise OSError(errno.ENOSPC, "No space left on device")


def _lack(file: Path) -> Lack | None:
    try:
        prove_writable([file])
    except RotatorError as error:
        return Lack(error.message, error.remedy)
    return None


@contextlib.contextmanager
def translated(file: Path, *, wrong: str = _WHERE) -> Iterator[None]:
    """The errors of the file system in our own terms."""
    try:
        yield
    except OSError as error:
        raise _failure(error, f"{error.filename or file}: {error.strerror}", wrong) from error


def _failure(error: OSError, words: str, wrong: str = _WHERE) -> RotatorError:
    if error.errno in _FULL:
        return Temporary(words, remedy="make room")
    if error.errno in _DENIED:
        return NotPermitted(words, remedy="let the user that rotator runs as write there")
    if error.errno in _WRONG:
        return Rejected(words, remedy=wrong)
    return Unavailable(words)

"""A file with a key in it, replaced at once and never seen half or with other permissions.

The new content goes to a draft beside the file, which gets its owner and mode, is synced and only
then renamed into place. Drafts that a crash left behind are removed. For each hook that is to
hear of a change there is a marker beside the file, made before the change shows and removed when it
has heard: what a crash interrupts is made up for.

Any of that may hang, as where the server of a mount is gone. So each file has a thread of its own,
which is given a while. One that was given up puts no key into place any more, and no other is begun
before it is back: an old key is not to come late, over a newer one.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import secrets
import stat
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from rotator.adapters.files import prove_writable, sync_directory, translated
from rotator.adapters.threads import Threads
from rotator.afterwards import Change
from rotator.errors import NotPermitted, Rejected, RotatorError, Temporary
from rotator.sinks.render import Format, facts_of, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rotator.afterwards import Hook
    from rotator.journal import Current
    from rotator.secrets import Masked, Secret

T = TypeVar("T")

#: Seconds, and plenty: where a file always took longer, it would never get its key.
PATIENCE = 10.0
#: Seconds after which a draft is nobody's: writing one takes milliseconds.
_ABANDONED = 60.0
_HANGS = "see whether what is mounted there answers"
_WRONG = "see that the directory is there, and that the path is one of a file"


@dataclass(frozen=True, slots=True)
class FileSink:
    """Implements :class:`rotator.afterwards.Sink`.

    Args:
        file: Where.
        mode: Its permissions.
        owner: ``user``, ``user:group`` or ``:group``, by name or number; None: whoever we are.
        form: How the key is laid out.
        names: Facts, and the names under which they stand.
        hooks: Who hears of a change, by name.
        threads: Who is at which file, in all of this process.
    """

    file: Path
    mode: int = 0o600
    owner: str | None = None
    form: Format = "raw"
    names: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    threads: dict[Path, Threads] = field(default_factory=dict, compare=False, repr=False)

    @property
    def place(self) -> str:
        """Where it is, for events."""
        return str(self.file)

    def obstacle(self) -> RotatorError | None:
        """That the directory is not there or takes nothing, or that there is no such owner."""
        try:
            self._find_directory()
            prove_writable([self.file])
            _ids(self.owner)
        except RotatorError as error:
            return error
        return None

    async def update(self, secret: Secret, current: Current | None, change: str) -> bool:
        """Let the file hold ``secret``. Whether that changed anything."""
        content = rendered(self.form, self.names, secret, facts_of(secret, current))
        given_up = threading.Event()
        try:
            return await self._in_time(lambda: self._update(content, change, given_up))
        finally:
            given_up.set()

    async def waiting(self) -> tuple[Change, ...]:
        """Hooks that have not heard yet, by their markers."""
        return await self._in_time(self._waiting)

    async def heard(self, change: Change) -> None:
        """Remove the marker, unless it is of a later change by now."""
        await self._in_time(lambda: self._heard(change))

    async def _in_time(self, work: Callable[[], T]) -> T:
        if self.file not in self.threads:
            self.threads[self.file] = Threads(
                "file", f"writing {self.file}", remedy=_HANGS, most=1, patience=PATIENCE
            )
        return await self.threads[self.file].in_time(work)

    def _update(self, content: Masked[bytes], change: str, given_up: threading.Event) -> bool:
        with translated(self.file, wrong=_WRONG):
            self._find_directory()
            self._sweep()
            owner = _ids(self.owner)
            if self._holds(content, owner):
                return False
            draft = self._draft(content, owner)
            try:
                self._put(draft, change, given_up)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            sync_directory(self.file.parent)
            return True

    def _put(self, draft: Path, change: str, given_up: threading.Event) -> None:
        for hook in self.hooks:
            self._marker(hook).write_text(change, encoding="utf-8")
        if given_up.is_set():
            # Another process may have put a newer key there meanwhile. (A renaming that hangs can
            # come late itself; the next look at the file finds it and mends it.)
            raise Temporary(f"{self.file} was given up")
        draft.replace(self.file)

    def _find_directory(self) -> None:
        if not self.file.parent.is_dir():
            words = f"there is no directory {self.file.parent}"
            raise Rejected(words, remedy="make it, or mount it")

    def _waiting(self) -> tuple[Change, ...]:
        found: list[Change] = []
        with translated(self.file, wrong=_WRONG):
            for hook in self.hooks:
                with contextlib.suppress(FileNotFoundError):
                    marker = self._marker(hook)
                    age = max(0.0, time.time() - marker.stat().st_mtime)
                    change = marker.read_text(encoding="utf-8")
                    found.append(Change(hook, change, timedelta(seconds=age)))
        return tuple(found)

    def _heard(self, change: Change) -> None:
        with translated(self.file, wrong=_WRONG), contextlib.suppress(FileNotFoundError):
            marker = self._marker(change.hook)
            if marker.read_text(encoding="utf-8") == change.id:
                marker.unlink()

    def _marker(self, hook: str) -> Path:
        return self.file.with_name(f".{self.file.name}.{hook}.waiting")

    def _sweep(self) -> None:
        """Remove drafts whose writers are gone."""
        for path in self.file.parent.iterdir():
            if path.name.startswith(f".{self.file.name}.") and path.name.endswith(".draft"):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - path.lstat().st_mtime > _ABANDONED:
                        path.unlink()

    def _holds(self, content: Masked[bytes], owner: tuple[int, int]) -> bool:
        """Whether nothing is to be done."""
        try:
            status = self.file.lstat()
            plain = stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == self.mode
            mine = owner[0] in {-1, status.st_uid} and owner[1] in {-1, status.st_gid}
            return plain and mine and self.file.read_bytes() == content.reveal()
        except (FileNotFoundError, PermissionError):
            return False

    def _draft(self, content: Masked[bytes], owner: tuple[int, int]) -> Path:
        """The new file, whole and synced, under another name."""
        draft = self.file.with_name(f".{self.file.name}.{secrets.token_hex(8)}.draft")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content.reveal())
                handle.flush()
                self._give_away(handle.fileno(), owner)
                os.fchmod(handle.fileno(), self.mode)
                os.fsync(handle.fileno())
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return draft

    def _give_away(self, descriptor: int, owner: tuple[int, int]) -> None:
        if owner == (-1, -1):
            return
        try:
            os.fchown(descriptor, *owner)
        except PermissionError:
            raise NotPermitted(
                f"{self.file} may not be given to {self.owner}",
                remedy="run rotator as that user and in that group, or allow it CAP_CHOWN",
            ) from None


def _ids(owner: str | None) -> tuple[int, int]:
    """Numbers for chown(2), which takes -1 for "as it is".

    Raises:
        Rejected: There is no such user or group.
    """
    user, _, group = (owner or "").partition(":")
    try:
        uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid if user else -1
        gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group else -1
    except KeyError:
        raise Rejected(
            f"there is no user or group {owner!r} here", remedy="name it by its number"
        ) from None
    return uid, gid

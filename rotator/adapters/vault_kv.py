"""The two KV engines: how each reads, writes and names its paths.

Version 2 keeps versions and does check-and-set. Version 1 has neither: there, a write compares
what it finds with what was read before, one write of this process at a time. With others, that
narrows the race to a moment and cannot close it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rotator.adapters.vault_errors import Refused, translated
from rotator.adapters.vault_http import part
from rotator.errors import NotFound, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.adapters.vault_http import Api, Json
    from rotator.errors import RotatorError

#: Seconds that a write to version 1 waits for another: its thread is missing elsewhere meanwhile.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path; ``version`` is 0 where nothing ever was."""

    document: Json
    version: int


class Engine(Protocol):
    """One version of the KV engine."""

    def acl_path(self, mount: str, path: str) -> str:
        """The path that a policy must allow."""
        ...

    def read(self, api: Api, mount: str, path: str) -> Found:
        """What is there now."""
        ...

    def write(self, api: Api, mount: str, path: str, new: Json, old: Found) -> int | None:
        """Write over ``old``. The new version, or None when ``old`` is not current."""
        ...


class V2:
    """Versioned, with check-and-set."""

    def acl_path(self, mount: str, path: str) -> str:
        """Below ``data/``."""
        return f"{mount}/data/{path}"

    def read(self, api: Api, mount: str, path: str) -> Found:
        """The current version. A deleted or destroyed one is empty and keeps its number."""
        try:
            answer = part(api.read_v2(mount, path), "data")
        except Refused as refused:
            return _nothing(refused)
        return Found(part(answer, "data"), _version(part(answer, "metadata"), mount, path))

    def earlier(self, api: Api, mount: str, path: str) -> Iterator[Json]:
        """What was there before, the latest first, as far back as it is kept."""
        for version in range(self.read(api, mount, path).version - 1, 0, -1):
            try:
                answer = api.read_v2(mount, path, version).get("data") or {}
            except Refused as refused:
                _nothing(refused)
                return
            yield answer.get("data") or {}

    def write(self, api: Api, mount: str, path: str, new: Json, old: Found) -> int | None:
        """One request."""
        try:
            answer = api.write_v2(mount, path, new, cas=old.version)
        except Refused as refused:
            if refused.mismatched:
                return None
            raise
        return _version(part(answer, "data"), mount, path)


class _Turns:
    """One write at a time to each secret, whichever store of this process it comes from."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._freed = threading.Condition()

    @contextmanager
    def of(self, place: str) -> Iterator[bool]:
        """Whether ``place`` is ours until the block ends; another one may have it for too long."""
        with self._freed:
            ours = self._freed.wait_for(lambda: place not in self._taken, _PATIENCE)
            if ours:
                self._taken.add(place)
        try:
            yield ours
        finally:
            if ours:
                with self._freed:
                    self._taken.remove(place)
                    self._freed.notify_all()


_TURNS = _Turns()


class V1:
    """Unversioned."""

    def acl_path(self, mount: str, path: str) -> str:
        """As it is."""
        return f"{mount}/{path}"

    def read(self, api: Api, mount: str, path: str) -> Found:
        """The secret; its version is 1, for being there."""
        try:
            return Found(part(api.read_v1(mount, path), "data"), 1)
        except Refused as refused:
            return _nothing(refused)

    def write(self, api: Api, mount: str, path: str, new: Json, old: Found) -> int | None:
        """Read, compare, write. Two of ours at once would find the same, and one undo the other."""
        with _TURNS.of(self.acl_path(mount, path)) as ours:
            if not ours or self.read(api, mount, path).document != old.document:
                return None
            api.write_v1(mount, path, new)
        return 1


class Engines:
    """Which engine a mount has; asked once."""

    def __init__(self) -> None:
        self._known: dict[str, Engine] = {}

    def of(self, api: Api, mount: str) -> Engine:
        """The engine of ``mount``.

        Vault tells whoever may do anything at all below the mount. It denies others, and those
        who ask for a mount that is not there: then we go on as with version 2, whose paths cannot
        be mistaken for something else, and the next request meets the real reason.

        Raises:
            NotFound, Rejected: There is something else at ``mount``.
        """
        known = self._known.get(mount)
        if known:
            return known
        try:
            facts = part(api.mount(mount), "data")
        except Refused as refused:
            if refused.denied:
                return V2()
            raise
        return self._known.setdefault(mount, self._engine(mount, facts))

    def knows(self, mount: str) -> bool:
        """Whether Vault has told of ``mount``, and not only denied."""
        return mount in self._known

    def tried(self, api: Api, mount: str) -> Engine | RotatorError:
        """The engine of ``mount``, or why there is none."""
        try:
            return self.of(api, mount)
        except Refused as refused:
            if refused.passing:
                raise
            return translated(refused)
        except (NotFound, Rejected) as error:
            return error

    @staticmethod
    def _engine(mount: str, facts: Json) -> Engine:
        if facts.get("type") not in {"kv", "generic"}:
            raise Rejected(
                f"the mount {mount} is of type {facts.get('type')}, not kv",
                remedy="name the mount of a KV engine",
            )
        options = part(facts, "options")
        return V2() if options.get("version") == "2" else V1()


def _nothing(refused: Refused) -> Found:
    """A 404 without a word is an empty place; with one, it is a mistake in the configuration."""
    if refused.status == 404 and not refused.said:  # noqa: PLR2004
        return Found({}, 0)
    raise refused


def _version(facts: Json, mount: str, path: str) -> int:
    version = facts.get("version")
    if isinstance(version, int) and not isinstance(version, bool):
        return version
    raise NotFound(
        f"{mount}/{path}: the answer has no version, so this is not KV version 2",
        remedy="check `mount`, and that it is a KV engine",
    )

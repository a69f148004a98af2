"""The two KV engines of the Vault stand-in. Pure: the time comes as an argument.

Behaviour, statuses and texts as seen on OpenBao 2.0; the contract tests run the same cases on both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Json = dict[str, Any]

_KEPT_VERSIONS = 10
_MISMATCH = "check-and-set parameter did not match the current version"
_REQUIRED = "check-and-set parameter required for this call"
_UNVERSIONED = "Invalid path for a versioned K/V secrets engine."


class Answer(Exception):
    """An answer other than a plain success; ``body`` is the whole of it."""

    def __init__(self, status: int, *errors: str, body: Json | None = None) -> None:
        super().__init__(status, *errors)
        self.status = status
        self.body = {"errors": list(errors)} if body is None else body
        self.headers: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as an engine sees it: ``path`` is below its mount."""

    method: str
    path: str
    body: Json
    query: Mapping[str, str]
    now: datetime


@dataclass(slots=True)
class _Version:
    data: Json | None
    created: datetime
    deleted: datetime | None = None
    destroyed: bool = False

    def metadata(self, number: int) -> Json:
        return {
            "version": number,
            "created_time": self.created.isoformat(),
            "deletion_time": self.deleted.isoformat() if self.deleted else "",
            "destroyed": self.destroyed,
            "custom_metadata": None,
        }


@dataclass(slots=True)
class _Entry:
    current: int = 0
    versions: dict[int, _Version] = field(default_factory=dict)
    cas_required: bool = False


class KvV1:
    """Unversioned."""

    version = "1"

    def __init__(self) -> None:
        self._secrets: dict[str, Json] = {}

    def holds(self, path: str) -> bool:
        """Whether a write to ``path`` is an update."""
        return path in self._secrets

    def answer(self, call: Call) -> Json | None:
        """What a request gets: ``data`` of the answer, or None for 204."""
        match call.method:
            case "GET" if call.path in self._secrets:
                return self._secrets[call.path]
            case "POST" | "PUT":
                self._secrets[call.path] = call.body
            case "DELETE":
                self._secrets.pop(call.path, None)
            case "LIST":
                return _keys(self._secrets, call.path)
            case _:
                raise Answer(404)
        return None


class KvV2:
    """Versioned, with check-and-set."""

    version = "2"

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def holds(self, path: str) -> bool:
        """Whether a write to ``path`` is an update."""
        return path.partition("/")[2] in self._entries

    def answer(self, call: Call) -> Json | None:
        """What a request gets: ``data`` of the answer, or None for 204."""
        kind, _, path = call.path.partition("/")
        verb = "POST" if call.method == "PUT" else call.method
        match kind, verb:
            case "data", "GET":
                return self._read(path, call)
            case "data", "POST":
                return self._write(path, call)
            case "data", "DELETE":
                self._delete(path, [self._current(path)], call.now)
            case "delete", "POST":
                self._delete(path, call.body.get("versions", []), call.now)
            case "undelete", "POST":
                for version in self._versions(path, call):
                    version.deleted = None
            case "destroy", "POST":
                for version in self._versions(path, call):
                    version.data, version.destroyed = None, True
            case "metadata", _:
                return self._metadata(path, verb, call)
            case _:
                raise Answer(404, body={"data": None, "warnings": [_UNVERSIONED]})
        return None

    def _current(self, path: str) -> int:
        return self._entries[path].current if path in self._entries else 0

    def _read(self, path: str, call: Call) -> Json:
        number = int(call.query.get("version") or 0) or self._current(path)
        entry = self._entries.get(path)
        if entry is None or number not in entry.versions:
            raise Answer(404)
        version = entry.versions[number]
        data = {"data": version.data, "metadata": version.metadata(number)}
        if version.destroyed or version.deleted:
            raise Answer(404, body={"data": {**data, "data": None}})
        return data

    def _write(self, path: str, call: Call) -> Json:
        entry = self._entries.get(path, _Entry())
        cas = (call.body.get("options") or {}).get("cas")
        if cas is None and entry.cas_required:
            raise Answer(400, _REQUIRED)
        if cas is not None and cas != entry.current:
            raise Answer(400, _MISMATCH)
        if not isinstance(call.body.get("data"), dict):
            raise Answer(400, "no data provided")
        entry.current += 1
        entry.versions[entry.current] = _Version(call.body["data"], call.now)
        entry.versions.pop(entry.current - _KEPT_VERSIONS, None)
        self._entries[path] = entry
        return entry.versions[entry.current].metadata(entry.current)

    def _delete(self, path: str, numbers: list[int], now: datetime) -> None:
        for number, version in self._entries.get(path, _Entry()).versions.items():
            if number in numbers and not version.deleted:
                version.deleted = now

    def _versions(self, path: str, call: Call) -> list[_Version]:
        versions = self._entries.get(path, _Entry()).versions
        return [versions[number] for number in call.body.get("versions", []) if number in versions]

    def _metadata(self, path: str, verb: str, call: Call) -> Json | None:
        match verb:
            case "GET" if path in self._entries:
                return self._facts(self._entries[path])
            case "POST":
                entry = self._entries.setdefault(path, _Entry())
                entry.cas_required = bool(call.body.get("cas_required"))
            case "DELETE":
                self._entries.pop(path, None)
            case "LIST":
                return _keys(self._entries, path)
            case _:
                raise Answer(404)
        return None

    @staticmethod
    def _facts(entry: _Entry) -> Json:
        return {
            "current_version": entry.current,
            "cas_required": entry.cas_required,
            "versions": {str(n): version.metadata(n) for n, version in entry.versions.items()},
        }


def _keys(paths: Mapping[str, object], folder: str) -> Json:
    """The names directly below ``folder``; those of folders end in a slash."""
    prefix = f"{folder.strip('/')}/".lstrip("/")
    below = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    names = {name + ("/" if rest else "") for name, rest, _ in (p.partition("/") for p in below)}
    if not names:
        raise Answer(404)
    return {"keys": sorted(names)}

"""Everything that can be seen of a running program from outside."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108 - looked into, not written


class Watch:
    """Sees a process and its children in /proc, and the files it makes, until the block ends.

    It looks a hundred times a second: what is gone sooner than that may be missed.

    Args:
        pid: The process.
        given: Variables that we gave it ourselves, whose values it may have in its environment.
        folder: Where all its files are, those for a moment too.
    """

    def __init__(self, pid, given, folder):
        self._pid, self._given, self._folder = pid, given, folder
        self._shared = _names(_SHARED)
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self.seen = {}

    def __enter__(self):
        self._looking = self._pool.submit(self._look)
        return self

    def __exit__(self, *_):
        self._over.set()
        self._pool.shutdown()
        self._looking.result()  # Who stopped looking has seen nothing, and would not say so.
        self._look_at_files()
        for name in _names(_SHARED) - self._shared:
            self._add("shared memory", f"{name}\n".encode() + _read(_SHARED / name))

    def _look(self):
        while not self._over.is_set():
            for pid in _family(self._pid):
                self._look_at(Path("/proc", pid), own=pid == str(self._pid))
            self._look_at_files()
            self._over.wait(0.01)

    def _look_at_files(self):
        """The names and contents of all files, and where links lead."""
        for path in _below(self._folder):
            content = _target(path) or _read(path)
            # Not the name itself, which may be what leaks, and would be shown by a test that fails.
            place = f"file {path.suffix or 'without a suffix'}"
            self._add(place, f"{path.relative_to(self._folder)}\n".encode() + content)

    def _look_at(self, proc, *, own):
        who = "own" if own else "child's"
        self._add(f"{who} argv", _read(proc / "cmdline"))
        variables = _read(proc / "environ").split(b"\0")
        given = tuple(f"{name}=".encode() for name in self._given)
        foreign = [one for one in variables if not (own and one.startswith(given))]
        self._add(f"{who} environment", b"\n".join(foreign))
        for thread in _names(proc / "task"):
            self._add(f"{who} thread name", _read(proc / "task" / thread / "comm"))
        for number in _names(proc / "fd"):
            link = proc / "fd" / number
            with contextlib.suppress(OSError):
                if "deleted" in str(link.readlink()):
                    self._add(f"{who} deleted file", _read(link))

    def _add(self, place, content):
        if content not in self.seen.get(place, b""):
            self.seen[place] = self.seen.get(place, b"") + b"\n" + content


class Wire:
    """Sees what is asked of a service, but for the place where a credential or a key belongs."""

    def __init__(self):
        self.seen = {}

    def around(self, app, service):
        async def watched(scope, receive, send):
            asked = [scope["raw_path"], scope.get("query_string", b"")]
            headers = scope.get("headers", ())
            asked += [value for name, value in headers if name not in _CREDENTIALS]
            place = f"request to {service}"
            self.seen[place] = self.seen.get(place, b"") + b"\n".join(asked) + b"\n"
            await app(scope, receive, send)

        return watched


_CREDENTIALS = {b"authorization", b"x-vault-token"}


def _below(folder):
    """All files and folders below ``folder``; one that goes meanwhile is no fault."""
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in (*folders, *files))


def _target(path):
    """Where a link leads; nothing of what is none."""
    try:
        return bytes(path.readlink())
    except OSError:
        return b""


def _family(pid):
    """A process and all below it, by id."""
    found = [str(pid)]
    for one in found:
        for thread in _names(Path("/proc", one, "task")):
            found += _read(Path("/proc", one, "task", thread, "children")).decode().split()
    return found


def _names(folder):
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""

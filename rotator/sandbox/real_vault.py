"""A real Vault or OpenBao in dev mode, where one is installed: for the demo and the tests.

In dev mode everything is in memory and gone when the process ends. The server sees an environment
of its own, so that it neither reads nor writes anybody's tokens or configuration.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROGRAMS = ("vault", "bao")
_HOST = "127.0.0.1"
_DEV = ("-dev", "-dev-no-store-token")
_SETTINGS = "server.hcl"
#: Seconds that a server may take to come up, and to go.
_START, _STOP = 30, 5


@dataclass(frozen=True, slots=True)
class RealVault:
    """A server that is up. ``unseal_key`` opens it again after ``sys/seal``."""

    address: str
    token: str
    unseal_key: str


def program() -> str | None:
    """The path of ``vault`` or ``bao``, or None where neither is installed."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


def version(path: str) -> str:
    """What the program calls itself, like ``OpenBao v2.0.0``."""
    told = subprocess.run([path, "version"], capture_output=True, text=True, check=False)  # noqa: S603 - from PATH
    return told.stdout.partition(",")[0].strip() or Path(path).name


@contextmanager
def running(path: str, *, settings: str = "") -> Iterator[RealVault]:
    """The server at ``path`` in dev mode, on a free port of loopback, until the block ends.

    ``settings`` are in the server's own language, over those of dev mode.

    Raises:
        RuntimeError: It did not come up.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="rotator-vault-") as home:
        log = Path(home, "server.log")
        port = _free_port()
        extra = []
        if settings:
            Path(home, _SETTINGS).write_text(settings, encoding="utf-8")
            extra = [f"-config={_SETTINGS}"]
        command = [path, "server", *_DEV, f"-dev-listen-address={_HOST}:{port}", *extra]
        process = _start(command, token=token, home=home, log=log)
        try:
            _wait(process, port, log)
            key = re.search(r"Unseal Key: (\S+)", log.read_text())
            yield RealVault(f"http://{_HOST}:{port}", token, key[1] if key else "")
        finally:
            _end(process)


def _start(command: Sequence[str], *, token: str, home: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - a program from PATH, with arguments of ours
            command,
            env={"PATH": os.environ.get("PATH", ""), "HOME": home, **_token(token)},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _token(token: str) -> dict[str, str]:
    """The root token, through the environment: arguments can be seen by everybody."""
    return {"VAULT_DEV_ROOT_TOKEN_ID": token, "BAO_DEV_ROOT_TOKEN_ID": token}


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + _START
    # The banner with the key comes last, after the port is open.
    while not (_healthy(port) and b"Unseal Key" in log.read_bytes()):
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"the dev server did not come up:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=1)
    try:
        connection.request("GET", "/v1/sys/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as listener:
        number: int = listener.getsockname()[1]
        return number

"""Secrets from where the configuration says, masked from the moment they are read."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from rotator.errors import Unauthenticated
from rotator.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rotator.settings.sections import SecretSource

_MOST = 64 * 1024
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def read_secret(source: SecretSource, environ: Mapping[str, str]) -> Secret:
    """The secret that ``source`` has now. Not for sources in Vault, which need Vault.

    Raises:
        Unauthenticated: There is none; the message names the variable or the file.
    """
    if source.env is not None:
        return _from_variable(source.env, environ)
    if source.file is not None:
        return _from_file(source.file)
    raise Unauthenticated("this secret lies in Vault, and cannot be read without it")


def fault_of(source: SecretSource, environ: Mapping[str, str]) -> str | None:
    """Why ``source`` gives no secret, with the remedy; None when it does, or lies in Vault."""
    if source.vault is not None:
        return None
    try:
        read_secret(source, environ)
    except Unauthenticated as error:
        return error.message
    return None


def fault_of_file(file: Path) -> str | None:
    """Why a file that holds no secret of ours, like a certificate, cannot be read; None if it can.

    Asked before a service is: down there a wrong path looks like a fault of the service.
    """
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        fault = error.strerror
    except ValueError:
        fault = "not the path of a file"
    return f"the file cannot be read: {fault}; name the right one, or allow it"


def _from_variable(name: str, environ: Mapping[str, str]) -> Secret:
    # Only what looks like a name is repeated: somebody may have written the secret itself.
    what = f"the variable {name}" if _CAPITALS.fullmatch(name) else "this variable"
    if name not in environ:
        raise Unauthenticated(f"{what} is not set; export it")
    return _secret(environ[name], what)


def _from_file(file: Path) -> Secret:
    shown = str(file)
    what = f"the file {shown}" if "/" in shown and shown.isprintable() else "this file"
    try:
        return _secret(_content(file, what), what)
    except FileNotFoundError:
        fault = "does not exist; create it, or mount it"
    except OSError as error:
        fault = f"cannot be read: {error.strerror}; allow it, or run as its owner"
    except ValueError:
        # Of the path, or of the content.
        fault = "is not text; name the right one"
    raise Unauthenticated(f"{what} {fault}")


def _content(file: Path, what: str) -> str:
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Unauthenticated(f"{what} is not a plain file; name the one that holds the secret")
    if status.st_size > _MOST:
        raise Unauthenticated(f"{what} is too large for a secret; name the right one")
    return file.read_text(encoding="utf-8")


def _secret(text: str, what: str) -> Secret:
    secret = text.strip()
    if not secret:
        raise Unauthenticated(f"{what} is empty; put the secret into it")
    if not (secret.isascii() and secret.isprintable()):
        words = "holds more than a secret; put that alone into it, on one line"
        raise Unauthenticated(f"{what} {words}")
    return Secret(secret)


def exposure_of(source: SecretSource) -> str | None:
    """A warning for a secret file that others may read. Kubernetes mounts secrets like that."""
    if source.file is None:
        return None
    try:
        mode = source.file.stat().st_mode
    except (OSError, ValueError):
        return None
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return None
    return f"others may read {source.file} ({stat.filemode(mode)}); chmod 600 it if you can"

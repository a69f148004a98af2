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

    from rotator.settings.schema import SecretSource

_MOST = 64 * 1024
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def read_secret(source: SecretSource, environ: Mapping[str, str]) -> Secret:
    """The secret that ``source`` has now. Not for sources in Vault, which need Vault.

    Raises:
        Unauthenticated: There is none; the message names the variable or the file.
    """
    fault = fault_of(source, environ)
    if fault is not None:
        raise Unauthenticated(fault)
    if source.env is not None:
        return Secret(environ[source.env].strip())
    if source.file is None:
        raise Unauthenticated("this secret lies in Vault, and cannot be read without it")
    try:
        return Secret(_content(source.file))
    except (OSError, ValueError):
        raise Unauthenticated(f"the secret file {source.file} cannot be read") from None


def fault_of(source: SecretSource, environ: Mapping[str, str]) -> str | None:
    """Why ``source`` gives no secret, with the remedy; None when it does, or lies in Vault."""
    if source.env is not None:
        return _fault_of_variable(source.env, environ)
    return None if source.file is None else _fault_of_file(source.file)


def _fault_of_variable(name: str, environ: Mapping[str, str]) -> str | None:
    # Only what looks like a name is repeated: somebody may have written the secret itself.
    what = f"the variable {name}" if _CAPITALS.fullmatch(name) else "this variable"
    if name not in environ:
        return f"{what} is not set; export it"
    return _fault_of_text(environ[name], what)


def _fault_of_file(file: Path) -> str | None:
    shown = str(file)
    what = f"the file {shown}" if "/" in shown and shown.isprintable() else "this file"
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return f"{what} is not a plain file; name the one that holds the secret"
        if status.st_size > _MOST:
            return f"{what} is too large for a secret; name the right one"
        return _fault_of_text(_content(file), what)
    except FileNotFoundError:
        return f"{what} does not exist; create it, or mount it"
    except OSError as error:
        return f"{what} cannot be read: {error.strerror}; allow it, or run as its owner"
    except ValueError:
        # Of the path, or of the content.
        return f"{what} is not text; name the right one"


def _fault_of_text(text: str, what: str) -> str | None:
    secret = text.strip()
    if not secret:
        return f"{what} is empty; put the secret into it"
    if not (secret.isascii() and secret.isprintable()):
        return f"{what} holds more than a secret; put that alone into it, on one line"
    return None


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


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()

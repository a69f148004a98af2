"""Secrets from where the configuration says, masked from the moment they are read."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from rotator.errors import Unauthenticated
from rotator.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rotator.settings.schema import SecretSource

_MOST = 64 * 1024


def read_secret(source: SecretSource, environ: Mapping[str, str]) -> Secret:
    """The secret that ``source`` has now. Not for sources in Vault, which need Vault.

    Raises:
        Unauthenticated: There is none; the message names the variable or the file.
    """
    fault = fault_of(source, environ)
    if fault is not None:
        raise Unauthenticated(fault)
    if source.env is not None:
        return Secret(environ[source.env])
    if source.file is None:
        raise Unauthenticated("this secret lies in Vault, and cannot be read without it")
    try:
        return Secret(_content(source.file))
    except (OSError, UnicodeDecodeError):
        raise Unauthenticated(f"the secret file {source.file} cannot be read") from None


def fault_of(source: SecretSource, environ: Mapping[str, str]) -> str | None:
    """Why ``source`` gives no secret, with the remedy; None when it does, or lies in Vault."""
    if source.env is not None:
        return _fault_of_variable(source.env, environ)
    return None if source.file is None else _fault_of_file(source.file)


def _fault_of_variable(name: str, environ: Mapping[str, str]) -> str | None:
    if name not in environ:
        return f"the variable {name} is not set; export it"
    return None if environ[name].strip() else f"the variable {name} is empty; set it"


def _fault_of_file(file: Path) -> str | None:
    try:
        if file.is_dir():
            return f"{file} is a directory; name the file in it"
        if file.stat().st_size > _MOST:
            return f"{file} is too large for a secret; name the right file"
        content = _content(file)
    except FileNotFoundError:
        return f"there is no file {file}; create it, or mount it"
    except UnicodeDecodeError:
        return f"{file} is not text; name the right file"
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}; allow it, or run as its owner"
    return None if content else f"the file {file} is empty; write the secret into it"


def exposure_of(source: SecretSource) -> str | None:
    """A warning for a secret file that others may read. Kubernetes mounts secrets like that."""
    if source.file is None:
        return None
    try:
        mode = source.file.stat().st_mode
    except OSError:
        return None
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return None
    return f"others may read {source.file} ({stat.filemode(mode)}); chmod 600 it if you can"


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip("\r\n")

"""What tells whether the files of a configuration may have changed, without reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.settings.documents import files_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Stamp = tuple[tuple[str, tuple[int, ...]], ...]


def stamp_of(paths: Sequence[Path]) -> Stamp:
    """Which files ``paths`` mean, and which ones those are today.

    Links are followed: Kubernetes changes a ConfigMap by pointing a link to another directory, and
    leaves what is mounted in its place.
    """
    return tuple((str(file), _identity(file)) for path in paths for file in files_of(path, []))


def _identity(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

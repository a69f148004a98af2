"""Libraries that load others wherever they find them, for what we have no use for."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without(module: str) -> Iterator[None]:
    """Let ``module`` seem not to be installed, unless it is loaded already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment] # As the import system defines it.
    try:
        yield
    finally:
        del sys.modules[module]

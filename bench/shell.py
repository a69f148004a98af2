"""The shell script that people have, with the CLI that is on PATH."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import seconds

if TYPE_CHECKING:
    from bench.stage import Keys

_SCRIPT = Path(__file__).with_name("shell.sh")


def cli() -> str | None:
    """The name of Vault's CLI; None where there is none, or no curl."""
    found = next(filter(shutil.which, ("vault", "bao")), None)
    return found if shutil.which("curl") else None


def rotated(keys: Keys, count: int) -> float:
    """Seconds that the script takes for the first ``count`` keys."""
    pairs = [f"{key['name']}={key['id']}" for key in keys.keys[:count]]
    environ = {**keys.environ, "VAULT_CLI": str(cli())}
    return seconds([str(_SCRIPT), keys.place, *pairs], environ)

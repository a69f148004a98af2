"""What it takes to begin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.measuring import Finding, compared, in_turns
from bench.processes import seconds
from bench.stage import RESTING, ROTATOR, provided

if TYPE_CHECKING:
    from bench.stage import Bench


def run(bench: Bench) -> list[Finding]:
    """The version, and a pass with nothing due, against Python itself and the two libraries."""
    turns = bench.some(40, 5)
    version = in_turns(
        lambda: seconds([ROTATOR, "--version"]),
        lambda: seconds([sys.executable, "-c", "pass"]),
        turns=turns,
    )
    with provided(bench, 1, RESTING) as keys:
        command = [ROTATOR, "run", "--once", "--config", str(keys.config())]
        passing = in_turns(
            lambda: seconds(command, keys.environ),
            lambda: seconds([sys.executable, "-c", "import httpx, hvac"]),
            turns=turns,
        )
    libraries = '`python -c "import httpx, hvac"`'
    return [
        compared("`rotator --version`", "`python -c pass`", version, 3),
        compared("`run --once` with nothing due", libraries, passing, 1.5),
    ]

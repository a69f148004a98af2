"""One key by hand, as a whole process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import shell
from bench.measuring import Finding, compared, in_turns
from bench.processes import seconds
from bench.stage import DUE, ROTATOR, provided

if TYPE_CHECKING:
    from bench.stage import Bench


def run(bench: Bench) -> list[Finding]:
    """Against the shell script with one key. Nothing where there is no CLI."""
    if shell.cli() is None:
        return []

    def ours() -> float:
        with provided(bench, 1, DUE) as keys:
            config = str(keys.config())
            command = [ROTATOR, "run", "--rotate", keys.keys[0]["name"], "--config", config]
            return seconds(command, keys.environ)

    def theirs() -> float:
        with provided(bench, 1, DUE) as keys:
            return shell.rotated(keys, 1)

    pairs = in_turns(ours, theirs, turns=bench.some(20, 3))
    against = "the shell script, one key"
    return [compared("`rotator run --rotate NAME`, whole process", against, pairs, 2.5)]

"""A pass over many keys, against what people use now."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench import shell
from bench.measuring import Finding, in_turns
from bench.processes import seconds
from bench.stage import DUE, ROTATOR, provided

if TYPE_CHECKING:
    from bench.stage import Bench


def run(bench: Bench) -> list[Finding]:
    """How many times faster. Nothing where there is no CLI."""
    if shell.cli() is None:
        return []
    count = bench.some(200, 20)

    def ours() -> float:
        with provided(bench, count, DUE) as keys:
            command = [ROTATOR, "run", "--once", "--config", str(keys.config())]
            return seconds(command, keys.environ)

    def theirs() -> float:
        with provided(bench, count, DUE) as keys:
            return shell.rotated(keys, count)

    pairs = in_turns(ours, theirs, turns=bench.some(5, 1), warm_up=bench.some(1, 0))
    return [
        Finding(
            f"{count} keys by `run --once`",
            f"a shell loop of `curl` and the `{shell.cli()}` CLI",
            f"{median(pairs.ours):.3g} s",
            f"{median(pairs.theirs):.3g} s",
            1 / pairs.ratio,
            15,
            unit="times faster",
            at_least=True,
        )
    ]

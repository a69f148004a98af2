"""Two things measured in turns, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Pairs:
    """Measures of ours and of theirs, one of each a turn, in the same unit."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return median(self.ours) / median(self.theirs)

    @property
    def spread(self) -> str:
        """Where the middle half of the turns lies."""
        ratios = [one / other for one, other in zip(self.ours, self.theirs, strict=True)]
        if len(ratios) == 1:
            return "one turn"
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        return f"{low:.2f} … {high:.2f}"

    def tail(self, hundredth: int) -> float:
        """The ratio of the given percentiles."""
        return percentile(self.ours, hundredth) / percentile(self.theirs, hundredth)


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the table. ``value`` is what is held against ``goal``; for people, the rest."""

    what: str
    against: str
    ours: str
    theirs: str
    value: float
    goal: float
    unit: str = ""
    spread: str = ""
    #: The goal is a least value, not a greatest.
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal


@dataclass(frozen=True, slots=True)
class Curve:
    """What the chart shows: by the number of policies."""

    name: str
    unit: str
    points: list[tuple[int, float]]


def in_turns(
    ours: Callable[[], float], theirs: Callable[[], float], *, turns: int, warm_up: int = 1
) -> Pairs:
    """Call both in turns; the first ``warm_up`` turns do not count."""
    pairs = Pairs()
    for turn in range(warm_up + turns):
        one, other = ours(), theirs()
        if turn >= warm_up:
            pairs.ours.append(one)
            pairs.theirs.append(other)
    return pairs


def compared(what: str, against: str, pairs: Pairs, goal: float, *, unit: str = "ms") -> Finding:
    """A line that holds the medians, of seconds, against each other."""
    scale = 1e3 if unit == "ms" else 1.0
    return Finding(
        what,
        against,
        f"{median(pairs.ours) * scale:.4g} {unit}",
        f"{median(pairs.theirs) * scale:.4g} {unit}",
        pairs.ratio,
        goal,
        spread=pairs.spread,
    )


def percentile(values: list[float], hundredth: int) -> float:
    """By interpolation."""
    return quantiles(values, n=100, method="inclusive")[hundredth - 1]

"""The shortest history that still breaks an invariant, by leaving things out (delta debugging)."""

import re

import sim_history


def kind_of(words):
    """What is violated, by its words without names and numbers."""
    return re.sub(r"\b(?!S\d:)\w*\d\w*", "N", words)[:100]


def shortest(seed):
    """What must stay of the history of ``seed``, and how it goes then.

    Raises:
        AssertionError: It does not break a second time.
    """
    whole = sim_history.play(seed)
    assert whole.violation, f"{seed} does not break a second time"
    kind = kind_of(whole.violation)
    kept = _fewest(whole.parts, lambda rest: kind == _breaks(seed, whole.parts, rest))
    return kept, sim_history.play(seed, traced=True, without=frozenset(whole.parts) - set(kept))


def _breaks(seed, parts, rest):
    """What kind of violation there is with the ``rest`` of all ``parts`` alone."""
    return kind_of(sim_history.play(seed, without=frozenset(parts) - set(rest)).violation or "")


def _fewest(parts, breaks):
    """A part of ``parts`` that breaks, and of which nothing can be left out."""
    size = max(1, len(parts) // 2)
    while parts:
        smaller = next(
            (
                rest
                for at in range(0, len(parts), size)
                if breaks(rest := parts[:at] + parts[at + size :])
            ),
            None,
        )
        if smaller is not None:
            parts, size = smaller, min(size, max(1, len(smaller) // 2))
        elif size == 1:
            return parts
        else:
            size //= 2
    return parts

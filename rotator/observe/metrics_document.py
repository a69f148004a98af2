"""Writes ``docs/metrics.md``: ``python -m rotator.observe.metrics_document``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rotator.observe import metrics_catalogue as catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rotator.observe.metrics_catalogue import Metric

_INTRO = """\
# Metrics

<!-- Written by `python -m rotator.observe.metrics_document`: change metrics_catalogue.py. -->

`http: {}` in the configuration has the daemon serve them at `http://127.0.0.1:9321/metrics`, as
OpenMetrics to whoever accepts that, and as Prometheus' text format to others. A pass (`--once`,
`--rotate`) writes them with `--metrics-file FILE.prom` for the textfile collector of node_exporter:
only what is true at its end, and how it ended, since the counters of a process that ends at once
mean nothing.

- **Names are stable.** A metric never changes its meaning: it is retired, and a new one takes its
  place. New metrics, and new values of a label, may come with any release.
- **Units** are seconds, and the name says so. A moment is a timestamp (`_timestamp_seconds`), so
  what is left is `… - time()`: that stays right also when nobody has looked for a while.
- **Absent** means that there is none: a key that never expires has no expiry.
- **Cardinality** is bounded by the policies. One that leaves the configuration leaves the metrics.
- **No label holds a secret**, nor any part of a key.

How to use them, with alerts and a dashboard: [monitoring.md](monitoring.md).
"""
_GROUPS = (
    ("A policy", "Seen at the last look, or by an event since. Every label set has `policy`."),
    ("The process", "True in the moment of reading. The two of the token are about Vault only."),
    ("A pass", "How it ended. Only in the file of `--metrics-file`."),
    ("Counted", "In this process, from its start. Not in the file of a pass."),
)
_OTHERS = """\
Beside these there are `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_open_fds` and the like, as every Prometheus client has them.
"""


def document() -> str:
    """The whole of ``docs/metrics.md``."""
    others = (catalogue.PROCESS, catalogue.RUN, catalogue.COUNTED)
    of_policy = [metric for metric in catalogue.every() if all(metric not in one for one in others)]
    groups = zip(_GROUPS, (of_policy, *others), strict=True)
    tables = (line for (title, text), metrics in groups for line in _table(title, text, metrics))
    return "\n".join((_INTRO, *tables, _OTHERS))


def _table(title: str, text: str, metrics: Iterable[Metric]) -> Iterator[str]:
    yield f"## {title}\n\n{text}\n"
    yield "| metric | type | labels | meaning |"
    yield "| --- | --- | --- | --- |"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"  # noqa: RUF001 - a dash
        yield f"| `{metric.exported}` | {metric.kind} | {labels} | {metric.text} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(document())

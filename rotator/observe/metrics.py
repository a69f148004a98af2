"""The metrics in a registry of their own. The only importer of prometheus-client.

What is true at a moment is read from the board when somebody asks, so that a policy that is gone
leaves nothing behind. What can only be counted is counted here.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from rotator import __version__
from rotator.events import Event
from rotator.observe import metrics_catalogue as catalogue
from rotator.observe.board import outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from rotator.observe.board import Board
    from rotator.observe.metrics_catalogue import Metric

#: How a rotation ended, by the event that says so.
_ENDS = {
    Event.ROTATION_COMPLETED: "completed",
    Event.ROTATION_REPAIRED: "repaired",
    Event.ROTATION_FAILED: "failed",
    Event.KEY_REFUSED: "refused",
    Event.ROTATION_SUPERSEDED: "superseded",
}


class Metrics:
    """Counts, and answers in either format.

    Args:
        board: Where the rest is read.
    """

    def __init__(self, board: Board) -> None:
        # Each counter would come with the time of its birth, as a series of its own.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._board = board
        self._now = _Now(board)
        self._registry = CollectorRegistry()
        self._registry.register(self._now)
        ProcessCollector(registry=self._registry)
        self._requests = Counter(*_made(catalogue.REQUESTS), registry=self._registry)
        self._rotations = Counter(*_made(catalogue.ROTATIONS), registry=self._registry)
        self._events = Counter(*_made(catalogue.EVENTS), registry=self._registry)
        for event in Event:
            # From 0 on: that something happens for the first time is an increase, too.
            self._events.labels(str(event))
        self._request_seconds = self._histogram(catalogue.REQUEST_SECONDS)
        self._rotation_seconds = self._histogram(catalogue.ROTATION_SECONDS)
        self._danger_seconds = self._histogram(catalogue.DANGER_SECONDS)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(*_made(metric), buckets=metric.buckets, registry=self._registry)

    def called(self, service: str, operation: str, status: int | None, seconds: float, /) -> None:
        """See :class:`rotator.ports.Called`. The locks in here are held for microseconds."""
        self._requests.labels(service, operation, outcome_of(status)).inc()
        self._request_seconds.labels(service, operation).observe(seconds)

    def heard(self, event: Event, /, **fields: object) -> None:
        """See :class:`rotator.ports.Emit`."""
        self._events.labels(str(event)).inc()
        end = _ENDS.get(event)
        if end is None:
            return
        strategy, policy = str(fields.get("strategy") or "unknown"), fields["policy"]
        # One that began under a policy which is gone by now leaves nothing behind either.
        if self._board.knows(policy):
            self._rotations.labels(str(policy), strategy, end).inc()
        for histogram, name in (
            (self._rotation_seconds, "duration_seconds"),
            (self._danger_seconds, "danger_seconds"),
        ):
            seconds = fields.get(name)
            if isinstance(seconds, int | float):
                histogram.labels(strategy).observe(seconds)

    def keep(self, policies: Iterable[str]) -> None:
        """Forget what was counted of all policies but these."""
        gone = {
            sample.labels["policy"]
            for family in self._rotations.collect()
            for sample in family.samples
        } - set(policies)
        for policy in gone:
            self._rotations.remove_by_labels({"policy": policy})

    def answer(self, accept: str) -> tuple[str, bytes]:
        """Content type and text, in the format that ``accept``, a header, asks for."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self._registry)

    def write(self, file: Path) -> None:
        """Write what is true now, for node_exporter's textfile collector, and how the pass ended.

        Counters and histograms are left out: those of a process that ends at once begin anew in
        each run, and would only look like numbers that mean something.

        Raises:
            OSError: The file cannot be written.
        """
        text = generate_latest(self._now) + generate_latest(_Ended(self._board, _success(file)))
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                # Whoever reads it is another user.
                os.fchmod(stream.fileno(), 0o644)
                stream.write(text)
            draft.replace(file)
        except OSError:
            draft.unlink()
            raise


class _Now:
    """What is true in the moment of reading. A collector of prometheus-client's."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def describe(self) -> Iterable[Any]:
        """Nothing is read to register it."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the board."""
        board, rows = self._board, self._board.rows
        for gauge in catalogue.OF_POLICY:
            family = GaugeMetricFamily(gauge.name, gauge.text, labels=["policy"])
            for row in rows:
                value = gauge.value(row)
                if value is not None:
                    family.add_metric([row.policy], value)
            yield family
        yield self._leases()
        build = _family(catalogue.BUILD)
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        facts: tuple[tuple[Metric, float | datetime | None], ...] = (
            (catalogue.POLICIES, len(rows)),
            (catalogue.TURNED, board.turned_at),
            (catalogue.SKEW, board.skew),
            (catalogue.TOKEN_EXPIRY, board.token.ends),
            (catalogue.TOKEN_TTL, board.token.ttl),
        )
        for metric, fact in facts:
            family = _family(metric)
            value = catalogue.number(fact)
            if value is not None:
                family.add_metric([], value)
            yield family

    def _leases(self) -> GaugeMetricFamily:
        family = _family(catalogue.LEASE)
        for row in self._board.rows:
            known = row.standing
            if not (known and known.lease_owner and known.lease_until):
                continue
            if known.lease_until > self._board.now():
                family.add_metric([row.policy, known.lease_owner], known.lease_until.timestamp())
        return family


class _Ended:
    """How a pass ended, just now. A collector of prometheus-client's.

    Args:
        board: Where it is read.
        success: When an earlier one ended well, as seconds since 1970.
    """

    def __init__(self, board: Board, success: float | None) -> None:
        self._board = board
        self._success = success

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the board."""
        passed, now = self._board.passed, self._board.now().timestamp()
        facts = (
            (catalogue.RUN_ENDED, now),
            (catalogue.RUN_SUCCESS, now if passed and passed.good else self._success),
            (catalogue.RUN_SECONDS, passed.seconds if passed else None),
        )
        for metric, value in facts:
            family = _family(metric)
            if value is not None:
                family.add_metric([], value)
            yield family
        family = _family(catalogue.RUN_POLICIES)
        for outcome, count in passed.policies.items() if passed else ():
            family.add_metric([outcome], count)
        yield family


def _success(file: Path) -> float | None:
    """When a pass that has written ``file`` ended well."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    found = re.search(rf"^{catalogue.RUN_SUCCESS.name} ([0-9.e+]+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def _family(metric: Metric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.text, labels=list(metric.labels))


def _made(metric: Metric) -> tuple[str, str, tuple[str, ...]]:
    return metric.name, metric.text, metric.labels

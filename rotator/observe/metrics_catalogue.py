"""The metrics: their names, labels and meaning. ``docs/metrics.md`` is written from here.

Base units, and the suffixes of OpenMetrics. A point in time is a timestamp, never a length that
counts down: that goes on being right while nobody looks. No label has more values than there are
policies, save ``owner``, of which a policy has one at a time.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.observe.board import Row
    from rotator.standing import Past, Standing

Kind = Literal["gauge", "counter", "histogram"]

#: From the first milliseconds to the longest outage that a grace period is made for.
_DANGER = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1800, 3600)
_DURATION = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metric(NamedTuple):
    """A metric, its name without the ``_total`` of a counter's samples."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """The name as it is queried; of a histogram, without its suffixes."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


class OfPolicy(NamedTuple):
    """A gauge of each policy; no sample where ``value`` is None."""

    name: str
    text: str
    value: Callable[[Row], float | None]


def number(value: float | datetime | None) -> float | None:
    """A point in time as seconds since 1970, as samples have it."""
    return value.timestamp() if isinstance(value, datetime) else value


def _seen(fact: Callable[[Standing], float | datetime | None]) -> Callable[[Row], float | None]:
    """A fact about a policy that was looked at."""
    return lambda row: None if row.standing is None else number(fact(row.standing))


def _last(fact: Callable[[Past], float | datetime | None]) -> Callable[[Row], float | None]:
    """A fact about the last rotation."""
    return lambda row: number(fact(row.history[0])) if row.history else None


def _next_rotation(known: Standing) -> datetime | None:
    return known.ahead.at if known.ahead.action in {"refresh", "reissue"} else None


def _grace_deadline(row: Row) -> float | None:
    if row.undelivered or row.standing is None:
        return number(row.grace_deadline)
    ends = (old.until for old in row.standing.old_keys if not old.failures)
    return next((end.timestamp() for end in ends if end is not None), None)


OF_POLICY: tuple[OfPolicy, ...] = (
    OfPolicy(
        "rotator_policy_checked_timestamp_seconds",
        "When the policy was last looked at, and all that concerns it could be seen.",
        _seen(lambda known: known.now),
    ),
    OfPolicy(
        "rotator_policy_failing_since_timestamp_seconds",
        "Since when the policy cannot be looked after; absent while all is well.",
        lambda row: number(row.trouble.since) if row.trouble else None,
    ),
    OfPolicy(
        "rotator_key_created_timestamp_seconds",
        "Since when the policy's key has the secret it has.",
        _seen(lambda known: known.born_at),
    ),
    OfPolicy(
        "rotator_key_expiry_timestamp_seconds",
        "When the policy's key expires; absent for one that never does.",
        _seen(lambda known: known.outlook.expires_at),
    ),
    OfPolicy(
        "rotator_next_rotation_timestamp_seconds",
        "When the policy's key is to be rotated next; absent where nothing is foreseen.",
        _seen(_next_rotation),
    ),
    OfPolicy(
        "rotator_rotation_overdue_since_timestamp_seconds",
        "Since when a rotation is due that `suspend` stops; absent while none is.",
        _seen(lambda known: known.overdue_since),
    ),
    OfPolicy(
        "rotator_rotation_in_flight",
        "1 while a rotation is begun and not recorded, by whatever process.",
        _seen(lambda known: known.in_flight is not None),
    ),
    OfPolicy(
        "rotator_undelivered_keys",
        "Keys that this process has minted and the store did not take so far.",
        lambda row: int(row.undelivered),
    ),
    OfPolicy(
        "rotator_grace_deadline_timestamp_seconds",
        "When the replaced key that ends first stops working; absent when there is none.",
        _grace_deadline,
    ),
    OfPolicy(
        "rotator_old_keys",
        "Replaced keys that still work.",
        _seen(lambda known: len(known.old_keys)),
    ),
    OfPolicy(
        "rotator_retire_failures",
        "How often in a row revoking an old key has failed.",
        _seen(lambda known: max((old.failures for old in known.old_keys), default=0)),
    ),
    OfPolicy(
        "rotator_drift",
        "1 while the store holds another key than the provider has, and not by a rotation.",
        _seen(lambda known: known.drift is not None),
    ),
    OfPolicy(
        "rotator_last_rotation_timestamp_seconds",
        "When the last rotation ended, also that of another process.",
        _last(lambda last: last.finished_at),
    ),
    OfPolicy(
        "rotator_last_rotation_failed",
        "1 when the last rotation that ended brought no new key.",
        _last(lambda last: last.outcome == "failed"),
    ),
    OfPolicy(
        "rotator_last_rotation_duration_seconds",
        "How long the last rotation took, from its intent to its record.",
        _last(lambda last: last.duration_seconds),
    ),
    OfPolicy(
        "rotator_last_rotation_danger_seconds",
        "How long the last new key was in memory only; absent where another process delivered it.",
        _last(lambda last: last.danger_seconds),
    ),
)

LEASE = Metric(
    "rotator_lease_expiry_timestamp_seconds",
    "gauge",
    "Until when a process may mint for the policy; absent when none holds the lease.",
    ("policy", "owner"),
)
#: Of the process, and true in the moment of reading.
BUILD = Metric("rotator_build_info", "gauge", "1, with the versions in use.", ("version", "python"))
POLICIES = Metric("rotator_policies", "gauge", "Number of policies.")
TURNED = Metric(
    "rotator_loop_turned_timestamp_seconds",
    "gauge",
    "When the daemon's loop turned last: each second, unless something blocks it.",
)
SKEW = Metric(
    "rotator_clock_skew_seconds",
    "gauge",
    "Seconds by which the provider's clock is ahead of this machine's; 0 below a second.",
)
TOKEN_EXPIRY = Metric(
    "rotator_vault_token_expiry_timestamp_seconds",
    "gauge",
    "When the token for Vault ends; absent for one that never does.",
)
TOKEN_TTL = Metric(
    "rotator_vault_token_ttl_seconds",
    "gauge",
    "Life of the token for Vault when it was last given or prolonged; absent for one without end.",
)

#: Of a pass, at its end: what a batch job is judged by.
RUN_ENDED = Metric("rotator_run_completed_timestamp_seconds", "gauge", "When the last pass ended.")
RUN_SUCCESS = Metric(
    "rotator_run_success_timestamp_seconds",
    "gauge",
    "When a pass ended last with exit code 0: kept from file to file, absent until there is one.",
)
RUN_SECONDS = Metric(
    "rotator_run_duration_seconds",
    "gauge",
    "How long the last pass took; absent when a signal ended it.",
)
RUN_POLICIES = Metric(
    "rotator_run_policies",
    "gauge",
    "Policies of the last pass that were `rotated`, `failed`, `skipped` (another process was at "
    "them) or are `behind` (rotated perhaps, and a hook or a file lacks it).",
    ("outcome",),
)

#: Counted in this process, from its start.
REQUESTS = Metric(
    "rotator_requests",
    "counter",
    "Requests to `arize` (`list`, `mint`, `revoke`) and `vault` (`read`, `write`, `login`, "
    "`token`, `sys`), by what came of them: `ok`, `denied`, `not_found`, `refused`, or what speaks "
    "of the service and not of the request: `limited`, `unavailable`, `no_answer`.",
    ("service", "operation", "outcome"),
)
REQUEST_SECONDS = Metric(
    "rotator_request_duration_seconds",
    "histogram",
    "How long requests took.",
    ("service", "operation"),
    _REQUEST,
)
ROTATIONS = Metric(
    "rotator_rotations",
    "counter",
    "Rotations that ended: `completed`, `repaired` (a key was lost on the way), `failed` (the "
    "provider refused), `refused` (we refused the new key), `superseded` (another process did it).",
    ("policy", "strategy", "outcome"),
)
ROTATION_SECONDS = Metric(
    "rotator_rotation_duration_seconds",
    "histogram",
    "How long rotations took, from the intent to the record.",
    ("strategy",),
    _DURATION,
)
DANGER_SECONDS = Metric(
    "rotator_danger_window_seconds",
    "histogram",
    "How long new keys were in memory only: from the provider's answer to the store's.",
    ("strategy",),
    _DANGER,
)
EVENTS = Metric("rotator_events", "counter", "Events, by name; see docs/events.md.", ("event",))

PROCESS = (BUILD, POLICIES, TURNED, SKEW, TOKEN_EXPIRY, TOKEN_TTL)
RUN = (RUN_ENDED, RUN_SUCCESS, RUN_SECONDS, RUN_POLICIES)
COUNTED = (
    REQUESTS,
    REQUEST_SECONDS,
    ROTATIONS,
    ROTATION_SECONDS,
    DANGER_SECONDS,
    EVENTS,
)


def every() -> tuple[Metric, ...]:
    """All metrics of rotator's own."""
    of_policy = (Metric(one.name, "gauge", one.text, ("policy",)) for one in OF_POLICY)
    return (*of_policy, LEASE, *PROCESS, *RUN, *COUNTED)

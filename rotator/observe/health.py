"""Whether the process lives and whether it is ready, as JSON types. Reads the board.

Alive is a process whose loop turns: what a restart would mend, and nothing else. Ready is one whose
services answer and whose policies are all looked after: what a person wants to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rotator.observe.board import BOUND, UNDELIVERED
from rotator.observe.values import stamp
from rotator.standing import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rotator.observe.board import Board, Row, Service

Json = dict[str, object]


class Health(NamedTuple):
    """A verdict, with the facts behind it."""

    good: bool
    facts: Json


def liveness(board: Board) -> Health:
    """Whether the daemon's loop turns."""
    stuck = board.stuck_for
    good = stuck < BOUND.total_seconds()
    facts: Json = {"alive": good, "loop_turned_seconds_ago": round(stuck, 1)}
    if not good:
        facts["reason"] = f"the loop has not turned for {stuck:.0f} s; something blocks it"
    return Health(good, facts)


def readiness(board: Board) -> Health:
    """Whether the services answer and every policy is looked after, each with its reason."""
    services = {name: _service(one) for name, one in board.services.items()}
    policies = {row.policy: _policy(row, board.clean) for row in board.rows}
    reasons = [
        f"{name}: {facts['reason']}"
        for name, facts in (*services.items(), *policies.items())
        if not facts["ready"]
    ]
    alive = liveness(board)
    if not alive.good:
        reasons.insert(0, str(alive.facts["reason"]))
    facts: Json = {
        "ready": not reasons,
        "reasons": reasons,
        "services": services,
        "policies": policies,
    }
    return Health(not reasons, facts)


def _service(service: Service) -> Json:
    facts: Json = {"ready": not service.down, "last_request": _stamp(service.at)}
    facts |= {"outcome": service.outcome, "last_worked": _stamp(service.worked_at)}
    if service.down:
        facts["reason"] = _DOWN[service.outcome]
    return facts


def _policy(row: Row, clean: Callable[[str], str]) -> Json:
    reason = clean(_reason(row))
    facts: Json = {"ready": not reason}
    if row.standing is not None:
        facts |= {"state": row.standing.state, "last_look": _stamp(row.standing.now)}
    if row.trouble is not None:
        facts |= {"failing_since": _stamp(row.trouble.since), "error_code": row.trouble.code}
        facts |= {"remedy": row.trouble.remedy, "retry_at": _stamp(row.trouble.retry_at)}
    return facts | {"reason": reason} if reason else facts


def _reason(row: Row) -> str:
    """Why a policy is not well looked after; empty when it is."""
    if row.undelivered:
        return UNDELIVERED
    if row.trouble is not None:
        return row.trouble.error
    if row.standing is None:
        return "not looked at yet"
    person = row.standing.state is State.PERSON
    return row.standing.outlook.text if person else ""


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


_DOWN = {
    "limited": "asks for patience: too many requests",
    "unavailable": "answers that it cannot do its work now",
    "no_answer": "does not answer",
}

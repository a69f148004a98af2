"""What is known of every policy and every service at this moment, in this process.

The one place that the metrics, the health checks and the page read. It listens to events and is
shown every look and every request, in whatever thread they happen, and has no say in anything. Rows
are replaced, never changed, so that a reader in another thread sees one moment of each.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rotator.events import Event
from rotator.model import Mint, Refuse
from rotator.standing import past, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rotator.model import Snapshot, Step
    from rotator.standing import Past, Standing

#: How often the loop shows that it turns, and after how long it counts as stuck.
_BEAT, BOUND = timedelta(seconds=1), timedelta(seconds=30)
#: What came of a request, by the status of its answer: Vault has some of its own.
_OUTCOMES = {401: "denied", 403: "denied", 404: "not_found", 429: "limited"}
_OUTCOMES |= dict.fromkeys((412, 472, 473), "unavailable")
_FAMILIES = {2: "ok", 3: "refused", 4: "refused"}
#: What there is to say of an undelivered key, wherever it is told.
UNDELIVERED = "a new key is minted, and the store does not take it"
#: What is counted of the policies of a pass.
_CAME_OF_IT = ("rotated", "failed", "skipped", "behind")
#: Nothing is wrong with the request, and the service does not do its work.
_DOWN = {"limited", "unavailable", "no_answer"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a policy could not be looked after. All text is fit to be shown."""

    since: datetime
    error: str
    code: str
    remedy: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a policy. ``standing`` None: it was not looked at yet."""

    policy: str
    standing: Standing | None = None
    history: tuple[Past, ...] = ()
    trouble: Trouble | None = None
    #: A key of its rotation is minted and the store did not take it, so far.
    undelivered: bool = False
    #: Until when consumers may use the old key, of a rotation in flight; None: nothing ends it.
    grace_deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """What came of the last request to a service, and when it last did its work."""

    outcome: str = ""
    at: datetime | None = None
    worked_at: datetime | None = None

    @property
    def down(self) -> bool:
        """Whether it did not do its work when it was last asked."""
        return self.outcome in _DOWN


@dataclass(frozen=True, slots=True)
class Token:
    """Vault's token: when it ends, and the seconds it was given last; None: no end, or no token."""

    ends: datetime | None = None
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass that came to its end: seconds, and the number of policies by what came of them."""

    seconds: float
    policies: dict[str, int]

    @property
    def good(self) -> bool:
        """Whether it ends with exit code 0."""
        return not self.policies["failed"] and not self.policies["behind"]


class Board:
    """See above.

    Args:
        policies: The names of the policies.
        services: ``arize`` and, where keys go there, ``vault``.
        clean: Masks what looks like a secret in a text.
        now: The machine's clock.
        monotonic: Seconds, never going back.
    """

    def __init__(
        self,
        policies: Iterable[str],
        services: Iterable[str] = ("arize", "vault"),
        *,
        clean: Callable[[str], str] = str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = {name: Row(name) for name in policies}
        self.clean = clean
        self.now = now
        self._monotonic = monotonic
        self._turned = monotonic()
        self.services = {name: Service() for name in services}
        self.token = Token()
        self.skew = 0.0
        #: None in a daemon, and as long as a pass is under way.
        self.passed: Passed | None = None
        #: When the loop turned last; None where there is none that should.
        self.turned_at: datetime | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """One for each policy, in the order of the configuration."""
        return tuple(dict(self._rows).values())

    def knows(self, policy: object) -> bool:
        """Whether there is such a policy."""
        return policy in self._rows

    @property
    def stuck_for(self) -> float:
        """Seconds since the loop turned last."""
        return self._monotonic() - self._turned

    def keep(self, policies: Iterable[str]) -> None:
        """Forget all policies but these, and expect those that are new."""
        self._rows = {name: self._rows.get(name, Row(name)) for name in policies}

    async def keep_turning(self) -> None:
        """Show that the loop turns, until cancelled."""
        while True:
            self._turned, self.turned_at = self._monotonic(), self.now()
            await asyncio.sleep(_BEAT.total_seconds())

    def called(self, service: str, _: str, status: int | None, __: float, /) -> None:
        """See :class:`rotator.ports.Called`."""
        known, now, outcome = self.services.get(service, Service()), self.now(), outcome_of(status)
        worked_at = known.worked_at if outcome in _DOWN else now
        self.services[service] = Service(outcome, now, worked_at)

    def seen(self, s: Snapshot, step: Step) -> None:
        """See :class:`rotator.ports.World`."""
        row = self._rows.get(s.policy.name)
        if row is not None:
            self._put(
                replace(
                    row,
                    standing=standing(s),
                    history=tuple(past(record) for record in s.journal.history),
                    # That a rotation has begun does not say that it will end well.
                    trouble=row.trouble if isinstance(step, Refuse | Mint) else None,
                    undelivered=row.undelivered and s.journal.rotation is not None,
                )
            )

    def heard(self, event: Event, /, **fields: object) -> None:
        """See :class:`rotator.ports.Emit`."""
        row = self._rows.get(str(fields.get("policy")))
        match event:
            case Event.POLICY_FAILED | Event.POLICY_RETRYING if row is not None:
                self._put(replace(row, trouble=self._trouble(row, fields)))
            case Event.DELIVERY_FAILED if row is not None:
                deadline = _moment(fields.get("grace_deadline"))
                self._put(replace(row, undelivered=True, grace_deadline=deadline))
            case Event.KEY_DELIVERED | Event.ROTATION_SUPERSEDED if row is not None:
                self._put(replace(row, undelivered=False, grace_deadline=None))
            case Event.VAULT_LOGIN | Event.VAULT_RENEWED:
                self.token = self._token(fields.get("ttl_seconds"))
            case Event.PASS_COMPLETED:
                seconds = float(str(fields["duration_seconds"]))
                counts = {name: int(str(fields[name])) for name in _CAME_OF_IT}
                self.passed = Passed(seconds, counts)
            case Event.CLOCK_SKEWED:
                self.skew = float(str(fields["skew_seconds"]))
            case _:
                pass

    def _put(self, row: Row) -> None:
        self._rows[row.policy] = row

    def _trouble(self, row: Row, fields: dict[str, object]) -> Trouble:
        return Trouble(
            since=row.trouble.since if row.trouble else self.now(),
            error=self.clean(str(fields["error"])),
            code=str(fields["error_code"]),
            remedy=self.clean(str(fields["remedy"])),
            retry_at=_moment(fields.get("retry_at")),
        )

    def _token(self, ttl: object) -> Token:
        if not isinstance(ttl, int | float):
            return Token()
        return Token(self.now() + timedelta(seconds=ttl), float(ttl))


def outcome_of(status: int | None) -> str:
    """What an HTTP status says about a request, in a word out of few."""
    if status is None:
        return "no_answer"
    return _OUTCOMES.get(status) or _FAMILIES.get(status // 100, "unavailable")


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None

"""Looks at policies: many at once, none in another's way, and says how each look ended.

This is the boundary that no error of one policy crosses. The daemon, the CronJob and the person at
the terminal share it and everything below.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator import facts, words
from rotator.backoff import polite
from rotator.errors import RotatorError, Temporary
from rotator.events import Event
from rotator.flight import old_key_ends
from rotator.model import Locked, Notify, Refuse
from rotator.notices import behind
from rotator.notify.notifier import Notifier
from rotator.reconcile import Demand
from rotator.retirement import lingering
from rotator.sinks.keeper import Keeper
from rotator.strategy import expiry_margin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from rotator.events import Level
    from rotator.model import Policy, Snapshot, Wait
    from rotator.ports import World
    from rotator.reconcile import Looked, Reconciler


class Ending(StrEnum):
    """How a look ended."""

    WELL = "well"
    LOCKED = "locked"
    #: Tried again soon: a service was not ready.
    UNREADY = "unready"
    #: The key is well, but a hook has not heard of it yet, or a file lacks it; tried again soon.
    BEHIND = "behind"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """One look at one policy. ``next_at`` None: when the provider's keys are listed again.

    ``error`` says what it waits for, if it is that of somebody else.
    """

    policy: Policy
    ending: Ending
    next_at: datetime | None = None
    rotated: bool = False
    snapshot: Snapshot | None = None
    error: str = ""


class Runner:
    """Looks at policies with bounded concurrency.

    Args:
        world: The services.
        reconciler: Does the work.
        concurrency: How many policies are worked at, at the same time.
    """

    def __init__(self, world: World, reconciler: Reconciler, *, concurrency: int) -> None:
        self._world = world
        self._reconciler = reconciler
        self._notifier = Notifier(world)
        self._keeper = Keeper(world)
        self._slots = asyncio.Semaphore(concurrency)
        self._planned: dict[str, datetime | None] = {}

    async def look(
        self, policy: Policy, *, demand: Demand | None = None, attempt: int = 1
    ) -> Result:
        """One look. Never raises but when cancelled; what went wrong is an event and the result.

        Args:
            policy: What to look after.
            demand: A person wants it rotated now.
            attempt: How many looks in a row this one is, should it fail as the others did.
        """
        result = await self._look(policy, demand, attempt)
        again = await self._keeper.keep(policy)
        if again is None:
            return result
        well = result.ending in {Ending.WELL, Ending.LOCKED}
        next_at = again if result.next_at is None else min(again, result.next_at)
        return replace(result, ending=Ending.BEHIND if well else result.ending, next_at=next_at)

    async def _look(self, policy: Policy, demand: Demand | None, attempt: int) -> Result:
        try:
            looked, step = await self._reconcile(policy, demand)
        except Temporary as error:
            return self._unready(policy, error, attempt)
        except RotatorError as error:
            return self._failed(policy, facts.of_error(error))
        except Exception as error:  # noqa: BLE001 - the one boundary: no policy may stop another
            fields: dict[str, object] = {
                "error": f"{type(error).__name__}, which is a fault of rotator's own",
                "error_code": "internal",
                "remedy": "please report it",
                "exception": error,
            }
            return self._failed(policy, fields)
        self._world.seen(looked.snapshot, step)
        return self._ended(policy, step, looked)

    async def _reconcile(
        self, policy: Policy, demand: Demand | None
    ) -> tuple[Looked, Wait | Locked | Refuse]:
        """Reconcile, and tell hooks without a slot: they shall keep no key waiting."""
        seen, rotated = None, False
        while True:
            looked = await self._slotted(policy, demand, seen)
            rotated = rotated or looked.rotated
            if not isinstance(looked.step, Notify):
                return replace(looked, rotated=True) if rotated else looked, looked.step
            seen = await self._notifier.tell(looked.snapshot, looked.step)

    async def _slotted(
        self, policy: Policy, demand: Demand | None, seen: Snapshot | None
    ) -> Looked:
        """Reconcile with a slot, as long as that needs no patience.

        A key that its target does not take is tried for ever, and must not keep others waiting.
        (Where nothing can be written nothing is minted, as an intent comes first.)
        """
        async with self._slots:
            work = self._reconciler.reconcile(policy, demand=demand, seen=seen)
            task = asyncio.create_task(work)
            try:
                await asyncio.wait({task}, timeout=self._world.limits.retry_budget.total_seconds())
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
        return await task

    async def once(
        self,
        policies: Iterable[Policy],
        *,
        demanded: bool,
        patience: timedelta,
        ended: Callable[[], None] = lambda: None,
    ) -> list[Result]:
        """One pass: a look at each of ``policies``, repeated for ``patience`` while unready.

        ``ended`` is called for each policy that is done with.
        """
        started = self._world.clock.monotonic()

        async def one(policy: Policy) -> Result:
            result = await self._patiently(policy, demanded, patience)
            ended()
            return result

        results = await asyncio.gather(*map(one, policies))
        self._world.emit(
            Event.PASS_COMPLETED,
            policies=len(results),
            rotated=sum(result.rotated for result in results),
            failed=sum(result.ending is Ending.FAILED for result in results),
            skipped=sum(result.ending is Ending.LOCKED for result in results),
            behind=sum(result.ending is Ending.BEHIND for result in results),
            duration_seconds=round(self._world.clock.monotonic() - started, 3),
        )
        return results

    async def _patiently(self, policy: Policy, demanded: bool, patience: timedelta) -> Result:  # noqa: FBT001
        """Look again while that may help: a person is not told that it is done by somebody else."""
        clock = self._world.clock
        started, promoted = clock.monotonic(), self._reconciler.promoted[policy.name]
        demand, attempt = Demand() if demanded else None, 1
        passing = {Ending.UNREADY, Ending.BEHIND, *([Ending.LOCKED] if demanded else [])}
        while True:
            result = await self.look(policy, demand=demand, attempt=attempt)
            rotated = self._reconciler.promoted[policy.name] > promoted
            result = replace(result, rotated=rotated)
            if result.ending not in passing or result.next_at is None:
                return result
            delay = max(result.next_at - clock.now(), timedelta(0))
            waited = timedelta(seconds=clock.monotonic() - started)
            if result.ending is Ending.BEHIND and waited + delay > patience:
                return self._left_behind(result)
            if waited >= patience:
                return self._out_of_patience(result, waited)
            await clock.sleep(min(delay, patience - waited))
            attempt += 1

    def _left_behind(self, result: Result) -> Result:
        """Say what waits: the event of a hook or a file may be one of an earlier process."""
        s = result.snapshot
        if s is not None and behind(s):
            self._tell_planned(s, "notification_is_due", result.next_at)
        return result

    def _out_of_patience(self, result: Result, waited: timedelta) -> Result:
        whole = timedelta(seconds=round(waited.total_seconds()))
        fields: dict[str, object] = {
            "error": f"a service was not ready for {words.length(whole)}, and no key is"
            f" undelivered; at last: {result.error}",
            "error_code": "out_of_patience",
            "remedy": "run again when it is back, or wait longer with --patience; what was begun"
            " is then carried on",
        }
        if result.ending is Ending.LOCKED:
            fields["error"] = f"not done in {words.length(whole)}: {result.error}"
            fields["remedy"] = "run again; a process that was stopped holds its lease for a while"
        return self._failed(result.policy, fields)

    def _ended(self, policy: Policy, step: Wait | Locked | Refuse, looked: Looked) -> Result:
        rotated, s = looked.rotated, looked.snapshot
        if isinstance(step, Locked):
            self._world.emit(
                Event.POLICY_SKIPPED_LOCKED,
                policy=policy.name,
                reason=step.reason.code,
                owner=step.owner,
                until=step.until,
                level=_urgency(s),
            )
            return Result(policy, Ending.LOCKED, step.until, rotated, s, step.reason.text)
        if isinstance(step, Refuse):
            fields: dict[str, object] = {
                "error": step.reason.text,
                "error_code": step.reason.code,
                "remedy": step.remedy,
            }
            return self._failed(policy, fields, step.until)
        self._say_planned(policy, step, s)
        self._say_lingering(s)
        ending = Ending.BEHIND if behind(s) else Ending.WELL
        return Result(policy, ending, step.until, rotated, s)

    def _say_planned(self, policy: Policy, step: Wait, s: Snapshot) -> None:
        if policy.name in self._planned and self._planned[policy.name] == step.until:
            return
        if step.reason.code == "notification_is_due":
            # Told by the hook's own event, and not what a reader of plans wants to know.
            return
        self._planned[policy.name] = step.until
        self._tell_planned(s, step.reason.code, step.until)

    def _tell_planned(self, s: Snapshot, reason: str, next_at: datetime | None) -> None:
        fields = facts.of_current(s)
        name = s.policy.name
        self._world.emit(
            Event.POLICY_PLANNED, policy=name, reason=reason, next_at=next_at, **fields
        )

    def _say_lingering(self, s: Snapshot) -> None:
        for old in lingering(s):
            self._world.emit(
                Event.OLD_KEY_IN_USE,
                policy=s.policy.name,
                **facts.of_key(old.key),
                rotation_id=old.entry.rotation,
                last_used_at=old.used_at,
                old_valid_until=old.until,
                remedy="reload whatever still uses it, or set `rotate.retire: when_idle`",
            )

    def _unready(self, policy: Policy, error: Temporary, attempt: int) -> Result:
        delay = polite(attempt, jitter=self._world.jitter(), asked=error.delay)
        retry_at = self._world.clock.now() + delay
        self._world.emit(
            Event.POLICY_RETRYING,
            policy=policy.name,
            level=self._level(policy, "warning"),
            attempt=attempt,
            retry_at=retry_at,
            **facts.of_error(error),
        )
        return Result(policy, Ending.UNREADY, retry_at, error=error.message)

    def _failed(
        self, policy: Policy, fields: dict[str, object], until: datetime | None = None
    ) -> Result:
        level = self._level(policy, "error")
        fields = {"policy": policy.name, "retry_at": until, **fields}
        self._world.emit(Event.POLICY_FAILED, level=level, **fields)
        return Result(policy, Ending.FAILED, until)

    def _level(self, policy: Policy, least: Level) -> Level:
        """What fails while the key's end comes near is said louder and louder."""
        due = expiry_margin(policy, self._world.limits.retry_budget)
        return facts.alarm(least, self._reconciler.gatherer.left(policy), due)


def _urgency(s: Snapshot) -> Level:
    """How loud it is said that another process is at it.

    One that is at a rotation in the second half of its grace may be dying of it, and say nothing.
    """
    ends = old_key_ends(s)
    level = facts.urgency(ends - s.now if ends else None, s.policy.grace)
    return "info" if level == "warning" else level

"""``rotator check``: what is wrong with the configuration and, online, with both services."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.commands.common import quietly, settings_of
from rotator.decide import decide
from rotator.errors import Permanent, RotatorError
from rotator.keys import Scope
from rotator.model import Refuse
from rotator.notices import all_told
from rotator.wiring import connected

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Coroutine

    from rotator.model import Policy
    from rotator.settings import Settings
    from rotator.wiring import Connected


def command(arguments: Namespace) -> int:
    """Print what is found; 1 when a service or a policy is not ready."""
    settings = settings_of(arguments)
    for warning in settings.warnings:
        sys.stdout.write(f"warning: {warning}\n")
    count = len(settings.policies)
    noun = "policy" if count == 1 else "policies"
    sys.stdout.write(f"ok: the configuration, with {count} {noun}\n")
    return asyncio.run(_online(settings)) if arguments.online else 0


async def _online(settings: Settings) -> int:
    async with connected(settings, quietly) as services:
        store = settings.vault.address if settings.vault else settings.directory
        services_well = [
            await _try(f"Arize at {settings.arize.url}", _arize(services)),
            await _try(f"the store at {store}", _store(services)),
        ]
        if not all(services_well):
            return 1
        slots = asyncio.Semaphore(settings.run.concurrency)

        async def one(policy: Policy) -> bool:
            async with slots:
                return await _try(f"policy {policy.name}", _policy(services, policy))

        well = await asyncio.gather(*(one(policy) for policy in settings.policies))
        return int(not all(well))


async def _try(what: str, work: Coroutine[None, None, str]) -> bool:
    try:
        note = await work
    except RotatorError as error:
        sys.stdout.write(f"FAILED: {what}: {error.message}\n")
        if error.remedy:
            sys.stdout.write(f"        {error.remedy}\n")
        return False
    sys.stdout.write(f"ok: {what}{note}\n")
    return True


async def _arize(services: Connected) -> str:
    """The management key is accepted, and may list."""
    await services.listings.get(Scope())
    return ""


async def _store(services: Connected) -> str:
    """We may log in, and write the journal."""
    await services.world.store.preflight((), budget=services.world.limits.retry_budget)
    return ""


async def _policy(services: Connected, policy: Policy) -> str:
    """The key is found, the journal is readable, every target can be written."""
    await services.world.store.preflight(policy.targets, budget=services.world.limits.retry_budget)
    s = await services.reconciler.gather(policy)
    step = decide(replace(all_told(s), demanded=s.journal.rotation is None))
    if isinstance(step, Refuse):
        raise Permanent(step.reason.text, remedy=step.remedy)
    empty = [str(held.target) for held in s.held if held.value is None]
    return f"; {', '.join(empty)} holds no key yet" if empty else ""

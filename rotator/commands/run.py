"""``rotator run``: the daemon, one pass, or a rotation by hand."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator.commands.common import chosen, duration, stop_signal
from rotator.commands.monitoring import file_to_write, recorded, served
from rotator.commands.tracing import tracing
from rotator.errors import ConfigError
from rotator.events import Event
from rotator.observe import observing
from rotator.observe.progress import progress
from rotator.runner import Ending, Runner
from rotator.settings import Source
from rotator.wiring import connected, pace_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from pathlib import Path

    from rotator.model import Policy
    from rotator.observe.logs import Observer
    from rotator.ports import Emit
    from rotator.runner import Result
    from rotator.settings import Settings
    from rotator.wiring import Connected

_PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Pass:
    policies: list[Policy]
    demanded: bool
    patience: timedelta
    metrics_file: Path | None


def command(arguments: Namespace) -> int:
    """Run; 1 when a policy failed, or a hook could not be told."""
    source = Source(arguments.config, os.environ)
    settings = source.load()
    wanted = _wanted(arguments, settings)
    form = arguments.log_format or settings.log.format
    level = arguments.log_level or settings.log.level
    if wanted is None:
        with observing(format=form, level=level) as emit:
            _warn(settings, emit)
            return asyncio.run(_daemon(settings, source, emit))
    with (
        progress("looking after policies", len(wanted.policies)) as bar,
        observing(format=form, level=level, stream=bar.beside(sys.stdout)) as emit,
    ):
        _warn(settings, emit)
        return asyncio.run(_pass(settings, wanted, emit, bar.step))


def _wanted(arguments: Namespace, settings: Settings) -> _Pass | None:
    """One pass over what; None for the daemon.

    Raises:
        ConfigError: The options do not go together.
    """
    policies = chosen(settings, arguments.rotate)
    patience = duration(arguments.patience, "--patience")
    passing = arguments.once or bool(arguments.rotate)
    if patience is not None and not passing:
        raise ConfigError(["--patience goes with --once or --rotate; the daemon never gives up"])
    if arguments.metrics_file is not None and not passing:
        raise ConfigError(["--metrics-file goes with --once or --rotate; the daemon has `http`"])
    metrics_file = file_to_write(arguments.metrics_file)
    if not passing:
        return None
    return _Pass(policies, bool(arguments.rotate), patience or _PATIENCE, metrics_file)


def _warn(settings: Settings, emit: Emit) -> None:
    for problem in settings.warnings:
        emit(Event.CONFIG_WARNING, problem=problem)


async def _daemon(settings: Settings, source: Source, emit: Observer) -> int:
    emit.attach(asyncio.get_running_loop())
    # Loaded here because a pass has no use for it: APScheduler is a tenth of a second.
    from rotator.adapters.agenda import SchedulerAgenda  # noqa: PLC0415
    from rotator.daemon import Daemon  # noqa: PLC0415
    from rotator.reload import Reloader  # noqa: PLC0415

    async with (
        served(settings, settings.policies, emit) as served_to,
        tracing(served_to, emit, alone=True) as watch,
        connected(settings, emit, hide=emit.hide, watch=watch) as services,
    ):
        daemon = Daemon(
            services.world,
            services.reconciler,
            settings.policies,
            SchedulerAgenda(services.world.clock),
            concurrency=settings.run.concurrency,
            pace=pace_of(settings),
        )

        def take(new: Settings) -> None:
            services.configure(new)
            watch.keep(policy.name for policy in new.policies)
            daemon.configure(new.policies)

        reloader = Reloader(settings, source, take=take, emit=emit)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.ask)
        watching = asyncio.create_task(reloader.watch())
        await daemon.run(stop_signal(hangup=False))
        watching.cancel()
    return 0


async def _pass(
    settings: Settings, wanted: _Pass, emit: Observer, ended: Callable[[], None]
) -> int:
    emit.attach(asyncio.get_running_loop())
    async with (
        recorded(settings, wanted.policies, emit, wanted.metrics_file) as recorder,
        tracing(recorder, emit, alone=False) as watch,
        connected(settings, emit, hide=emit.hide, watch=watch) as services,
    ):
        stop = stop_signal()
        runner = Runner(services.world, services.reconciler, concurrency=settings.run.concurrency)
        work = asyncio.create_task(
            runner.once(
                wanted.policies,
                demanded=wanted.demanded,
                patience=wanted.patience,
                ended=ended,
            )
        )
        both: list[asyncio.Future[Any]] = [work, stop]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return await _stopped(services, work, stop.result(), emit)
        left = {Ending.FAILED, Ending.BEHIND}
        return int(any(result.ending in left for result in work.result()))


async def _stopped(
    services: Connected, work: asyncio.Task[list[Result]], signal: str, emit: Emit
) -> int:
    """A signal ended the pass: deliver what is minted, and say that the rest was not done."""
    emit(Event.DAEMON_STOPPING, signal=signal, in_flight=services.reconciler.undelivered)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await services.reconciler.drain()
    emit(Event.DAEMON_STOPPED)
    return 1

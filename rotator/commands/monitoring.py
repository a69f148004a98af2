"""Who looks on while ``rotator run`` works: the page of ``http``, or the file of a pass."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rotator.errors import ConfigError, Unauthenticated
from rotator.events import Event
from rotator.settings import read_secret
from rotator.wiring import NOBODY, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from rotator.model import Policy
    from rotator.observe.logs import Observer
    from rotator.observe.monitor import Monitor
    from rotator.observe.web.site import Access
    from rotator.secrets import Secret
    from rotator.settings import Settings
    from rotator.settings.http import Http


@asynccontextmanager
async def served(
    settings: Settings, policies: Sequence[Policy], emit: Observer
) -> AsyncIterator[Watch]:
    """Serve what ``http`` asks for until the block ends. Where it does not, nothing is loaded.

    Raises:
        ConfigError: The port is not to be had.
    """
    if settings.http is None:
        yield NOBODY
        return
    from rotator.observe.web.port import serving  # noqa: PLC0415 - for who wants it

    monitor = _monitor(settings, policies, emit)
    turning = asyncio.create_task(monitor.board.keep_turning())
    site = monitor.site(_access(settings.http, emit))
    try:
        with serving(site, settings.http.host, settings.http.port):
            yield _watch(monitor)
    finally:
        turning.cancel()


@asynccontextmanager
async def recorded(
    settings: Settings, policies: Sequence[Policy], emit: Observer, file: Path | None
) -> AsyncIterator[Watch]:
    """Write the metrics into ``file`` when the block ends, however it does."""
    if file is None:
        yield NOBODY
        return
    monitor = _monitor(settings, policies, emit)
    try:
        yield _watch(monitor)
    finally:
        _write(monitor, file, emit)


def file_to_write(file: Path | None) -> Path | None:
    """``file``, if it can be written: after the pass it is too late to say that it cannot.

    Raises:
        ConfigError: It cannot.
    """
    if file is not None and file.suffix != ".prom":
        problem = f"node_exporter reads no file but *.prom; name it {file.name}.prom"
        raise ConfigError([f"--metrics-file: {problem}"])
    if file is not None and not os.access(file.parent, os.W_OK | os.X_OK):
        problem = f"{file.parent} is not a directory that can be written to"
        raise ConfigError([f"--metrics-file: {problem}; create it, or name another"])
    return file


def _write(monitor: Monitor, file: Path, emit: Observer) -> None:
    try:
        monitor.metrics.write(file)
    except OSError as error:
        emit(
            Event.METRICS_NOT_WRITTEN,
            error=f"{file}: {error.strerror}",
            error_code="metrics_not_written",
            remedy="let the user that rotator runs as write there, and make room",
        )


def _monitor(settings: Settings, policies: Sequence[Policy], emit: Observer) -> Monitor:
    from rotator.observe.monitor import Monitor  # noqa: PLC0415 - prometheus-client is for it

    services = ("arize", "vault") if settings.vault else ("arize",)
    return Monitor(emit, (policy.name for policy in policies), services)


def _watch(monitor: Monitor) -> Watch:
    return Watch(monitor.called, monitor.seen, monitor.keep)


def _access(http: Http, emit: Observer) -> Access:
    from rotator.observe.web.site import Access  # noqa: PLC0415

    source = http.token
    if source is None:
        return Access(http.is_local)

    def token() -> Secret | None:
        try:
            secret = read_secret(source, os.environ)
        except Unauthenticated:
            return None
        emit.hide(secret, source)
        return secret

    return Access(http.is_local, token)

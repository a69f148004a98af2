"""What the commands share: configuration, durations, signals, progress."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rotator.errors import ConfigError
from rotator.settings import load, parse_duration

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta

    from rotator.events import Event
    from rotator.model import Policy
    from rotator.settings import Settings


def settings_of(arguments: Namespace) -> Settings:
    """The configuration that the command line names.

    Raises:
        ConfigError: With every mistake in it.
    """
    return load(arguments.config, os.environ)


def chosen(settings: Settings, names: Iterable[str]) -> list[Policy]:
    """The policies of these names, or all when there are none.

    Raises:
        ConfigError: A name is unknown.
    """
    policies = {policy.name: policy for policy in settings.policies}
    names = list(dict.fromkeys(names))
    unknown = [name for name in names if name not in policies]
    if unknown:
        known = ", ".join(sorted(policies)) or "none"
        raise ConfigError([f"no policy is named {name!r}; there are: {known}" for name in unknown])
    return [policies[name] for name in names] if names else list(policies.values())


def duration(text: str | None, option: str) -> timedelta | None:
    """A length of time from the command line; None where the option is not given.

    Raises:
        ConfigError: It is not one.
    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError([f"{option}: {error}"]) from None


def stop_signal(*, hangup: bool = True) -> asyncio.Future[str]:
    """Holds the name of the first signal to stop that comes; later ones change nothing.

    These are SIGTERM, SIGINT and, with ``hangup``, SIGHUP: a terminal that goes away shall not take
    a key with it. Whoever was started to survive that (``nohup``) does.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()

    def told(number: signal.Signals) -> None:
        if not stop.done():
            stop.set_result(number.name)

    hangup = hangup and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    for number in (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hangup else [])):
        loop.add_signal_handler(number, told, number)
    return stop


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a person on stderr how far the block is; gives what to call for each that is done."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rotator.observe.progress import progress  # noqa: PLC0415 - only a terminal pays for it

    with progress(what, total) as shown:
        yield shown.step


def quietly(_: Event, /, **__: object) -> None:
    """For commands whose output is a table: their events are nobody's business."""


def sandbox_installed() -> None:
    """Say how to get the sandbox where it is not installed.

    Raises:
        ConfigError: It is not.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ConfigError(["the sandbox is an extra: pip install 'arize-key-rotator[sandbox]'"])

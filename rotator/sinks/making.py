"""From the configuration to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.notify.making import hook_of
from rotator.sinks.files import FileSink

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rotator.adapters.threads import Threads
    from rotator.notify.making import Read
    from rotator.settings import schema
    from rotator.settings.hooks import Sink


def sinks_of(
    policies: Iterable[schema.Policy],
    read: Read,
    environ: Mapping[str, str],
    threads: dict[Path, Threads],
) -> dict[str, tuple[FileSink, ...]]:
    """The files of ``policies``; see :func:`~rotator.notify.making.hooks_of`.

    ``threads`` are those of all configurations: one that hangs is known to the next as well.
    """
    return {
        policy.name: tuple(_sink(one, read, environ, threads) for one in policy.write)
        for policy in policies
        if policy.write
    }


def _sink(
    one: Sink, read: Read, environ: Mapping[str, str], threads: dict[Path, Threads]
) -> FileSink:
    return FileSink(
        file=one.file,
        mode=int(one.mode, 8),
        owner=one.owner,
        form=one.format,
        names=one.names or {"key": one.default_name},
        hooks={hook.title: hook_of(hook, read, environ) for hook in one.then},
        threads=threads,
    )

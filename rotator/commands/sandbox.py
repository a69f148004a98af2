"""``rotator sandbox``: an Arize and a Vault stand-in on loopback, to try things against."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.commands.common import duration, sandbox_installed, stop_signal
from rotator.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path


#: Of a file that a sandbox has written, and may write again.
_MARK = "# Written by `rotator sandbox`, with toys for keys."


def command(arguments: Namespace) -> int:
    """Serve until a signal comes."""
    sandbox_installed()
    return asyncio.run(_serve(arguments))


async def _serve(arguments: Namespace) -> int:
    from rotator.sandbox.arize import arize_app, live_state  # noqa: PLC0415 - an extra
    from rotator.sandbox.arize_model import ArizeOptions  # noqa: PLC0415
    from rotator.sandbox.example import configuration, seed  # noqa: PLC0415
    from rotator.sandbox.server import serving  # noqa: PLC0415
    from rotator.sandbox.vault import live_vault, vault_app  # noqa: PLC0415

    options = ArizeOptions(
        era=arguments.era,
        refresh_keeps_id=arguments.refresh_id == "same",
        max_lifetime=duration(arguments.max_lifetime, "--max-lifetime"),
        latency=duration(arguments.latency, "--latency") or timedelta(0),
        error_rate=arguments.error_rate,
    )
    arize = live_state(options)
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        served = []
        for app, port in (
            (arize_app(arize), arguments.arize_port),
            (vault_app(live_vault()), arguments.vault_port),
        ):
            try:
                served.append(await stack.enter_async_context(serving(app, port)))
            except OSError as error:
                raise ConfigError([f"port {port} cannot be used: {error.strerror}"]) from None
        urls = {"arize_url": served[0].url, "vault_url": served[1].url}
        text = configuration(seed(arize, grace="1h"), **urls, run={})
        _announce(arguments.write_config, text, arize.management_key, **urls)
        await stop
    return 0


def _announce(
    file: Path | None, text: str, management_key: str, *, arize_url: str, vault_url: str
) -> None:
    """Everything on stdout can be given to a shell. The credentials open toys only."""
    if file is not None:
        try:
            if file.exists() and not file.read_text(encoding="utf-8").startswith(_MARK):
                raise ConfigError([f"{file}: is there already, and not a sandbox's; name another"])
            file.write_text(f"{_MARK}\n{text}", encoding="utf-8")
        except OSError as error:
            raise ConfigError([f"{file}: cannot be written: {error.strerror}"]) from None
    sys.stdout.write(
        f"# Arize stand-in at {arize_url}, Vault stand-in at {vault_url}; Ctrl-C ends both.\n"
        f"export ARIZE_API_KEY={management_key}\n"
        f"export VAULT_ADDR={vault_url}\n"
        "export VAULT_TOKEN=root\n"
    )
    if file is None:
        sys.stdout.write("# Three keys are due; --write-config writes their policies.\n")
    else:
        sys.stdout.write(f"# Three keys are due: rotator run --once --config {file}\n")
    sys.stdout.flush()

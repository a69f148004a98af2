"""The sandbox's Arize for compose.yaml: ``arize.py PORT FOLDER``, where its management key goes."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from rotator.commands.common import stop_signal
from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.server import serving


async def main(port: int, folder: Path) -> None:
    """Serve an account with one key that is due, until a signal comes."""
    account = live_state()
    account.seed_user_key("ci-pipeline", created_at=account.clock() - timedelta(hours=1))
    (folder / "arize_api_key").write_text(account.management_key)
    async with serving(arize_app(account), port):
        await stop_signal()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))

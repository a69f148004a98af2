"""What rotator is held against: the same requests, by hand, and nothing else.

No look at what others do, no retry, no event: whatever goes wrong here costs a key.
``python -m bench.script TASK CONCURRENCY`` rotates all keys of a task.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable


class Script:
    """Two clients, warm from the first request on."""

    def __init__(self, arize: str, management: str, vault: str, token: str, place: str) -> None:
        # Servers close what is idle for 5 s: at the moment of a request, that would end the run.
        limits = httpx.Limits(max_connections=64, keepalive_expiry=4)
        self._arize = httpx.AsyncClient(base_url=arize, trust_env=False, timeout=30, limits=limits)
        self._vault = httpx.AsyncClient(
            base_url=f"{vault}/v1", trust_env=False, timeout=30, headers={"X-Vault-Token": token}
        )
        self._management = {"Authorization": f"Bearer {management}"}
        self._place = place

    async def listed(self) -> list[dict[str, Any]]:
        """All keys."""
        keys: list[dict[str, Any]] = []
        query: dict[str, str | int] = {"limit": 100}
        while True:
            answer = await self._arize.get("/v2/api-keys", params=query, headers=self._management)
            page = answer.raise_for_status().json()
            keys += page["api_keys"]
            if not page["pagination"]["has_more"]:
                return keys
            query["cursor"] = page["pagination"]["next_cursor"]

    async def rotate(self, key: dict[str, str], *, listing: bool) -> None:
        """One key: the requests of rotator, in its order."""
        journal = f"/secret/data/{self._place}/journal/{key['name']}"
        target = f"/secret/data/{self._place}/{key['name']}"
        known = await self._version(journal)
        held = (await self._vault.get(target)).raise_for_status().json()["data"]
        if listing:
            await self.listed()
        paths = [target.strip("/"), journal.strip("/")]
        await self._posted("/sys/capabilities-self", {"paths": paths})
        await self._posted(journal, {"data": {"intent": key["id"]}, "options": {"cas": known}})
        body = {"grace_period_seconds": 3600}
        answer = await self._arize.post(
            f"/v2/api-keys/{key['id']}/refresh", json=body, headers=self._management
        )
        raw = answer.raise_for_status().json()["key"]
        fields = {**held["data"], "api_key": raw}
        cas = {"cas": held["metadata"]["version"]}
        await self._posted(target, {"data": fields, "options": cas})
        trial = {"Authorization": f"Bearer {raw}"}
        tried = await self._arize.get("/v2/api-keys", params={"limit": 1}, headers=trial)
        tried.raise_for_status()
        await self._posted(journal, {"data": {"done": key["id"]}, "options": {"cas": known + 1}})

    async def rotate_all(self, keys: Iterable[dict[str, str]], *, concurrency: int) -> None:
        """All of them, after one listing."""
        await self.listed()
        slots = asyncio.Semaphore(concurrency)

        async def one(key: dict[str, str]) -> None:
            async with slots:
                await self.rotate(key, listing=False)

        await asyncio.gather(*map(one, keys))

    async def close(self) -> None:
        """Close both."""
        await self._arize.aclose()
        await self._vault.aclose()

    async def _version(self, path: str) -> int:
        answer = await self._vault.get(path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return 0
        version: int = answer.raise_for_status().json()["data"]["metadata"]["version"]
        return version

    async def _posted(self, path: str, body: dict[str, Any]) -> None:
        (await self._vault.post(path, json=body)).raise_for_status()


async def main(task: str, concurrency: str) -> None:
    """Rotate all keys of the file ``task``."""
    wanted, env = json.loads(Path(task).read_text(encoding="utf-8")), os.environ  # noqa: ASYNC240 - before anything runs
    script = Script(
        env["ARIZE_URL"],
        env["ARIZE_API_KEY"],
        env["VAULT_ADDR"],
        env["VAULT_TOKEN"],
        wanted["place"],
    )
    await script.rotate_all(wanted["keys"], concurrency=int(concurrency))
    await script.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

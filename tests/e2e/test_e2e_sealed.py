"""Vault is sealed between the mint and the write, when the new key is in memory only."""

import asyncio
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from e2e_stage import StandIn, staged
from e2e_vault import behind_proxy

from rotator.sandbox import real_vault

DAY = timedelta(days=1)
VAULTS = ["the stand-in", *(["a real one"] if real_vault.program() else [])]


class Seal:
    """Seals Vault as soon as Arize has minted, and before its answer is heard; ``open`` ends it."""

    def __init__(self, server=None):
        self._server = server
        self.vault = None
        self.sealed = 0

    def around(self, app, name):
        async def watched(scope, receive, send):
            async def told(message):
                if minted and not self.sealed:
                    self.sealed += 1
                    await asyncio.to_thread(self._shut)
                    asyncio.get_running_loop().call_later(2, self._open)
                await send(message)

            minted = name == "arize" and scope.get("path", "").endswith("/refresh")
            await app(scope, receive, told)

        return watched

    def _shut(self):
        self._ask("seal") if self._server else setattr(self.vault, "sealed", True)

    def _open(self):
        if self._server:
            self._ask("unseal", key=self._server.unseal_key)
        else:
            self.vault.sealed = False

    def _ask(self, what, **body):
        headers = {"X-Vault-Token": self._server.token}
        url = f"{self._server.address}/v1/sys/{what}"
        httpx.put(url, json=body, headers=headers, trust_env=False).raise_for_status()


@pytest.mark.parametrize("kind", VAULTS)
def test_a_vault_that_is_sealed_at_the_worst_moment_costs_nobody_his_access(tmp_path, kind):
    with ExitStack() as stack:
        real = kind != "the stand-in"
        server = stack.enter_context(real_vault.running(real_vault.program())) if real else None
        vault = stack.enter_context(behind_proxy(server)) if server else StandIn()
        seal = Seal(server)
        seal.vault = vault
        stage = stack.enter_context(staged(tmp_path, around=seal.around, vault=vault))
        key = stage.arize.seed_user_key("ci", created_at=stage.now - 88 * DAY)
        stage.add_policy("ci", key, max_age="30d", grace_period="1m")
        stage.put("ci", api_key=key[1])

        run = stage.run("--once")

        assert (0, 1) == (run.code, seal.sealed), run.out
        failed = run.named("rotation.delivery_failed")
        assert failed
        assert "sealed" in failed[0]["error"]
        assert 1 == len(run.named("rotation.key_minted"))
        assert stage.held("ci") not in {None, key[1]}
        assert stage.arize.accepts(stage.held("ci"))
        assert 2 < run.named("rotation.completed")[0]["danger_seconds"] < 30

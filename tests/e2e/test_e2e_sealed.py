"""Vault is sealed between the mint and the write, when the new key is in memory only."""

import asyncio
import json
import signal
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import httpx
import pytest
from e2e_stage import RUN, StandIn, staged
from e2e_vault import behind_proxy

from rotator.sandbox import real_vault

DAY = timedelta(days=1)
VAULTS = ["the stand-in", *(["a real one"] if real_vault.program() else [])]

each_vault = pytest.mark.parametrize("kind", VAULTS)


class Seal:
    """Seals Vault as soon as Arize has minted, and before its answer is heard."""

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
                await send(message)

            minted = name == "arize" and scope.get("path", "").endswith("/refresh")
            await app(scope, receive, told)

        return watched

    def _shut(self):
        self._ask("seal") if self._server else setattr(self.vault, "sealed", True)

    def open(self):
        if self._server:
            self._ask("unseal", key=self._server.unseal_key)
        else:
            self.vault.sealed = False

    def _ask(self, what, **body):
        headers = {"X-Vault-Token": self._server.token}
        url = f"{self._server.address}/v1/sys/{what}"
        httpx.put(url, json=body, headers=headers, trust_env=False).raise_for_status()


@contextmanager
def sealing(folder, kind):
    """A stage with a policy that is due, and the seal of its Vault."""
    with ExitStack() as stack:
        real = kind != "the stand-in"
        server = stack.enter_context(real_vault.running(real_vault.program())) if real else None
        vault = stack.enter_context(behind_proxy(server)) if server else StandIn()
        seal = Seal(server)
        seal.vault = vault
        stage = stack.enter_context(staged(folder, around=seal.around, vault=vault))
        if real:
            # The answer to the mint waits until it is sealed, and may not come too late for that.
            stage.run_section, stage.timeout = {**RUN, "lease": "4500ms"}, "1500ms"
        key = stage.arize.seed_user_key("ci", created_at=stage.now - 88 * DAY)
        stage.add_policy("ci", key, max_age="30d", grace_period="1m")
        stage.put("ci", api_key=key[1])
        yield stage, seal


@contextmanager
def running(stage, *arguments):
    """A run, and what it tells from now on."""
    with stage.start("run", "--config", str(stage.config), *arguments) as process:
        try:
            yield process, map(json.loads, process.stdout)
        finally:
            process.kill()


def heard(told, name):
    """The next event of that name."""
    event = next((event for event in told if event["event"] == name), None)
    assert event is not None, f"it ended without {name}"
    return event


def named(events, name):
    return [event for event in events if event["event"] == name]


def ended(process, told):
    """What a process tells until its end."""
    events = list(told)
    assert "" == process.stderr.read()
    process.wait(10)
    return events


def assert_works(stage):
    """The store has another key than before, and who has one of the two has access."""
    assert stage.held("ci") not in {None, stage.raws["ci"]}
    assert stage.arize.accepts(stage.held("ci"))
    assert stage.arize.accepts(stage.raws["ci"]), "its grace is a minute"


@each_vault
def test_a_vault_that_is_sealed_at_the_worst_moment_costs_nobody_his_access(tmp_path, kind):
    with sealing(tmp_path, kind) as (stage, seal), running(stage, "--once") as (process, told):
        failed = [heard(told, "rotation.delivery_failed") for _ in range(3)]
        seal.open()
        events = ended(process, told)

        assert (0, 1) == (process.returncode, seal.sealed), events
        assert "sealed" in failed[0]["error"]
        assert 1 == len(named(events, "rotation.key_minted"))
        assert 0 < named(events, "rotation.completed")[0]["danger_seconds"] < 30
        assert_works(stage)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 0), (("--once",), 1), (("--rotate", "ci"), 1)],
    ids=["daemon", "--once", "--rotate"],
)
@each_vault
def test_whoever_is_told_to_stop_delivers_what_he_holds_first(tmp_path, kind, arguments, code):
    with sealing(tmp_path, kind) as (stage, seal), running(stage, *arguments) as (process, told):
        heard(told, "rotation.delivery_failed")

        process.send_signal(signal.SIGTERM)
        assert 1 == heard(told, "daemon.stopping")["in_flight"]
        process.send_signal(signal.SIGTERM)  # Somebody is impatient.
        for _ in range(3):
            heard(told, "rotation.delivery_failed")
        assert process.poll() is None, "nobody else has the key"
        seal.open()
        events = ended(process, told)

        assert code == process.returncode
        assert ["rotation.key_minted", "rotation.delivered", "daemon.stopped"] == [
            event["event"] for event in events if event["event"] != "rotation.delivery_failed"
        ]
        assert_works(stage)
        held = stage.held("ci")
        record_what_was_done(stage)
        assert held == stage.held("ci")
        assert 1 == sum(asked.endswith("/refresh") for asked in stage.trap.asked)


def record_what_was_done(stage):
    """Passes, as soon as the lease of whoever has stopped is over."""
    give_up_at = time.monotonic() + 20
    while not stage.journal("ci")["history"]:
        assert time.monotonic() < give_up_at
        assert 0 == stage.run("--once").code

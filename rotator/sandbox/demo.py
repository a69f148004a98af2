"""``rotator demo``: the real daemon on three due keys, while a consumer uses them without pause."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from rotator.adapters.agenda import SchedulerAgenda
from rotator.daemon import Daemon
from rotator.events import Event
from rotator.model import Held, Target
from rotator.sandbox import real_vault
from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.example import configuration, seed
from rotator.sandbox.server import serving
from rotator.sandbox.vault import live_vault, vault_app
from rotator.settings import load
from rotator.wiring import connected, pace_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rotator.ports import Emit, SecretStore
    from rotator.sandbox.arize_state import ArizeState
    from rotator.sandbox.example import Example
    from rotator.settings import Settings

_GRACE = timedelta(seconds=20)
#: The consumer works alone before the first rotation, and after the last old key is gone.
_BEFORE, _AFTER = 2.0, 3.0
_PATIENCE = 60.0


@dataclass(slots=True)
class Tally:
    """What the consumer saw."""

    calls: int = 0
    failed: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of the demo, for the table at its end."""

    examples: list[Example]
    completed: dict[str, dict[str, object]] = field(default_factory=dict)
    retired: set[object] = field(default_factory=set)
    consumer: Tally = field(default_factory=Tally)
    #: How many of the old raw keys still work at the end.
    old_accepted: int = 0

    @property
    def good(self) -> bool:
        """Nobody was ever without access, and no old key is left."""
        everything = len(self.completed) == len(self.examples)
        return everything and not self.consumer.failed and not self.old_accepted


@dataclass(frozen=True, slots=True)
class Stage:
    """The two services, with the keys seeded and due."""

    arize: ArizeState
    arize_url: str
    vault_url: str
    vault_token: str
    examples: list[Example]


async def demo(emit: Emit, say: Callable[[str], None], *, stand_in: bool) -> Outcome:
    """Run it, in about half a minute.

    Args:
        emit: Shows the events.
        say: Shows a line between them.
        stand_in: Do without a ``vault`` or ``bao`` that is on PATH.
    """
    async with _staged(say, stand_in=stand_in) as stage:
        environ = {"ARIZE_API_KEY": stage.arize.management_key, "VAULT_TOKEN": stage.vault_token}
        settings = _settings(stage, environ)
        outcome = Outcome(stage.examples)
        all_retired = asyncio.Event()
        watching = _watched(emit, outcome, all_retired)
        async with connected(settings, watching, environ=environ) as services:
            await _fill(services.world.store, stage)
            consumers = [
                asyncio.create_task(consume(stage, example, outcome.consumer))
                for example in stage.examples
            ]
            say("a consumer reads each key from Vault and calls Arize with it, without pause")
            await asyncio.sleep(_BEFORE)
            daemon = Daemon(
                services.world,
                services.reconciler,
                settings.policies,
                SchedulerAgenda(services.world.clock),
                concurrency=settings.run.concurrency,
                pace=pace_of(settings),
            )
            await _run(daemon, all_retired)
            for consumer in consumers:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)
        raws = (example.raw.reveal() for example in stage.examples)
        outcome.old_accepted = sum(stage.arize.accepts(raw) for raw in raws)
        return outcome


async def _run(daemon: Daemon, all_retired: asyncio.Event) -> None:
    stop: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(daemon.run(stop))
    try:
        async with asyncio.timeout(_PATIENCE):
            await all_retired.wait()
            await asyncio.sleep(_AFTER)
    except TimeoutError:
        pass
    finally:
        stop.set_result("end of the demo")
        await running


@asynccontextmanager
async def _staged(say: Callable[[str], None], *, stand_in: bool) -> AsyncIterator[Stage]:
    arize = live_state()
    async with AsyncExitStack() as stack:
        program = None if stand_in else real_vault.program()
        if program:
            server = stack.enter_context(real_vault.running(program))
            url, token = server.address, server.token
            say(f"Vault: {real_vault.version(program)}, a real server in dev mode, at {url}")
        else:
            vault = await stack.enter_async_context(serving(vault_app(live_vault())))
            url, token = vault.url, "root"
            say(f"Vault: the stand-in at {url} (no vault or bao on PATH, or --stand-in)")
        served = await stack.enter_async_context(serving(arize_app(arize)))
        say(f"Arize: the stand-in, as today's service (era C), at {served.url}")
        examples = seed(arize, grace=f"{_GRACE.total_seconds():.0f}s")
        yield Stage(arize, served.url, url, token, examples)


def _settings(stage: Stage, environ: dict[str, str]) -> Settings:
    """Through a real file, as a user's configuration goes."""
    text = configuration(
        stage.examples,
        arize_url=stage.arize_url,
        vault_url=stage.vault_url,
        # A grace of seconds leaves no room for the usual minute of retries.
        run={"retry_budget": "5s"},
    )
    with tempfile.TemporaryDirectory(prefix="rotator-demo-") as folder:
        path = Path(folder) / "rotator.yaml"
        path.write_text(text, encoding="utf-8")
        return load([path], environ)


async def _fill(store: SecretStore, stage: Stage) -> None:
    """Vault holds the old keys, beside a field that belongs to somebody else."""
    for example in stage.examples:
        held = await store.read(Target(example.path, "api_key"))
        written = await store.write(held, example.raw, {"owner": "platform team"})
        if not isinstance(written, Held):
            raise TypeError(example.path)


async def consume(stage: Stage, example: Example, tally: Tally) -> None:
    """Read the key from Vault and call Arize with it, without pause, until cancelled."""
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                works = await _works(client, stage, example)
            except (httpx.HTTPError, LookupError, TypeError, ValueError):
                # No answer, or none with a key in it: without access, all the same.
                works = False
            tally.calls += 1
            tally.failed += not works


async def _works(client: httpx.AsyncClient, stage: Stage, example: Example) -> bool:
    secret = await client.get(
        f"{stage.vault_url}/v1/secret/data/{example.path}",
        headers={"X-Vault-Token": stage.vault_token},
    )
    raw = secret.json()["data"]["data"]["api_key"]
    answer = await client.get(
        f"{stage.arize_url}/v2/api-keys",
        params={"limit": 1},
        headers={"Authorization": f"Bearer {raw}"},
    )
    return answer.status_code == httpx.codes.OK


def _watched(emit: Emit, outcome: Outcome, all_retired: asyncio.Event) -> Emit:
    def watching(event: Event, /, **fields: object) -> None:
        emit(event, **fields)
        if event in {Event.ROTATION_COMPLETED, Event.ROTATION_REPAIRED}:
            outcome.completed[str(fields["policy"])] = fields
        if event is Event.KEY_RETIRED:
            outcome.retired.add(fields["policy"])
            if len(outcome.retired) == len(outcome.examples):
                all_retired.set()

    return watching

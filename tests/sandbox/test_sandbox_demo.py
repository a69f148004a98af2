"""The consumer of the demo counts whatever keeps it from its work."""

import asyncio

from starlette.applications import Starlette

from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.demo import Stage, Tally, consume
from rotator.sandbox.example import configuration, seed
from rotator.sandbox.server import serving


async def test_a_consumer_that_gets_no_key_has_failed_and_goes_on():
    arize, tally = live_state(), Tally()
    examples = seed(arize, grace="1h")
    async with serving(arize_app(arize)) as served, serving(Starlette()) as empty:
        stage = Stage(arize, served.url, empty.url, "root", examples)
        consumer = asyncio.create_task(consume(stage, examples[0], tally))
        async with asyncio.timeout(10):
            while tally.calls < 3 and not consumer.done():  # noqa: ASYNC110 - it counts, no more
                await asyncio.sleep(0.01)
        consumer.cancel()
        await asyncio.gather(consumer, return_exceptions=True)

    assert tally.calls >= 3
    assert tally.failed == tally.calls


def test_a_written_configuration_can_be_read_from_top_to_bottom():
    text = configuration(seed(live_state(), grace="1h"), arize_url="a", vault_url="v", run={})

    assert 3 == text.count("grace_period: 1h")
    assert [] == [line for line in text.splitlines() if line.endswith(("&id001", "*id001"))]

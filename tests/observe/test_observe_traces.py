"""A span for each rotation and for each of its steps, and nothing in them that is secret."""

import asyncio
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_trace_id
from sim_network import Fault
from sim_stage import Stage, said, until, virtual

from rotator import traceparent
from rotator.events import Event
from rotator.observe.traced import traced
from rotator.observe.traces import Traces
from rotator.ports import World

INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Watched(Stage):
    """A stage of which everything is traced."""

    def __init__(self, incoming=None, **options):
        super().__init__(**options)
        self.watch(incoming)

    def watch(self, incoming=None):
        """As a process does that has just begun."""
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.traces = Traces(provider, incoming or {})
        self.universe.listeners[:] = [self.traces.heard]
        self.universe.around = lambda world: traced(world, self.traces)

    @property
    def spans(self):
        """In the order in which they began."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)

    def rotations(self):
        return [span for span in self.spans if span.name == "rotation"]

    def steps(self, rotation):
        return [
            span.name
            for span in self.spans
            if span.parent and span.parent.span_id == rotation.context.span_id
        ]

    def one(self, name):
        (found,) = [span for span in self.spans if span.name == name]
        return found


STEPS = {
    "refresh": ["preflight", "record", "mint", "store", "verify", "record"],
    "reissue": ["preflight", "record", "mint", "verify", "store", "record"],
}


@pytest.mark.parametrize("strategy", STEPS)
@virtual
async def test_a_rotation_is_a_span_with_its_steps_in_it(strategy):
    stage = Watched()
    stage.add(bounded=strategy == "reissue")
    process = stage.begin()
    await process.ended()

    (rotation,) = stage.rotations()
    assert STEPS[strategy] == stage.steps(rotation)
    assert 1 == len({span.context.trace_id for span in stage.spans})
    assert all(rotation.start_time <= span.start_time <= span.end_time for span in stage.spans)
    assert rotation.end_time == max(span.end_time for span in stage.spans)


@virtual
async def test_a_rotation_says_what_it_is_and_how_it_ended():
    stage = Watched()
    stage.add()
    process = stage.begin()
    await process.ended()

    (rotation,) = stage.rotations()
    told = dict(rotation.attributes)
    done = next(f for _, e, _, f in process.actor.events if e == Event.ROTATION_COMPLETED)
    assert {
        "rotator.policy": "ci",
        "rotator.reason": "key_reached_max_age",
        "rotator.rotation_id": done["rotation_id"],
        "rotator.strategy": "refresh",
        "rotator.old_key_id": done["old_key_id"],
        "rotator.key_id": done["key_id"],
        "rotator.danger_seconds": done["danger_seconds"],
        "rotator.outcome": "completed",
    } == told
    assert rotation.status.is_ok


@virtual
async def test_no_key_is_in_a_span():
    stage = Watched()
    stage.add(bounded=True)
    stage.add("other")
    stage.script += [("write", Fault.REFUSED), ("try", Fault.CRASH_INSIDE)]
    await stage.come_by()
    await asyncio.sleep(3700)
    await stage.come_by()

    text = "".join(span.to_json() for span in stage.spans)
    assert len(stage.spans) > 12
    for key in stage.arize.keys:
        assert key.raw[8:-5] not in text


@virtual
async def test_steps_belong_to_their_own_rotation_however_many_there_are():
    stage = Watched()
    for name in "abcd":
        stage.add(name, bounded=name in "ab")
    await stage.come_by()

    found = [(span.attributes["rotator.policy"], stage.steps(span)) for span in stage.rotations()]
    assert {
        **dict.fromkeys("ab", STEPS["reissue"]),
        **dict.fromkeys("cd", STEPS["refresh"]),
    } == dict(found)
    assert 4 == len({span.context.trace_id for span in stage.spans})


@virtual
async def test_a_step_that_fails_tells_the_kind_of_its_error_and_the_rotation_goes_on():
    stage = Watched()
    stage.add()
    stage.script += [("write", Fault.REFUSED)] * 2
    await stage.come_by()

    (rotation,) = stage.rotations()
    stores = [span for span in stage.spans if span.name == "store"]
    assert [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET] == [
        span.status.status_code for span in stores
    ]
    assert ("unavailable", "unavailable") == (
        stores[0].attributes["error.type"],
        stores[0].status.description,
    )
    assert ["rotation.delivery_failed"] * 2 == [event.name for event in rotation.events]
    assert rotation.status.is_ok


@virtual
async def test_a_mint_that_is_refused_ends_the_rotation_as_an_error():
    stage = Watched()
    stage.add()
    stage.script.append(("refresh", Fault.DENIED))
    await stage.come_by()

    (rotation,) = stage.rotations()
    assert "failed" == rotation.attributes["rotator.outcome"]
    assert (StatusCode.ERROR, "notpermitted") == (
        rotation.status.status_code,
        rotation.status.description,
    )


@virtual
async def test_a_daemon_carries_its_rotation_on_within_the_same_span():
    stage = Watched()
    stage.add(bounded=True)
    stage.script.append(("create", Fault.LOST))
    stage.universe.settled()
    process = stage.universe.daemon()
    await until(lambda: "rotation.repaired" in said(process))

    (rotation,) = stage.rotations()
    assert "repaired" == rotation.attributes["rotator.outcome"]
    assert 2 == stage.steps(rotation).count("mint")
    assert {"rotation.mint_ambiguous", "rotation.resumed"} == {e.name for e in rotation.events}


@virtual
async def test_another_process_that_carries_it_on_has_a_span_of_its_own():
    stage = Watched()
    stage.add()
    stage.script.append(("write", Fault.KILLED_BEFORE))
    await stage.come_by()
    others, stage.traces._open = stage.traces._open, {}
    await asyncio.sleep(120)
    await stage.come_by()

    ((first, _),) = others.values()
    (rotation,) = stage.rotations()
    assert first == rotation.attributes["rotator.rotation_id"]
    assert "repaired" == rotation.attributes["rotator.outcome"]


@virtual
async def test_one_that_somebody_else_has_ended_ends_here_too():
    stage = Watched()
    stage.add()
    stage.script.append(("write", Fault.KILLED_BEFORE))
    await stage.come_by()
    await asyncio.sleep(120)
    stage.universe.around, listeners = (lambda world: world), stage.universe.listeners[:]
    stage.universe.listeners.clear()
    await stage.come_by()
    assert [] == stage.rotations()

    stage.universe.listeners += listeners
    stage.universe.around = lambda world: traced(world, stage.traces)
    await stage.come_by()
    (rotation,) = stage.rotations()
    assert "rotator.outcome" not in rotation.attributes


@virtual
async def test_the_end_of_the_old_key_belongs_to_the_trace_of_its_rotation():
    stage = Watched()
    stage.add(bounded=True)
    await stage.come_by()
    await asyncio.sleep(3700)
    await stage.come_by()

    (rotation,) = stage.rotations()
    retire = stage.one("retire")
    assert rotation.context.trace_id == retire.context.trace_id
    assert {
        "rotator.policy": "ci",
        "rotator.rotation_id": rotation.attributes["rotator.rotation_id"],
        "rotator.key_id": rotation.attributes["rotator.old_key_id"],
    } == dict(retire.attributes)


@virtual
async def test_another_process_that_revokes_the_old_key_says_whose_it_was():
    stage = Watched()
    stage.add(bounded=True)
    await stage.come_by()
    (rotation,) = stage.rotations()
    stage.traces._contexts.clear()
    await asyncio.sleep(3700)
    await stage.come_by()

    retire = stage.one("retire")
    assert retire.parent is None
    assert rotation.attributes["rotator.rotation_id"] == retire.attributes["rotator.rotation_id"]


@pytest.mark.parametrize("bounded", [False, True])
@virtual
async def test_a_key_that_lay_on_the_disk_has_a_rotation_too(bounded):
    stage = Watched(disks=1)
    stage.add(bounded=bounded)
    stage.script = [("write", Fault.KILLED_BEFORE)]
    await stage.come_by()
    stage.traces.close()
    begun = stage.rotations()[0].attributes["rotator.rotation_id"]
    stage.watch()
    await stage.pause(40)
    await stage.come_by()

    (rotation,) = stage.rotations()
    assert begun == rotation.attributes["rotator.rotation_id"]
    assert "completed" == rotation.attributes["rotator.outcome"]
    assert ["record", "verify", "store", "verify", "record"] == stage.steps(rotation)


@virtual
async def test_a_key_that_cannot_be_revoked_is_an_error_of_that_step():
    stage = Watched()
    stage.add(bounded=True)
    await stage.come_by()
    await asyncio.sleep(3700)
    stage.script.append(("revoke", Fault.DENIED))
    await stage.come_by()

    assert "notpermitted" == stage.one("retire").attributes["error.type"]


@virtual
async def test_hooks_are_told_within_the_trace():
    stage = Watched()
    stage.add(hooks=("web", "mail"))
    await stage.come_by()

    (rotation,) = stage.rotations()
    told = [span for span in stage.spans if span.name == "notify"]
    assert 2 == len(told)
    assert {rotation.context.trace_id} == {span.context.trace_id for span in told}


@virtual
async def test_a_run_that_is_part_of_something_else_goes_on_with_its_trace():
    stage = Watched({"TRACEPARENT": INCOMING, "TRACESTATE": "a=b"})
    stage.add()
    await stage.come_by()

    (rotation,) = stage.rotations()
    assert INCOMING.split("-")[1] == format_trace_id(rotation.context.trace_id)
    assert INCOMING.split("-")[2] == f"{rotation.parent.span_id:016x}"


@pytest.mark.parametrize("incoming", ["", "nonsense", "00-0-0-00", INCOMING.replace("00-", "ff-")])
@virtual
async def test_what_is_no_trace_is_left_alone(incoming):
    stage = Watched({"TRACEPARENT": incoming})
    stage.add()
    await stage.come_by()

    assert None is stage.rotations()[0].parent


@virtual
async def test_requests_say_which_step_they_belong_to():
    stage = Watched()
    stage.add()
    stage.add("bounded", bounded=True)
    seen, request = [], stage.universe.network.request

    async def noted(actor, kind, label, work):
        seen.append((kind, traceparent.headers().get("traceparent")))
        return await request(actor, kind, label, work)

    stage.universe.network.request = noted
    await stage.come_by()
    await asyncio.sleep(3700)
    await stage.come_by()

    spans = {span.name: span for span in stage.spans}
    steps = {"mint": "mint", "write": "store", "try": "verify", "revoke": "retire"}
    for kind, name in steps.items():
        context = spans[name].context
        sent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        assert (kind, sent) in seen
    assert {None} == {sent for kind, sent in seen if kind == "list"}
    assert {} == traceparent.headers()


@virtual
async def test_with_nothing_to_rotate_there_is_nothing_to_trace():
    stage = Watched()
    stage.add(bounded=True)
    await stage.come_by()
    stage.exporter.clear()
    await stage.come_by()

    assert [] == stage.spans


@virtual
async def test_what_is_open_at_the_end_is_sent():
    stage = Watched()
    stage.add()
    stage.script.append(("write", Fault.KILLED_BEFORE))
    await stage.come_by()
    stage.traces.close()

    assert 1 == len(stage.rotations())


def test_only_so_many_rotations_are_remembered():
    traces = Traces(TracerProvider(shutdown_on_exit=False), {})
    for number in range(1100):
        event = {"policy": f"p{number % 3}", "rotation_id": f"r{number}"}
        traces.heard(Event.ROTATION_STARTED, **event)

    assert 1000 == len(traces._contexts)
    assert 3 == len(traces._open)
    traces.close()


def test_an_event_of_another_policy_is_none_of_it():
    traces = Traces(TracerProvider(shutdown_on_exit=False), {})
    traces.heard(Event.ROTATION_COMPLETED, policy="ci", rotation_id="r")
    traces.heard(Event.DAEMON_STARTED)

    assert {} == traces._open


def test_what_is_no_step_goes_through_as_it_is():
    traces = Traces(TracerProvider(shutdown_on_exit=False), {})
    inner = SimpleNamespace(kind="http", timeout=7)
    hooks = {"ci": {"web": inner}}
    outer = traced(World(*[None] * 8, hooks=hooks), traces)

    assert ["ci"] == list(outer.hooks)
    assert 1 == len(outer.hooks)
    assert ("http", 7) == (outer.hooks["ci"]["web"].kind, outer.hooks["ci"]["web"].timeout)
    hooks["new"] = {}
    assert {} == outer.hooks["new"]

"""Whether to trace, and where to, by the standard variables; nothing is loaded without a wish."""

import asyncio
import sys
import threading
from types import SimpleNamespace

import pytest
from sim_stage import virtual

from rotator.commands.tracing import FLUSH_SECONDS, closed, tracing, wanted
from rotator.events import Event
from rotator.wiring import NOBODY

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ()),
        (ENDPOINT, ("otlp_proto_http",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, ("otlp_proto_http",)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp_proto_http",)),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("console", "otlp_proto_http")),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, ()),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, ()),
        ({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("otlp_proto_grpc",)),
        (
            {
                **ENDPOINT,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            ("otlp_proto_http",),
        ),
        ({"OTEL_SERVICE_NAME": "rotator"}, ()),
    ],
)
def test_the_standard_variables_say_whether_and_where_to(environ, expected):
    assert expected == wanted(environ)


class Emit:
    def __init__(self):
        self.events, self.listeners = [], []

    def __call__(self, event, /, **fields):
        self.events.append((event, fields))

    def listen(self, listener):
        self.listeners.append(listener)


async def test_without_a_wish_nobody_looks_on():
    emit = Emit()
    async with tracing(NOBODY, emit, alone=True, environ={}) as watch:
        assert NOBODY is watch
    assert ([], []) == (emit.events, emit.listeners)


async def test_where_the_extra_is_missing_that_is_said_and_the_work_goes_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    emit = Emit()
    async with tracing(NOBODY, emit, alone=True, environ=ENDPOINT) as watch:
        assert NOBODY is watch
    problem = "OTEL_… asks for traces, an extra: pip install 'arize-key-rotator[otel]'"
    assert [(Event.CONFIG_WARNING, {"problem": problem})] == emit.events


async def test_an_exporter_that_is_not_there_is_told():
    emit = Emit()
    environ = {"OTEL_TRACES_EXPORTER": "zipkin"}
    async with tracing(NOBODY, emit, alone=True, environ=environ) as watch:
        assert NOBODY is not watch
    problem = "no exporter of traces is installed under the name 'zipkin' (OTEL_…)"
    assert [(Event.CONFIG_WARNING, {"problem": problem})] == emit.events
    assert 1 == len(emit.listeners)


@virtual
async def test_a_collector_that_takes_nothing_is_waited_for_no_longer_than_is_said():
    gone = threading.Event()
    loop = asyncio.get_running_loop()
    began = loop.time()

    await closed(SimpleNamespace(close=gone.wait))

    assert FLUSH_SECONDS == pytest.approx(loop.time() - began)
    assert "traces" in {thread.name for thread in threading.enumerate() if thread.daemon}
    gone.set()


async def test_what_is_left_is_sent_before_the_end():
    sent = []

    await closed(SimpleNamespace(close=lambda: sent.append("all")))

    assert ["all"] == sent

"""Whether to trace, and where to: the standard variables of OpenTelemetry say so.

Read here and not by its own start-up code, which would have to be loaded to say no.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rotator import __version__
from rotator.events import Event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from opentelemetry.sdk.trace import TracerProvider

    from rotator.observe.logs import Observer
    from rotator.observe.traces import Traces
    from rotator.wiring import Watch

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_GROUP = "opentelemetry_traces_exporter"
#: For what is left at the end. A collector that does its work takes it in milliseconds.
FLUSH_SECONDS = 3.0
#: A run that is part of something else is told so.
_INCOMING = ("TRACEPARENT", "TRACESTATE")


def wanted(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the exporters that the environment asks for."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ()
    asked = environ.get("OTEL_TRACES_EXPORTER", "")
    if not asked and not any(environ.get(name) for name in _ENDPOINTS):
        return ()
    names = (name.strip() for name in (asked or "otlp").split(","))
    return tuple(_exporter(name, environ) for name in names if name and name != "none")


def _exporter(name: str, environ: Mapping[str, str]) -> str:
    if name != "otlp":
        return name
    protocol = next((environ[one] for one in _PROTOCOLS if environ.get(one)), "http/protobuf")
    return _OTLP.get(protocol, protocol)


@asynccontextmanager
async def tracing(
    watch: Watch, emit: Observer, *, alone: bool, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Watch]:
    """``watch``, with traces where somebody wants them, until the block ends and all is sent.

    Args:
        watch: Who looks on besides.
        emit: Where rotations are told of.
        alone: The run is for itself, and not part of a trace that somebody else has begun.
        environ: The variables.
    """
    names = wanted(environ)
    if names and find_spec("opentelemetry") is None:
        problem = "OTEL_… asks for traces, an extra: pip install 'arize-key-rotator[otel]'"
        emit(Event.CONFIG_WARNING, problem=problem)
        names = ()
    if not names:
        yield watch
        return
    from rotator.observe.traced import traced  # noqa: PLC0415 - only who wants traces
    from rotator.observe.traces import Traces  # noqa: PLC0415

    incoming = {} if alone else {name: environ[name] for name in _INCOMING if name in environ}
    traces = Traces(_provider(names, environ, emit), incoming)
    emit.listen(traces.heard)
    try:
        yield replace(watch, around=lambda world: traced(world, traces))
    finally:
        await closed(traces)


async def closed(traces: Traces) -> None:
    """Send what is left, to whoever may be slow, or gone: in a thread that nobody waits for long.

    Not one of the loop's, which are waited for at its end.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        traces.close()
        # The loop may be closed by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=close, name="traces", daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), FLUSH_SECONDS)


def _provider(names: tuple[str, ...], environ: Mapping[str, str], emit: Observer) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    # What is given here goes over the variables.
    told = {"service.version": __version__}
    attributes = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in attributes:
        told["service.name"] = "rotator"
    provider = TracerProvider(resource=Resource.create(told), shutdown_on_exit=False)
    for name in names:
        found = entry_points(group=_GROUP, name=name)
        for exporter in found:
            provider.add_span_processor(BatchSpanProcessor(exporter.load()()))
        if not found:
            problem = f"no exporter of traces is installed under the name {name!r} (OTEL_…)"
            emit(Event.CONFIG_WARNING, problem=problem)
    return provider

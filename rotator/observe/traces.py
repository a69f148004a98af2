"""Traces: a span for each rotation, and one for each of its steps.

Spans are made of what is told anyway: events say when a rotation begins and ends, and the ports are
wrapped to see how long each request took. So nothing below knows of traces. Loaded only where the
variables of OpenTelemetry ask for it, which also say where spans go
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).

A rotation that another process carries on is a span there, with the same ``rotator.rotation_id``.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from rotator import traceparent
from rotator.errors import RotatorError
from rotator.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from rotator.journal import Journal

#: A key that lay on the disk is delivered before it is said that its rotation is carried on.
_BEGINS = {Event.ROTATION_STARTED, Event.ROTATION_RESUMED, Event.KEY_RESTORED}
_ENDS = {
    Event.ROTATION_COMPLETED: "completed",
    Event.ROTATION_REPAIRED: "repaired",
    Event.ROTATION_SUPERSEDED: "superseded",
    Event.ROTATION_FAILED: "failed",
    Event.KEY_REFUSED: "refused",
}
#: What is worth a mark on the rotation's span.
_MARKS = {Event.MINT_AMBIGUOUS, Event.DELIVERY_FAILED}
#: Fields of events that are told of a rotation. None holds more than its event shows.
_TOLD = (
    *("policy", "reason", "rotation_id", "strategy", "old_key_id", "key_id", "attempt"),
    *("error_code", "danger_seconds", "target"),
)
#: Rotations whose trace is remembered for what comes after them: hooks, and the end of the old key.
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Timed:
    """A request that was made before it was known what for. Times are the machine's nanoseconds."""

    name: str
    began: int
    ended: int
    error: str | None


@dataclass(slots=True)
class _Task:
    """What one task is at."""

    rotation: Span | None = None
    before: list[Timed] = field(default_factory=list)
    #: Old keys that wait for their end: by id, the policy and the rotation.
    retiring: dict[str, tuple[str, str]] = field(default_factory=dict)


_TASK: ContextVar[_Task | None] = ContextVar("traced task", default=None)


def _task() -> _Task:
    """What this task is at; a new one where it is at nothing."""
    return _TASK.get() or _Task()


class Traces:
    """Listens to events, and times the steps between them.

    Args:
        provider: Makes spans, and sends them somewhere.
        incoming: ``TRACEPARENT`` and ``TRACESTATE``, for a run that is part of something else.
    """

    def __init__(self, provider: TracerProvider, incoming: Mapping[str, str]) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("rotator")
        self._propagator = TraceContextTextMapPropagator()
        carrier = {name.lower(): value for name, value in incoming.items()}
        self._parent = self._propagator.extract(carrier)
        #: By policy, which has one rotation in flight at most: its id, and its span.
        self._open: dict[str, tuple[str, Span]] = {}
        self._contexts: dict[str, Context] = {}

    def close(self) -> None:
        """Send what is left."""
        for _, span in self._open.values():
            span.end()
        self._provider.shutdown()

    def look(self, policy: str, journal: Journal) -> None:
        """This task looks at ``policy``, which has this ``journal``.

        What a task begins with is a copy of what its maker was at, which may be another policy.
        """
        rotation = journal.rotation.id if journal.rotation else None
        known, span = self._open.get(policy, (None, None))
        if span is not None and known != rotation:
            # Somebody else has ended it.
            span.end()
            del self._open[policy]
            span = None
        _TASK.set(_Task(rotation=span))
        self.wrote(policy, journal)

    def wrote(self, policy: str, journal: Journal) -> None:
        """This task has written ``journal``, or read it."""
        task = _task()
        task.retiring = {one.key_id: (policy, one.rotation) for one in journal.retiring}
        _TASK.set(task)

    def heard(self, event: Event, /, **fields: object) -> None:
        """See :class:`rotator.ports.Emit`."""
        policy = str(fields.get("policy"))
        if event in _BEGINS:
            self._begin(policy, event, fields)
        elif policy in self._open:
            _, span = self._open[policy]
            if event in _ENDS:
                self._end(policy, span, _ENDS[event], fields)
            elif event in _MARKS:
                span.add_event(str(event), _attributes(fields))

    @contextmanager
    def step(self, name: str, *, of: str | None = None) -> Iterator[None]:
        """Time a step of the rotation at hand, or of the rotation ``of``; else keep it in mind."""
        task = _TASK.get()
        context = self._contexts.get(of or "")
        if context is None and task and task.rotation:
            context = trace.set_span_in_context(task.rotation)
        if context is None:
            with self._kept_in_mind(name):
                yield
            return
        with self._timed(name, context, {}):
            yield

    @contextmanager
    def retiring(self, key_id: str) -> Iterator[None]:
        """Time the end of an old key, in the trace of the rotation that replaced it."""
        policy, rotation = _task().retiring.get(key_id, (None, None))
        told = {"policy": policy, "rotation_id": rotation, "key_id": key_id}
        context = self._contexts.get(rotation or "", self._parent)
        with self._timed("retire", context, _attributes(told)):
            yield

    @contextmanager
    def _timed(
        self, name: str, context: Context, attributes: Mapping[str, str | float]
    ) -> Iterator[None]:
        """A span around what is done, and its name in every request meanwhile."""
        span = self._tracer.start_span(name, context)
        span.set_attributes(attributes)
        headers: dict[str, str] = {}
        self._propagator.inject(headers, trace.set_span_in_context(span))
        token = traceparent.CURRENT.set(headers)
        try:
            yield
        except BaseException as error:
            _fail(span, _code(error))
            raise
        finally:
            traceparent.CURRENT.reset(token)
            span.end()

    @contextmanager
    def _kept_in_mind(self, name: str) -> Iterator[None]:
        task, began, error = _task(), time.time_ns(), None
        _TASK.set(task)
        if name == "preflight":
            task.before.clear()
        try:
            yield
        except BaseException as caught:
            error = _code(caught)
            raise
        finally:
            task.before = [*task.before[-9:], Timed(name, began, time.time_ns(), error)]

    def _begin(self, policy: str, event: Event, fields: Mapping[str, object]) -> None:
        task, rotation = _task(), str(fields.get("rotation_id"))
        known, span = self._open.get(policy, (None, None))
        if span is None or known != rotation:
            began = min((one.began for one in task.before), default=None)
            span = self._tracer.start_span("rotation", self._parent, start_time=began)
            self._open[policy] = rotation, span
            self._remember(rotation, span)
        else:
            span.add_event(str(event))
        span.set_attributes(_attributes(fields))
        for one in task.before:
            self._add(one, trace.set_span_in_context(span))
        _TASK.set(_Task(rotation=span, retiring=task.retiring))

    def _end(self, policy: str, span: Span, outcome: str, fields: Mapping[str, object]) -> None:
        span.set_attributes({**_attributes(fields), "rotator.outcome": outcome})
        if outcome in {"failed", "refused"}:
            span.set_status(trace.Status(trace.StatusCode.ERROR, str(fields.get("error_code"))))
        span.end()
        del self._open[policy]
        _TASK.set(_Task(retiring=_task().retiring))

    def _add(self, one: Timed, context: Context) -> None:
        span = self._tracer.start_span(one.name, context, start_time=one.began)
        if one.error:
            _fail(span, one.error)
        span.end(one.ended)

    def _remember(self, rotation: str, span: Span) -> None:
        self._contexts[rotation] = trace.set_span_in_context(span)
        while len(self._contexts) > _REMEMBERED:
            del self._contexts[next(iter(self._contexts))]


def _attributes(fields: Mapping[str, object]) -> dict[str, str | float]:
    return {
        f"rotator.{name}": value if isinstance(value, int | float) else str(value)
        for name in _TOLD
        if (value := fields.get(name)) is not None
    }


def _fail(span: Span, code: str) -> None:
    """Of an error only its kind: its words are for the log, where they are masked."""
    span.set_attribute("error.type", code)
    span.set_status(trace.Status(trace.StatusCode.ERROR, code))


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, RotatorError) else type(error).__name__

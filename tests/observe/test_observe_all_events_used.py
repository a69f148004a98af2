import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rotator
from rotator.events import Event, declared

_FILES = [
    path
    for path in Path(rotator.__file__).parent.rglob("*.py")
    if path.name not in {"events.py", "catalogue.py"}
]
_SOURCES = {path: path.read_text(encoding="utf-8") for path in _FILES}


@pytest.mark.parametrize("event", Event)
def test_every_event_in_the_catalogue_is_emitted_somewhere(event: Event):
    assert any(f"Event.{event.name}" in source for source in _SOURCES.values())


def test_every_field_that_is_named_where_an_event_is_emitted_is_declared():
    assert [] == [
        f"{path.name}:{line}: {event} {field}"
        for path, source in _SOURCES.items()
        for event, field, line in _emitted(ast.parse(source))
        if field not in {*declared(event), "level"}
    ]


def _emitted(tree: ast.AST) -> Iterator[tuple[Event, str, int]]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and (event := _event(call.args[0])):
            for keyword in call.keywords:
                if keyword.arg is not None:
                    yield event, keyword.arg, call.lineno


def _event(argument: ast.expr) -> Event | None:
    named = isinstance(argument, ast.Attribute) and isinstance(argument.value, ast.Name)
    return Event[argument.attr] if named and argument.value.id == "Event" else None

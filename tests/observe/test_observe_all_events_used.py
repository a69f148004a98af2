from pathlib import Path

import pytest

import rotator
from rotator.events import Event

_SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(rotator.__file__).parent.rglob("*.py")
    if path.name not in {"events.py", "catalogue.py"}
)


@pytest.mark.parametrize("event", Event)
def test_every_event_in_the_catalogue_is_emitted_somewhere(event: Event):
    assert f"Event.{event.name}" in _SOURCES

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.events import CATALOGUE, FIELDS, Event, declared
from rotator.observe.catalogue import EXAMPLES, document, example

_FILE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_document_in_the_repository_is_what_the_catalogue_writes():
    assert document() == _FILE.read_text(encoding="utf-8"), (
        "run: python -m rotator.observe.catalogue > docs/events.md"
    )


def test_the_document_is_printed_by_the_module():
    printed = subprocess.run(
        [sys.executable, "-m", "rotator.observe.catalogue"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert (document(), "") == (printed.stdout, printed.stderr)


def test_every_event_has_one_row():
    rows = re.findall(r"^\| `([a-z_.]+\.[a-z_]+)` \|", document(), flags=re.MULTILINE)

    assert [str(event) for event in CATALOGUE] == rows


def test_every_field_has_one_row():
    rows = re.findall(r"^\| `([a-z_]+)` \|", document(), flags=re.MULTILINE)

    assert list(FIELDS) == rows


@pytest.mark.parametrize("event", EXAMPLES)
def test_an_example_has_only_declared_fields_and_shows_all_it_is_given(event: Event):
    line = json.loads(example(event))

    assert ["timestamp", "level", "event"] == list(line)[:3]
    assert set(EXAMPLES[event]) == set(line) - {"timestamp", "level", "event"}
    assert set() == set(EXAMPLES[event]) - set(declared(event))

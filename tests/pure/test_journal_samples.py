"""A journal of every version that there ever was: written by that version, kept as it is."""

import json
from pathlib import Path

import pytest

from rotator.errors import Unreadable
from rotator.journal import VERSION, Journal, decode, encode

SAMPLES = {path.stem: path for path in (Path(__file__).parent / "journals").iterdir()}
KINDS = ("every-field", "after-a-rotation", "killed-after-the-mint")


def sample(name):
    return json.loads(SAMPLES[name].read_text())


def test_there_are_samples_of_every_version():
    assert {f"{version}-{kind}" for version in range(1, VERSION + 1) for kind in KINDS} == set(
        SAMPLES
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_read_and_nothing_of_it_is_lost(name):
    document = sample(name)

    assert document == within(encode(decode(document, place="p")), document)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_samples_have_every_field_there_is(kind):
    document = sample(f"{VERSION}-{kind}")

    assert encode(decode(document, place="p")) == document


def test_every_field_of_the_journal_is_filled_in_some_sample():
    document = sample(f"{VERSION}-every-field")

    assert [] == [name for name in Journal.model_fields if not document[name]]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rotator_that_is_older_than_a_sample_would_refuse_it(name):
    newer = {**sample(name), "version": VERSION + 1}

    with pytest.raises(Unreadable, match="was written by a newer rotator"):
        decode(newer, place="p")


def within(new, old):
    """What ``new`` says of whatever ``old`` has: fields that came later are left out."""
    if isinstance(old, dict):
        return {name: within(new[name], value) for name, value in old.items()}
    if isinstance(old, list):
        return [within(ours, theirs) for ours, theirs in zip(new, old, strict=True)]
    return new

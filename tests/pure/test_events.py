import re

import pytest

from rotator.events import CATALOGUE, COMMON, FIELDS, Event, declared


def test_every_event_is_in_the_catalogue():
    assert set(Event) == set(CATALOGUE)


@pytest.mark.parametrize("event", Event)
def test_a_name_is_dotted_and_in_small_letters(event: Event):
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event)


@pytest.mark.parametrize("event", Event)
def test_every_declared_field_has_a_meaning(event: Event):
    assert set() == set(declared(event)) - set(FIELDS)


@pytest.mark.parametrize("event", Event)
def test_no_field_is_declared_twice(event: Event):
    assert sorted(set(declared(event))) == sorted(declared(event))


def test_every_field_with_a_meaning_is_used():
    used = {name for event in Event for name in declared(event)}

    assert set(FIELDS) == used


@pytest.mark.parametrize("event", Event)
def test_a_meaning_is_a_sentence(event: Event):
    assert re.fullmatch(r"[A-Z].*\.", CATALOGUE[event].text)


@pytest.mark.parametrize("name", FIELDS)
def test_the_meaning_of_a_field_is_a_sentence(name: str):
    assert re.fullmatch(r"[A-Z].*\.", FIELDS[name])


def test_events_of_a_policy_begin_with_the_common_fields():
    assert COMMON == declared(Event.KEY_RETIRED)[: len(COMMON)]
    assert COMMON == declared(Event.POLICY_PLANNED)[: len(COMMON)]


def test_events_of_the_process_have_their_own_fields_only():
    assert ("version", "policies", "owner") == declared(Event.DAEMON_STARTED)

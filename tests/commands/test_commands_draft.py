"""The first configuration: right for whatever keys there are, and never a secret in it."""

import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, strategies as st

from rotator.commands.draft import Chosen, Services, draft
from rotator.commands.init import numbers_in
from rotator.keys import Bindings, Key, KeyType, OrgBinding
from rotator.secrets import Redacted
from rotator.settings import load

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
SERVICES = Services({"api_key": {"env": "KEY"}}, "https://vault:8200", None, "a/{name}", "api_key")
ENVIRON = {"KEY": "k", "VAULT_TOKEN": "t"}


def key(name="ci", **changes):
    return Key(
        **{"id": f"id-{name}", "name": name, "redacted": Redacted("ak-abc", "xyz")} | changes
    )


def policies(*keys, services=SERVICES):
    text = draft(services, [one if isinstance(one, Chosen) else Chosen(one) for one in keys])
    return yaml.safe_load(text)["policies"]


def bounded(days, **changes):
    return key(created_at=NOW, expires_at=NOW + days * DAY, **changes)


@pytest.mark.parametrize(
    ("one", "rules"),
    [
        (key(), {"max_age": "90d", "grace_period": "6h"}),
        (bounded(90), {"before_expiry": "7d", "grace_period": "6h"}),
        (bounded(28), {"before_expiry": "7d", "grace_period": "6h"}),
        (bounded(1), {"before_expiry": "6h", "grace_period": "3h"}),
        (bounded(1 / 24), {"before_expiry": "15m", "grace_period": "7m"}),
        (bounded(1 / 1440), {"before_expiry": "4m", "grace_period": "2m"}),
        (key(expires_at=NOW), {"before_expiry": "7d", "grace_period": "6h"}),
    ],
)
def test_the_rules_fit_the_life_of_the_key(one, rules):
    assert rules == policies(one)[0]["rotate"]


def test_names_are_made_of_names_and_each_is_its_own():
    names = [
        one["name"]
        for one in policies(
            key("CI Key!"), key("ci-key", id="2"), key("ö", id="3"), key("", id="4")
        )
    ]

    assert ["key", "ci-key", "ci-key-2", "key-2"] == names


def test_a_key_that_is_named_like_a_raw_key_gives_no_name():
    raw = "ak-0123456789abcdefghijklmnopqrstuv"

    assert ["key"] == [one["name"] for one in policies(key(raw))]


def test_a_service_key_says_where_it_is_and_what_is_missing():
    told = Bindings((OrgBinding("o"),))
    blind = draft(SERVICES, [Chosen(key(type=KeyType.SERVICE), "space-1")])
    seen = draft(SERVICES, [Chosen(key(type=KeyType.SERVICE, bindings=told), "space-1")])

    assert {"id": "id-ci", "type": "service", "space_id": "space-1"} == (
        yaml.safe_load(blind)["policies"][0]["key"]
    )
    assert ("`bindings`" in blind, "`bindings`" in seen) == (True, False)


def test_the_management_key_is_marked():
    assert "; the key that rotator itself works with" in draft(SERVICES, [Chosen(key(), own=True)])


def test_keys_of_one_name_are_told_apart_by_a_person():
    text = draft(SERVICES, [Chosen(key()), Chosen(key(id="2")), Chosen(key("other"))])

    assert 2 == text.count("# 2 of these keys have this name. One that another has replaced")
    assert 3 == text.count("- name:")


def test_it_may_be_a_directory(tmp_path):
    path = tmp_path / "rotator.yaml"
    services = Services({"api_key": {"env": "KEY"}}, None, "/var/keys", "{name}", "key")
    path.write_text(draft(services, [Chosen(key())]), encoding="utf-8")

    settings = load([path], ENVIRON)
    assert (Path("/var/keys"), "ci") == (settings.directory, settings.policies[0].targets[0].path)


names = st.text(max_size=80) | st.text(string.printable, max_size=80)
keys = st.builds(
    Key,
    id=st.text(min_size=1, max_size=30).filter(str.isprintable),
    name=names,
    type=st.sampled_from(KeyType),
    created_at=st.none() | st.just(NOW),
    expires_at=st.none() | st.integers(1, 10**8).map(lambda s: NOW + timedelta(seconds=s)),
)


@given(st.lists(keys, min_size=1, max_size=5, unique_by=lambda one: one.id))
def test_whatever_the_keys_are_the_configuration_is_right(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("draft") / "rotator.yaml"
    path.write_text(draft(SERVICES, [Chosen(one) for one in found]), encoding="utf-8")

    settings = load([path], ENVIRON)

    assert () == settings.warnings
    assert {one.id for one in found} == {one.selector.id for one in settings.policies}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1", [1]),
        ("1,3-5", [1, 3, 4, 5]),
        ("2 1 2", [2, 1]),
        ("ALL", [1, 2, 3, 4, 5]),
        ("", []),
        ("6", []),
        ("0", []),
        ("4-9999999999", []),
        ("x", []),
        ("1-", [1]),
        ("-1", []),
    ],
)
def test_numbers_are_read_as_people_write_them(text, numbers):
    assert numbers == numbers_in(text, 5)

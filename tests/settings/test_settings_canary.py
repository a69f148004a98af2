"""A raw key in the wrong place is in no message, whatever the place."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from settings_stage import CANARY, ENVIRON, VALID, changed, problems, wrote

from rotator.errors import ConfigError
from rotator.settings import load

SMALL = "ak-" + "abcdefghijklm0123456789" * 2
SECRETS = [
    CANARY,
    SMALL,
    "ak-" + "A" * 20,
    "hvs.CAESIJ0abcdefghijklmnopqrstuvwxyz0123456789",
    "5d6b4f0e-1c2d-4e5f-8a9b-0c1d2e3f4a5b",
    "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
]
REFERENCE = Path(__file__).parents[2] / "config" / "rotator.yaml"
FULL = yaml.safe_load(REFERENCE.read_text(encoding="utf-8")) | {"log": {"level": "info"}}


def places(data, where=()):
    """The path of every value in ``data``, leaves and branches."""
    inside = data.items() if isinstance(data, dict) else enumerate(data)
    for name, value in inside:
        yield (*where, name)
        if isinstance(value, dict | list):
            yield from places(value, (*where, name))


def mappings(data):
    return [(), *(where for where in places(data) if isinstance(at(data, where), dict))]


def at(data, where):
    for part in where:
        data = data[part]
    return data


def said(text, environ=ENVIRON):
    """Everything that is said of a configuration, right or wrong."""
    try:
        settings = load([wrote(text)], environ)
    except ConfigError as error:
        return f"{error} {error.problems} {error!r} {error.__cause__!r}"
    return "\n".join(settings.warnings)


def leaks(secret, text):
    """Whether ``text`` shows ``secret``, in whatever case, or the better part of it."""
    return secret.lower() in text.lower() or secret[3:23].lower() in text.lower()


# --- as a value ---


@pytest.mark.parametrize("secret", [CANARY, SMALL])
@pytest.mark.parametrize("where", list(places(FULL)), ids=lambda w: ".".join(map(str, w)))
def test_a_key_pasted_as_any_value_is_not_repeated(where, secret):
    data = deepcopy(FULL)
    at(data, where[:-1])[where[-1]] = secret

    assert not leaks(secret, said(json.dumps(data)))


@pytest.mark.parametrize("where", list(places(FULL)), ids=lambda w: ".".join(map(str, w)))
def test_nor_in_a_list_or_a_mapping_there(where):
    for value in ([CANARY], {CANARY: CANARY}, {"x": [CANARY]}):
        data = deepcopy(FULL)
        at(data, where[:-1])[where[-1]] = value

        assert not leaks(CANARY, said(json.dumps(data)))


@pytest.mark.parametrize("field", ["path", "field"])
def test_nor_where_two_policies_have_it(field):
    data = deepcopy(FULL)
    for policy in data["policies"]:
        policy["deliver"] = {"path": "p", "field": "f", "metadata": {"name": CANARY}}
        policy["deliver"][field] = CANARY
        policy["key"] = {"name": "ci"}

    text = said(json.dumps(data))
    assert "already" in text
    assert not leaks(CANARY, text)


@pytest.mark.parametrize(
    "source",
    ["{env: KEY}", "{file: KEY}", "{vault: KEY}", "{vault: {path: KEY, field: KEY}, env: KEY}"],
)
@pytest.mark.parametrize("secret", SECRETS)
def test_nor_where_the_place_of_a_secret_belongs(source, secret):
    for old in ("{env: ARIZE_API_KEY}", "{env: VAULT_TOKEN}"):
        text = changed((old, source.replace("KEY", f"'{secret}'")))

        assert not leaks(secret, said(text))


# --- as a name ---


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("where", mappings(FULL), ids=lambda w: ".".join(map(str, w)) or "top")
def test_a_key_pasted_as_a_name_is_not_repeated(where, secret):
    data = deepcopy(FULL)
    at(data, where)[secret] = "x"
    text = said(json.dumps(data))

    assert re.search(r"unknown (key|fact)", text)
    assert not leaks(secret, text)


def test_nor_when_it_is_given_twice():
    assert not leaks(CANARY, said(f"{VALID}{CANARY}: 1\n{CANARY}: 2\n"))


# --- elsewhere ---


@pytest.mark.parametrize(
    "text",
    [
        "arize: {KEY",
        "arize: KEY: KEY",
        "arize: 'KEY",
        "arize: *KEY",
        "arize: &KEY 1\nvault: &KEY 2",
        "arize: !KEY!x 1",
        "arize: !!KEY 1",
        "arize: @KEY",
        "%KEY",
        "KEY",
        "- KEY",
        "? {KEY: KEY}\n: KEY",
        "<<: KEY",
        "arize: |KEY\n  KEY",
        "arize: KEY\x01KEY",
        "KEY: 1\n---\nKEY: 1",
    ],
)
def test_a_malformed_file_is_not_quoted(text):
    assert not leaks(CANARY, "".join(problems(text.replace("KEY", CANARY))))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROTATOR_ARIZE", "KEY"),
        ("ROTATOR_ARIZE", '{"KEY": "KEY"}'),
        ("ROTATOR_ARIZE", '{"KEY": {"KEY": ["KEY"]}}'),
        ("ROTATOR_ARIZE__API_KEY", "KEY"),
        ("ROTATOR_ARIZE__API_KEY", '{"env": "KEY"}'),
        ("ROTATOR_ARIZE__API_KEY", '"KEY"'),
        ("ROTATOR_ARIZE__API_KEY", '{"KEY'),
        ("ROTATOR_ARIZE__TIMEOUT", "KEY"),
        ("ROTATOR_ARIZE__BASE_URL", "KEY"),
        ("ROTATOR_ARIZE__KEY", "KEY"),
        ("ROTATOR_POLICIES", "KEY"),
        ("ROTATOR_POLICIES", json.dumps([{"name": "KEY", "KEY": "KEY"}])),
        ("ROTATOR_RUN__CONCURRENCY", "KEY"),
        ("ROTATOR_LOG", "KEY"),
        ("ROTATOR_VAULT__AUTH", '{"method": "KEY"}'),
        ("ROTATOR_COLOUR", "KEY"),
        ("VAULT_ADDR", "KEY"),
        ("VAULT_SKIP_VERIFY", "KEY"),
        ("VAULT_CLIENT_KEY", "KEY"),
    ],
)
def test_a_key_in_the_wrong_variable_is_not_repeated(name, value):
    text = changed(("  address: https://vault:8200\n", ""))
    environ = ENVIRON | {"VAULT_ADDR": "https://v", name: value.replace("KEY", CANARY)}
    found = said(text, environ)

    assert "" != found
    assert not leaks(CANARY, found)


@pytest.mark.parametrize("said_as", ["id", "name"])
def test_a_raw_key_is_no_way_to_say_which_key_is_meant(said_as):
    data = deepcopy(FULL)
    data["policies"][0]["key"] = {said_as: CANARY}

    text = said(json.dumps(data))
    words = "looks like a raw key; write the id or the name that Arize shows of it"
    assert f"policies[0].key.{said_as}: {words}" in text
    assert not leaks(CANARY, text)

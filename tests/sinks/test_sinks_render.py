"""How a key is laid out in a file."""

import json
import shlex
from datetime import UTC, datetime

import pytest

from rotator.errors import Rejected
from rotator.journal import Current
from rotator.secrets import Secret
from rotator.sinks.render import facts_of, rendered

RAW = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789"
KEY = Secret(RAW)
SINCE = datetime(2026, 11, 23, 8, 31, 2, 345678, tzinfo=UTC)
CURRENT = Current(
    key_id="QXBpS2V5OjEwMDI=",
    name="ci pipeline",
    redacted="ak-CAN...789",
    fingerprint=KEY.fingerprint,
    since=SINCE,
    expires_at=datetime(2027, 2, 21, 8, 31, 2, tzinfo=UTC),
)
NAMES = {
    "key": "ARIZE_API_KEY",
    "key_id": "ARIZE_KEY_ID",
    "name": "ARIZE_KEY_NAME",
    "expires_at": "ARIZE_KEY_EXPIRES_AT",
    "rotated_at": "ARIZE_KEY_ROTATED_AT",
    "redacted_key": "ARIZE_REDACTED_KEY",
}
VALUES = {
    "ARIZE_API_KEY": RAW,
    "ARIZE_KEY_ID": "QXBpS2V5OjEwMDI=",
    "ARIZE_KEY_NAME": "ci pipeline",
    "ARIZE_KEY_EXPIRES_AT": "2027-02-21T08:31:02+00:00",
    "ARIZE_KEY_ROTATED_AT": "2026-11-23T08:31:02+00:00",
    "ARIZE_REDACTED_KEY": "ak-CAN...789",
}


def content(form, names=NAMES, secret=KEY, current=CURRENT):
    return rendered(form, names, secret, facts_of(secret, current)).reveal().decode()


def test_raw_is_the_key_and_nothing_else():
    assert RAW == content("raw")


def test_dotenv_is_what_a_shell_reads():
    lines = content("dotenv")

    assert VALUES == dict(word.split("=", 1) for word in shlex.split(lines))
    assert f"ARIZE_API_KEY={RAW}\n" == lines.splitlines(keepends=True)[0]
    assert "ARIZE_KEY_NAME='ci pipeline'\n" in lines


def test_json_is_one_object():
    assert VALUES == json.loads(content("json"))
    assert content("json").endswith("}\n")


def test_of_a_key_that_we_have_not_delivered_little_is_known():
    other = CURRENT.model_copy(update={"fingerprint": "sha256:other"})
    for current in (None, other):
        fields = json.loads(content("json", current=current))

        assert {"ARIZE_API_KEY", "ARIZE_REDACTED_KEY"} == {n for n, v in fields.items() if v}
    assert "ARIZE_KEY_ID=\n" in content("dotenv", current=None)


def test_a_key_without_an_end_never_expires():
    current = CURRENT.model_copy(update={"expires_at": None})

    assert "never" == json.loads(content("json", current=current))["ARIZE_KEY_EXPIRES_AT"]


@pytest.mark.parametrize("odd", ["a'b", "a\\b", "a\nb", "a\x00b", "a\x7fb"])
def test_what_is_not_read_alike_by_all_is_refused_in_dotenv_alone(odd):
    with pytest.raises(Rejected) as caught:
        content("dotenv", {"key": "K"}, Secret(odd))

    assert odd not in str(caught.value)
    assert {"K": odd} == json.loads(content("json", {"key": "K"}, Secret(odd)))


@pytest.mark.parametrize("value", ["$(x)", "`x`", 'a"b', "a b", "#x", "é", "a;b", "~", "*"])
def test_nothing_in_a_value_means_anything_to_a_shell(value):
    assert [f"K={value}"] == shlex.split(content("dotenv", {"key": "K"}, Secret(value)))


def test_what_is_rendered_cannot_print():
    masked = rendered("json", NAMES, KEY, facts_of(KEY, CURRENT))

    assert RAW not in f"{masked} {masked!r} {facts_of(KEY, CURRENT)}"

import base64
import json
import time
import tracemalloc
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, strategies as st

from rotator.observe.scrub import LIMIT, Scrubber, Trust
from rotator.secrets import Secret

RAW = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789ABCDEFxyz"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyb3RhdG9yIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
SCRUB = Scrubber()

keys = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16).map(
    "ak-".__add__
)


@pytest.mark.parametrize("trust", Trust)
@given(key=keys, before=st.text(max_size=9), after=st.sampled_from(["", " ", '"', "...", "\n"]))
def test_a_raw_key_is_masked_wherever_it_stands(trust, key, before, after):
    assert key not in SCRUB(f"{before}{key}{after}", trust)


@pytest.mark.parametrize("trust", Trust)
@given(key=keys, before=st.binary(max_size=3))
def test_a_raw_key_is_masked_in_base64_at_every_offset(trust, key, before):
    encoded = base64.b64encode(before + key.encode()).decode()

    # All but the part of the first characters that belongs to what stands before the key.
    assert encoded[-16:] not in SCRUB(f"x {encoded} y", trust)


@pytest.mark.parametrize(
    "text",
    [
        RAW.encode().hex(),
        "".join(f"%{byte:02X}" for byte in RAW.encode()),
        "".join(f"\\u{byte:04x}" for byte in RAW.encode()),
        "".join(f"\\x{byte:02x}" for byte in RAW.encode()),
        RAW.replace("-", "%2D"),
        RAW.replace("-", "\\u002d"),
        "hvs.CAESIJ0000abcdefghijklmnop",
        "hvb.AAAAAQJ0000abcdefghijklmnop",
        "s.abcdefghijklmnopqrstuvwx",
        "b.AAAAAQabcdefghijklmnopqrstuv",
        "s.abcdefghijklmnopqrstuvwx.ns123",
        JWT,
    ],
)
@pytest.mark.parametrize("trust", Trust)
def test_what_is_a_secret_by_its_looks_is_masked_in_every_text(trust, text):
    assert "before [masked] after" == SCRUB(f"before {text} after", trust)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ak-short123", "[masked]"),
        ("Authorization: Bearer abc", "Authorization: [masked]"),
        ("{'authorization': 'Bearer abc', 'a': 1}", "{'authorization': '[masked]', 'a': 1}"),
        ("(b'X-Vault-Token', b'abc')", "(b'X-Vault-Token', b'[masked]')"),
        ('"Set-Cookie": "a=b; c=d"', '"Set-Cookie": "[masked]"'),
        ("tried bearer abc-12345 and", "tried bearer [masked] and"),
        ("GET /v2/api-keys?key_type=user HTTP/1.1", "GET /v2/api-keys?[masked] HTTP/1.1"),
        ("https://me:pass@vault/v1", "https://[masked]@vault/v1"),
    ],
)
def test_what_may_be_a_secret_is_masked_in_sentences(text, expected):
    assert expected == SCRUB(text, Trust.OWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2, user=me", "password=[masked], user=me"),
        ("{'client_token': 'abc'}", "{'client_token': '[masked]'}"),
        ("id 0f8fad5b-d9cb-469f-a165-70867728950e.", "id [masked]."),
        ("got QXBpS2V5OjE2NDc6cXRBNwAbCd==", "got [masked]"),
        ("aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccc", "[masked]"),
    ],
)
def test_what_looks_random_or_named_is_masked_in_the_words_of_others(text, expected):
    assert expected == SCRUB(text, Trust.FOREIGN)


@pytest.mark.parametrize(
    "text",
    [
        "ak-abc...xyz",
        "key_near_expiry",
        "QXBpS2V5OjE2NDc6cXRBNw==",
        "apps/ci/arize#api_key",
        "the token ends before the grace does",
        "403: the policy allows no update of secret/data/apps/ci",
        "set `arize.api_key: {env: ARIZE_API_KEY}`",
        "Why? Because.",
        "basic authentication is not offered",
        "2026-11-23T08:31:02.345Z",
    ],
)
def test_ordinary_sentences_are_left_alone(text):
    assert text == SCRUB(text, Trust.OWN)


@pytest.mark.parametrize("name", ["ak-production-2", "weak-signals-2026", "team/ak-staging-9"])
def test_a_name_may_begin_like_a_key(name):
    assert name == SCRUB(name, Trust.NAME)


@pytest.mark.parametrize(
    "text",
    [
        "connect_tcp.started host='127.0.0.1' port=8200 timeout=10 socket_options=None",
        'http://127.0.0.1:8200 "GET /v1/secret/data/apps/ci/arize HTTP/1.1" 200 312',
        'Added job "Daemon._begin" to job store "default"',
        "receive_response_body.complete",
    ],
)
def test_what_libraries_usually_say_stays_readable(text):
    assert text == SCRUB(text, Trust.FOREIGN)


# --- secrets it was told of ---


#: Without the letters of the mask itself.
_LETTERS = st.sampled_from("ABCXYZ0123456789+/=%-_.:~ \"'\\éλ漢")


@given(raw=st.text(_LETTERS, min_size=6), around=st.text(_LETTERS, max_size=3))
def test_a_known_secret_is_masked_however_encoded(raw, around):
    scrub = Scrubber()
    scrub.hide(Secret(raw), "here")

    for form in (str, json.dumps, repr, quote, quote_plus, lambda text: text.encode().hex()):
        assert form(raw).strip("\"'") not in scrub(form(f"{around}{raw}{around}"), Trust.NAME)


@given(raw=st.binary(min_size=9, max_size=60), before=st.binary(max_size=4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_known_secret_is_masked_in_base64(encode, raw, before):
    scrub = Scrubber()
    secret = raw.decode("latin-1")
    scrub.hide(Secret(secret), "here")
    encoded = encode(before + secret.encode()).decode().rstrip("=")

    # Of the rest, a character at each end may belong to the secret in part.
    assert len(encode(before)) + 2 >= len(scrub(encoded, Trust.NAME).replace("[masked]", ""))


def test_a_password_that_looks_like_nothing_is_masked_once_it_is_known():
    scrub = Scrubber()
    scrub.hide(Secret("correct horse"), "here")
    scrub.hide(Secret("battery staple"), "here")

    assert "it was [masked], [masked]" == scrub("it was correct horse, battery staple", Trust.NAME)


def test_nothing_is_left_of_a_secret_that_begins_like_another():
    scrub = Scrubber()
    scrub.hide(Secret("correct horse"), "here")
    scrub.hide(Secret("correct horse battery"), "there")

    assert "[masked]" == scrub("correct horse battery", Trust.NAME)


@given(raw=st.text(st.characters(), max_size=9))
def test_any_text_can_be_hidden(raw):
    scrub = Scrubber()
    scrub.hide(Secret(raw), "here")

    assert "[masked]" == scrub(raw, Trust.NAME) or len(raw) < 6


def test_a_secret_too_short_to_be_told_from_words_is_not_looked_for():
    scrub = Scrubber()
    scrub.hide(Secret("a"), "here")

    assert "a word" == scrub("a word", Trust.FOREIGN)


# --- secrets that are replaced ---


#: As many as a pod that logs in every hour reads in twelve weeks, and as long as they are there.
TOKENS = [f"{number:04}" * 250 for number in range(2_000)]


def test_secrets_that_come_and_go_push_out_none_that_stays():
    scrub = Scrubber()
    scrub.hide(Secret("correct horse"), "read once")
    for token in TOKENS:
        scrub.hide(Secret(token), "replaced")

    assert "[masked]" == scrub("correct horse", Trust.NAME)


def test_a_secret_that_was_replaced_is_masked_for_a_while_as_it_may_be_in_use():
    scrub = Scrubber()
    for token in TOKENS:
        scrub.hide(Secret(token), "here")

        assert "[masked]" == scrub(token, Trust.NAME)

    assert "[masked] [masked]" == scrub(" ".join(TOKENS[-2:]), Trust.NAME)
    assert "[masked]" == scrub(TOKENS[-2].encode().hex(), Trust.NAME)


def test_a_secret_that_comes_back_is_new_again():
    scrub = Scrubber()
    for number, token in enumerate(TOKENS):
        if number % 5 == 0:
            scrub.hide(Secret("correct horse"), "here")
        scrub.hide(Secret(token), "here")

    assert "[masked]" == scrub("correct horse", Trust.NAME)


def test_however_many_secrets_there_have_been_they_take_no_more_memory():
    scrub = Scrubber()
    for token in TOKENS[:20]:
        scrub.hide(Secret(token), "here")

    tracemalloc.start()
    for token in TOKENS[20:]:
        scrub.hide(Secret(token), "here")
    grown, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # One takes ten kilobytes or so, and a few are kept.
    assert grown < 500_000
    assert most < 1_000_000


# --- length ---


def test_a_long_text_is_cut_between_words():
    text = SCRUB("word " * LIMIT)

    assert len(text) <= LIMIT + len(" [cut]")
    assert text.endswith("word word [cut]")


def test_no_half_of_a_secret_is_left_at_a_cut():
    text = SCRUB("x" * 3 + " " + "y " * 3980 + RAW * 100)

    assert "CANARY" not in text


def test_a_text_that_was_too_long_before_it_was_masked_is_marked_as_cut():
    text = SCRUB(f"{RAW} " * 200)

    assert text.endswith("[masked] [cut]")


def test_a_long_text_without_a_space_is_not_shown():
    assert " [cut]" == SCRUB("x" * 9000, Trust.NAME)


@pytest.mark.parametrize(
    "part",
    ["x", "A", "7", "aA0", "ak-", "%4", "a.", "eyJ", "token", "bearer ", "?a", "://", "s.a", "f"],
)
def test_no_text_takes_long(part):
    text = f". {part * LIMIT * 4} ."
    began = time.process_time()
    SCRUB(text[: LIMIT * 4], Trust.FOREIGN)
    SCRUB(text[: LIMIT * 4 - 2] + " .", Trust.FOREIGN)

    assert time.process_time() - began < 0.5


@given(text=st.text(st.characters()), trust=st.sampled_from(Trust))
def test_any_text_can_be_scrubbed(text, trust):
    assert isinstance(SCRUB(text, trust), str)

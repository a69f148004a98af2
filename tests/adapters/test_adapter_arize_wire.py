"""The readers, against everything that bytes can be."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings, strategies as st

from rotator.adapters.arize_errors import Answer, Call, refusal
from rotator.adapters.arize_wire import (
    Page,
    Unclear,
    read_key,
    read_minted,
    read_page,
    read_problem,
    read_time,
    write_time,
)
from rotator.errors import Ambiguous, RotatorError
from rotator.keys import Key
from rotator.secrets import Masked, Secret

#: A machine that is busy proves nothing.
UNHURRIED = settings(deadline=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
MEMBERS = ("id", "name", "key_type", "status", "redacted_key", "expires_at", "bot_user", "key")
RAW_KEYS = st.from_regex(r"ak-[A-Za-z0-9_-]{20,60}", fullmatch=True)
ROLES = st.fixed_dictionaries({}, optional={"type": JSON, "name": JSON, "id": JSON})
SPACES = st.lists(st.fixed_dictionaries({}, optional={"space_id": JSON, "role": ROLES}), max_size=2)
ORGANIZATION = {"org_id": JSON, "role": ROLES, "spaces": SPACES | JSON}
ORGANIZATIONS = st.lists(st.fixed_dictionaries({}, optional=ORGANIZATION), max_size=2)
BOT = {"name": JSON, "account_role": ROLES, "organizations": ORGANIZATIONS | JSON}
ITEMS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(MEMBERS, JSON)
    | {"bot_user": JSON | st.fixed_dictionaries({}, optional=BOT)},
)
ANSWERS = st.builds(
    Answer,
    st.just(Secret("ak-management")),
    st.builds(Masked, st.binary()),
    status=st.none() | st.integers(100, 999),
    retry_after=st.text(),
    date=st.text(),
    sent=st.booleans(),
    broken=st.text(),
)


def masked(document):
    return Masked(json.dumps(document).encode())


@UNHURRIED
@given(st.binary())
@example(b"[" * 100_000)
@example(b'{"api_keys":[{"id":"\\ud800"}]}')
@example(b"\xff\xfe{")
@example(b"1" * 5000)
def test_no_bytes_upset_a_reader(raw):
    body = Masked(raw)
    assert isinstance(read_page(body), Page | None)
    assert isinstance(read_minted(body), tuple | None)
    assert isinstance(read_problem(body), str)


@UNHURRIED
@given(JSON | ITEMS)
def test_no_item_upsets_the_reader_of_keys(item):
    key = read_key(item)
    assert isinstance(key, Key | Unclear | None)
    assert not isinstance(key, Key) or key.id.isascii()


@UNHURRIED
@given(st.lists(JSON | ITEMS, max_size=5), JSON)
def test_every_item_of_a_page_is_accounted_for(items, pagination):
    page = read_page(masked({"api_keys": items, "pagination": pagination}))
    assert len(page.keys) + len(page.unclear) + page.skipped == len(items)


@UNHURRIED
@given(ITEMS, RAW_KEYS)
def test_a_raw_key_is_read_whatever_stands_around_it(item, raw):
    minted, _ = read_minted(masked(item | {"key": raw}))
    assert minted.secret == Secret(raw)


@UNHURRIED
@given(ITEMS, RAW_KEYS, st.data())
def test_a_raw_key_is_read_from_any_answer_cut_behind_it(item, raw, data):
    del_key = {name: value for name, value in item.items() if name != "key"}
    first = json.dumps({"key": raw} | del_key).encode()
    end = data.draw(st.integers(len(f'{{"key": "{raw}"'), len(first)))
    minted, _ = read_minted(Masked(first[:end]))
    assert minted.secret == Secret(raw)


@UNHURRIED
@given(RAW_KEYS, st.data())
def test_half_a_raw_key_is_never_taken_for_a_whole(raw, data):
    whole = json.dumps({"id": "K", "key": raw}).encode()
    end = data.draw(st.integers(0, len(whole) - 3))
    assert read_minted(Masked(whole[:end])) is None


@UNHURRIED
@given(st.binary(max_size=30), RAW_KEYS, st.binary(max_size=30))
def test_a_raw_key_is_found_among_rubbish(before, raw, after):
    member = f'\n{{"key":\t"{raw}"'.encode()
    minted, _ = read_minted(Masked(before.replace(b'"', b"") + member + after))
    assert minted.secret == Secret(raw)


@UNHURRIED
@given(st.text())
@example("2026-W01-1")
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01T00:00:00+23:59")
@example("2026-02-30T00:00:00Z")
def test_a_time_is_read_in_utc_or_not_at_all(text):
    time = read_time(text)
    assert time is None or time.utcoffset().total_seconds() == 0


@UNHURRIED
@given(st.datetimes(min_value=read_time("2001-01-01").replace(tzinfo=None)))
def test_a_time_survives_the_wire_unless_it_is_a_never(time):
    read = read_time(time.isoformat())
    assert read_time(write_time(read)) == read


@UNHURRIED
@given(ANSWERS, st.booleans())
def test_every_answer_is_a_success_or_an_error_of_ours(answer, mint):
    error = refusal(answer, Call("doing", "POST", "/", mint=mint))
    assert (error is None) == answer.ok
    assert error is None or isinstance(error, RotatorError)
    assert mint or not isinstance(error, Ambiguous)


@pytest.mark.parametrize("sent", [True, False])
def test_silence_is_ambiguous_for_a_mint_that_may_have_left(sent):
    answer = Answer(Secret("ak-management"), Masked(b""), sent=sent, broken="reset")
    error = refusal(answer, Call("minting", "POST", "/", mint=True))
    assert isinstance(error, Ambiguous) == sent

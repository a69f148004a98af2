"""Whatever Arize, or something between us and it, answers: a value or an error of ours, no leak."""

from __future__ import annotations

import asyncio
import json
import traceback
from dataclasses import dataclass, field

import httpx
import pytest
from adapter_arize_stage import HOUR, MANAGEMENT, NOW, RAW, Body, Stage, listed
from hypothesis import given, strategies as st

from rotator.errors import Ambiguous, RotatorError, Unauthenticated
from rotator.keys import KeyType, Listing, Minted, Order, Scope
from rotator.secrets import Secret

ODD = [None, True, 0, -1, 1e300, "", " ", "\x00", "\ud800", "ACTIVE", "9999-12-31T23:59:59Z"]
scalars = st.sampled_from(ODD) | st.integers() | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = ("id", "name", "key_type", "status", "redacted_key", "created_at", "expires_at")
odd_items = st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, json_values))
items = odd_items.map(lambda members: listed("K1") | members)
pages = st.fixed_dictionaries(
    {"api_keys": st.lists(items | json_values, max_size=3) | json_values},
    optional={"pagination": json_values},
)
mints = items.map(lambda item: item | {"key": RAW})

CODES = [200, 201, 204, 206, 301, 307, 400, 401, 403, 404, 405, 409, 418, 422, 429, 500, 503, 599]
HEADERS = {
    "content-type": ["application/json", "text/html", "", "application/problem+json; charset=x"],
    "retry-after": ["0", "-1", "9" * 40, "soon", "Wed, 21 Oct 2099 07:28:00 GMT", "\xb2"],
    "date": ["", "yesterday", "Wed, 21 Oct 2099 07:28:00 GMT"],
    "location": ["https://elsewhere.test/"],
}


@dataclass(frozen=True)
class Answer:
    """A response, the same at every request; ``cut`` ends its body by a lost connection."""

    code: int
    headers: dict
    #: Not shown: the frames of the test are in the traceback too.
    body: bytes = field(repr=False)
    cut: bool = False

    def __call__(self, _):
        pieces = [self.body, httpx.ReadError("cut")] if self.cut else [self.body]
        headers = [(name, value.encode("latin-1")) for name, value in self.headers.items()]
        return httpx.Response(self.code, headers=headers, stream=Body(*pieces))

    @property
    def tells_the_key(self):
        """Whether a success with all of the key's member in it arrived."""
        return 200 <= self.code < 300 and f'"key": "{RAW}"'.encode() in self.body


def written(document):
    return json.dumps(document).encode(errors="surrogatepass")


@st.composite
def answers(draw, documents):
    """JSON or not, whole, cut, or with a byte of another kind behind it."""
    body = draw(documents.map(written) | st.binary(max_size=60))
    end = draw(st.just(len(body)) | st.integers(0, len(body)))
    body = body[:end] + draw(st.sampled_from([b"", b"", b"\x00", b"}", b"\xff"]))
    headers = {name: st.sampled_from(values) for name, values in HEADERS.items()}
    told = draw(st.fixed_dictionaries({}, optional=headers))
    return Answer(draw(st.sampled_from(CODES)), told, body, draw(st.booleans()))


def ended(call, answer):
    """What came of a call: its value, or an error of ours that says nothing it should not."""

    async def run():
        return await asyncio.wait_for(call(Stage(answer).issuer), 20)

    try:
        return asyncio.run(run())
    except RotatorError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        said = f"{error} {error!r} {error.remedy} {''.join(shown.format())}"
        assert RAW not in said
        assert MANAGEMENT not in said
        return error


@given(answer=answers(pages | mints | json_values))
def test_any_answer_to_a_listing_is_a_listing_or_an_error_of_ours(answer):
    found = ended(lambda issuer: issuer.keys(Scope()), answer)

    assert isinstance(found, Listing | RotatorError)
    fine = answer.code < 300 and not answer.cut
    assert fine or isinstance(found, RotatorError), "no fault looks like no keys"


@pytest.mark.parametrize("mint", ["refresh", "create"])
@given(answer=answers(mints | pages | json_values))
def test_no_answer_to_a_mint_loses_its_key_or_pretends_that_nothing_happened(mint, answer):
    def call(issuer):
        if mint == "create":
            return issuer.create(Order("ci", KeyType.USER))
        return issuer.refresh("K1", expires_at=NOW, grace=HOUR)

    found = ended(call, answer)

    if answer.tells_the_key:
        assert isinstance(found, Minted)
        assert Secret(RAW) == found.secret
    elif answer.code < 300:
        assert isinstance(found, Ambiguous | Minted), "it may have happened"
    else:
        assert isinstance(found, RotatorError)


@given(answer=answers(pages | mints | json_values))
def test_any_answer_to_a_removal_is_a_success_or_an_error_of_ours(answer):
    found = ended(lambda issuer: issuer.revoke("K1"), answer)

    assert isinstance(found, bool | RotatorError)
    assert found is not True or answer.code < 300
    assert found is not False or 404 == answer.code


@given(answer=answers(pages | mints | json_values))
def test_only_the_api_itself_can_say_that_a_key_is_good_or_bad(answer):
    found = ended(lambda issuer: issuer.accepts(Secret(RAW)), answer)

    assert isinstance(found, bool | RotatorError)
    assert found is not False or 401 == answer.code
    assert not isinstance(found, Unauthenticated)

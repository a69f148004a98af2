"""Whatever Vault, or something between us and it, answers: a value or an error of ours, no leak."""

import asyncio
import json
import traceback
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from rotator.adapters.vault import TokenAuth, VaultOptions, VaultStore
from rotator.errors import RotatorError
from rotator.journal import Journal
from rotator.model import Held, Target
from rotator.ports import Conflict
from rotator.sandbox.server import DROP, serving_in_thread
from rotator.secrets import Secret

TOKEN = "root-token-canary-2f61"
KEY = Secret("ak-canary-0123456789abcdefghij")
#: Stands for what was asked, which a server may repeat in its answer.
ECHO = "echo"
OTHER = Secret("ak-canary-9876543210jihgfedcba")
TARGET = Target("apps/ci/arize", "api_key")

ODD = [None, True, 0, -1, 1e300, "", "\x00", "\ud800", "2", 2, [], {}]
scalars = st.sampled_from(ODD) | st.integers() | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
#: The members by which Vault tells something, with values that are nearly right.
MEMBERS = {
    "errors": st.lists(st.sampled_from([TOKEN, ECHO, "permission denied", 7]), max_size=2),
    "auth": json_values,
    "data": st.fixed_dictionaries(
        {},
        optional={
            "data": st.dictionaries(st.sampled_from(["api_key", "x"]), scalars) | json_values,
            "metadata": st.fixed_dictionaries({"version": scalars}) | json_values,
            "version": scalars,
            "type": st.sampled_from(["kv", "pki", 7]),
            "options": st.fixed_dictionaries({"version": scalars}) | json_values,
            "ttl": scalars,
            "secret/data/apps/ci/arize": json_values,
        },
    )
    | json_values,
}
documents = st.fixed_dictionaries({}, optional=MEMBERS) | json_values
CODES = [200, 204, 301, 307, 400, 403, 404, 405, 412, 429, 472, 473, 500, 502, 503]


@dataclass
class Hostile:
    """Gives the same answers to the same kinds of requests, whatever they are."""

    answers: dict = field(default_factory=dict)

    async def __call__(self, scope, receive, send):
        kind = ("sys/" in scope["path"], scope["method"])
        code, body = self.answers[kind]
        if code is None:
            await scope["extensions"][DROP]()
            return
        asked = json.dumps((await receive())["body"].decode())[1:-1]
        body = body.replace(ECHO.encode(), asked.encode())
        headers = [(b"retry-after", b"soon"), (b"location", b"http://127.0.0.1:1/")]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@st.composite
def answers(draw):
    kinds = [(internal, method) for internal in (True, False) for method in ("GET", "POST", "PUT")]
    return {kind: draw(answer()) for kind in kinds}


@st.composite
def answer(draw):
    data = draw(documents.map(lambda one: json.dumps(one).encode()) | st.binary(max_size=40))
    end = draw(st.just(len(data)) | st.integers(0, len(data)))
    code = draw(st.none() | st.sampled_from([200, *CODES]))
    return code, b"" if code == 204 else data[:end]


@pytest.fixture(scope="module")
def hostile():
    app = Hostile()
    with serving_in_thread(app) as url:
        yield app, url


def ended(hostile, call):
    """What came of a call: its value, or an error of ours that says nothing it should not."""
    address = hostile[1]

    async def run():
        options = VaultOptions(
            address, TokenAuth(lambda: Secret(TOKEN)), timeout=timedelta(seconds=5)
        )
        store = VaultStore(options, lambda *_, **__: None)
        try:
            return await asyncio.wait_for(call(store), 20)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except RotatorError as error:
        shown = "".join(traceback.format_exception(error))
        said = f"{error} {error!r} {error.remedy} {shown}"
        assert TOKEN not in said
        assert KEY.reveal() not in said
        return error


def acknowledged(given_answers):
    """Whether a write was answered by a success. A read never shows what was written."""
    return {200, 204} & {given_answers[False, method][0] for method in ("POST", "PUT")}


quickly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@quickly
@given(given_answers=answers())
def test_any_answer_to_a_read_is_what_is_held_or_an_error_of_ours(hostile, given_answers):
    hostile[0].answers = given_answers

    assert isinstance(ended(hostile, lambda store: store.read(TARGET)), Held | RotatorError)


@quickly
@given(given_answers=answers())
def test_a_write_is_done_only_when_vault_says_so(hostile, given_answers):
    hostile[0].answers = given_answers
    old = Held(TARGET, OTHER, 1)

    found = ended(hostile, lambda store: store.write(old, KEY, {}))

    assert isinstance(found, Held | Conflict | RotatorError)
    if isinstance(found, Held):
        assert KEY == found.value
        assert acknowledged(given_answers)


@quickly
@given(given_answers=answers())
def test_any_journal_is_one_or_an_error_of_ours(hostile, given_answers):
    hostile[0].answers = given_answers

    found = ended(hostile, lambda store: store.load("ci"))

    assert isinstance(found, tuple | RotatorError)


@quickly
@given(given_answers=answers())
def test_a_journal_is_saved_only_when_vault_says_so(hostile, given_answers):
    hostile[0].answers = given_answers

    found = ended(hostile, lambda store: store.save("ci", Journal(), 3))

    assert isinstance(found, int | Conflict | RotatorError)
    assert not isinstance(found, int) or acknowledged(given_answers)


@quickly
@given(given_answers=answers())
def test_a_preflight_passes_or_says_why_not(hostile, given_answers):
    hostile[0].answers = given_answers

    found = ended(hostile, lambda store: store.preflight([TARGET], budget=timedelta(minutes=1)))

    assert found is None or isinstance(found, RotatorError)

"""What an answer means, and what may be said about it."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from adapter_arize_stage import MANAGEMENT, Stage, problem
from hypothesis import given, settings, strategies as st

from rotator.adapters.answers import scrub
from rotator.errors import Rejected, RotatorError, Temporary, Unavailable
from rotator.keys import Scope
from rotator.secrets import MASK, Secret

UNHURRIED = settings(deadline=None)
LEGACY = Secret("0123456789abcdef0123456789abcdef")
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


async def refused(answer):
    with pytest.raises(RotatorError) as error:
        await Stage(answer).issuer.keys(Scope())
    return error.value


@pytest.mark.parametrize("status", [425, 429, 500, 503, 504])
@pytest.mark.parametrize(
    ("told", "delay"),
    [
        ({"retry-after": "30"}, timedelta(seconds=30)),
        ({"retry-after": " 1.5 "}, timedelta(seconds=1.5)),
        ({"retry-after": "0"}, timedelta(0)),
        ({"retry-after": "999999999"}, timedelta(days=1)),
        ({"retry-after": "Sun, 01 Mar 2026 12:02:00 GMT", "date": DATE}, timedelta(minutes=2)),
        ({"retry-after": "Sun, 01 Mar 2026 12:02:00 -0000", "date": DATE}, timedelta(minutes=2)),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT", "date": DATE}, timedelta(0)),
        ({"retry-after": "Fri, 01 Mar 2030 11:00:00 GMT", "date": DATE}, timedelta(days=1)),
        ({"retry-after": "Sun, 01 Mar 2026 12:02:00 GMT"}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-5", "date": DATE}, None),
        ({"retry-after": "٣٠"}, None),
        ({"retry-after": "9" * 400}, None),
        ({}, None),
    ],
)
async def test_a_delay_that_was_asked_for_is_passed_on(status, told, delay):
    headers = [(name, text.encode()) for name, text in told.items()]
    error = await refused(httpx.Response(status, headers=headers))
    assert isinstance(error, Temporary)
    assert error.delay == delay


@pytest.mark.parametrize("status", [408, 499, 500, 503, 520])
async def test_a_reading_that_failed_at_the_service_may_be_repeated(status):
    assert type(await refused(problem(status))) is Unavailable


async def test_the_detail_of_a_problem_is_the_message():
    error = await refused(problem(409, "limit must be from 1 to 100"))
    assert error.message == "Arize answered 409 on listing keys: limit must be from 1 to 100"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"title": "Conflict"}, ": Conflict"),
        ({"detail": "", "title": "Conflict"}, ": Conflict"),
        ({"detail": {"no": "text"}}, ""),
        (["detail"], ""),
        ("detail", ""),
    ],
)
async def test_a_problem_in_another_shape_still_is_one(body, said):
    error = await refused(httpx.Response(409, json=body))
    assert error.message == f"Arize answered 409 on listing keys{said}"


async def test_a_redirect_is_refused_with_a_remedy():
    error = await refused(httpx.Response(308, headers={"location": "https://elsewhere.test"}))
    assert isinstance(error, Rejected)
    assert "`arize.base_url`" in error.remedy


async def test_a_secret_that_the_server_echoes_is_masked():
    error = await refused(problem(409, f"bad token {MANAGEMENT}, and ak-another_one-12345"))
    assert error.message == f"Arize answered 409 on listing keys: bad token {MASK}, and {MASK}"


async def test_a_legacy_secret_without_a_prefix_is_masked_too():
    assert scrub(f"token={LEGACY.reveal()};", LEGACY) == f"token={MASK};"


def test_a_redacted_key_may_be_shown():
    assert scrub("key ak-abc...xyz", LEGACY) == "key ak-abc...xyz"


async def test_a_message_is_one_bounded_line_of_printable_characters():
    error = await refused(problem(409, "a\r\nforged line\x1b[31m\u202e\ttext" + " more" * 500))
    assert error.message.startswith("Arize answered 409 on listing keys: a forged line [31m text")
    assert len(error.message) < 350
    assert error.message.isprintable()


@UNHURRIED
@given(st.text(), st.text(), st.integers(0, 290))
def test_no_secret_survives_whatever_stands_around_it(before, after, at):
    secret = "ak-Canary9Key9of9a9life9time99999999999999"
    said = scrub(before[:at] + secret + after, LEGACY)
    assert "Canary9Key" not in said
    assert len(said) <= 300
    assert said.isprintable()

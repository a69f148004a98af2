"""Who may read what."""

import base64
import json

import pytest

from rotator.observe.health import Health
from rotator.observe.web.site import Access, Answer, Request, Site
from rotator.secrets import Secret

TOKEN = "canary-token-0123456789"
LOCAL, WIDE = Access(is_local=True), Access(is_local=False)
GUARDED = Access(is_local=False, token=lambda: Secret(TOKEN))
BEARER = f"Bearer {TOKEN}"


def basic(password, user="me"):
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def site(access, *, good=True):
    return Site(
        access,
        {"/livez": lambda: Health(good, {"alive": good, "why": "é"})},
        {"/": lambda _: Answer(200, "text/html", b"page", {"Content-Security-Policy": "x"})},
    )


def ask(access, path="/", *, method="GET", good=True, **headers):
    headers = {"host": "localhost:9321"} | headers
    return site(access, good=good).answer(Request(method, path, **headers))


# --- on this machine ---


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9321", "127.0.0.1:80", "[::1]", "[::1]:9"]
)
def test_whoever_is_on_this_machine_reads_everything(host):
    assert 200 == ask(LOCAL, host=host).status
    assert {"alive": True, "why": "é"} == json.loads(ask(LOCAL, "/livez", host=host).body)


@pytest.mark.parametrize(
    "host", ["", "attacker.example", "attacker.example:9321", "10.0.0.1", "::"]
)
def test_a_page_elsewhere_that_points_its_name_here_reads_a_word(host):
    assert 403 == ask(LOCAL, host=host).status
    assert b"yes\n" == ask(LOCAL, "/livez", host=host).body


# --- beyond it ---


def test_without_a_token_others_read_a_word():
    answer = ask(WIDE)

    assert (403, b"beyond this machine, this needs http.token to be set\n") == (
        answer.status,
        answer.body,
    )
    assert (200, b"yes\n") == ask(WIDE, "/livez")[::2][:2]
    assert (503, b"no\n") == ask(WIDE, "/livez", good=False)[::2][:2]


@pytest.mark.parametrize(
    "given",
    [BEARER, f"bearer  {TOKEN} ", basic(TOKEN), basic(TOKEN, user=""), basic(TOKEN).upper()[:5]],
)
def test_with_the_token_others_read_everything(given):
    right = given != "BASIC"

    assert (200 if right else 401) == ask(GUARDED, authorization=given).status


@pytest.mark.parametrize(
    "given",
    [
        *("", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"),
        *(f"Digest {TOKEN}", "Basic !", "Basic /w==", basic("wrong"), basic(f"{TOKEN}:x")),
        f"Basic {base64.b64encode(TOKEN.encode()).decode()}",
        "Bearer \udc80",
    ],
)
def test_whoever_has_not_is_asked_for_it_and_told_a_word(given):
    answer = ask(GUARDED, authorization=given)

    assert 401 == answer.status
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert b"yes\n" == ask(GUARDED, "/livez", authorization=given).body


def test_with_the_token_health_is_told_in_full():
    assert b'"alive": true' in ask(GUARDED, "/livez", authorization=BEARER).body


def test_where_a_token_is_set_this_machine_needs_it_too():
    guarded = Access(is_local=True, token=lambda: Secret(TOKEN))

    assert 401 == ask(guarded).status
    assert 200 == ask(guarded, authorization=BEARER).status


def test_a_token_that_cannot_be_read_lets_nobody_in():
    lost = Access(is_local=True, token=lambda: None)

    assert 401 == ask(lost, authorization=BEARER).status


def test_a_token_in_the_address_is_no_token():
    assert 404 == ask(GUARDED, f"/?token={TOKEN}").status


# --- what is asked ---


def test_what_does_not_exist_is_not_found_whoever_asks():
    assert [404, 404] == [ask(access, "/admin").status for access in (LOCAL, WIDE)]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/livez"])
def test_it_is_for_reading_only(method, path):
    answer = ask(LOCAL, path, method=method)

    assert (405, "GET, HEAD") == (answer.status, answer.headers["Allow"])


def test_every_answer_forbids_to_be_kept_framed_or_guessed():
    for path in ("/", "/livez", "/none"):
        answer = ask(LOCAL, path)
        fields = answer.fields
        assert "no-store" == fields["Cache-Control"]
        assert "nosniff" == fields["X-Content-Type-Options"]
        assert "no-referrer" == fields["Referrer-Policy"]
        assert str(len(answer.body)) == fields["Content-Length"]


def test_a_page_may_bring_its_own_policy_and_others_have_the_strictest():
    assert "x" == ask(LOCAL).fields["Content-Security-Policy"]
    assert ask(LOCAL, "/livez").fields["Content-Security-Policy"].startswith("default-src 'none'; ")

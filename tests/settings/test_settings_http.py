"""The section of the health, metrics and status page."""

from pathlib import Path

import pytest
from settings_stage import ENVIRON, VALID, changed, loaded, problems, wrote

from rotator.settings import http_of
from rotator.settings.http import Http

TOKEN = "0123456789abcdef"


def section(text):
    return changed(("policies:", f"http: {text}\npolicies:"))


def test_it_is_off_unless_given():
    assert loaded(VALID).http is None


@pytest.mark.parametrize(
    ("written", "host", "port", "local"),
    [
        ("{}", "127.0.0.1", 9321, True),
        ("{listen: localhost:80}", "127.0.0.1", 80, True),
        ("{listen: '[::1]:9321'}", "::1", 9321, True),
        ("{listen: '0.0.0.0:65535'}", "0.0.0.0", 65535, False),  # noqa: S104 - only read
        ("{listen: '[::]:9321'}", "::", 9321, False),
        ("{listen: '192.0.2.7:9321'}", "192.0.2.7", 9321, False),
    ],
)
def test_where_it_listens(written, host, port, local):
    http = loaded(section(written)).http

    assert (host, port, local) == (http.host, http.port, http.is_local)


@pytest.mark.parametrize(
    "listen",
    [
        *("9321", ":9321", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x"),
        *("host:80", "::1:9321x", "[::1]", "[127.0.0.1", "127.0.0.1:-1", "127.0.0.1:٣"),
    ],
)
def test_what_is_no_address_of_ours(listen):
    words = "is not an address and a port; write it like 127.0.0.1:9321"

    assert [f"rotator.yaml:6: http.listen: {words}"] == problems(section(f"{{listen: '{listen}'}}"))


def test_a_variable_turns_it_on():
    environ = ENVIRON | {"ROTATOR_HTTP__LISTEN": "127.0.0.1:80"}

    assert Http(listen="127.0.0.1:80") == loaded(VALID, environ).http


def test_beyond_loopback_a_missing_token_is_warned_of():
    words = "others can reach this, and get no more than a word without a token; set http.token"

    assert (f"rotator.yaml:6: http.listen: {words}",) == loaded(
        section("{listen: '0.0.0.0:80'}")
    ).warnings


@pytest.mark.parametrize("listen", ["127.0.0.1:80", "0.0.0.0:80"])
def test_with_a_token_there_is_nothing_to_warn_of(listen):
    text = section(f"{{listen: '{listen}', token: {{env: HTTP_TOKEN}}}}")

    assert () == loaded(text, ENVIRON | {"HTTP_TOKEN": TOKEN}).warnings


def test_a_token_that_may_be_guessed_is_refused():
    words = "is shorter than 16 characters, and may be guessed; make one with: openssl rand -hex 16"
    environ = ENVIRON | {"HTTP_TOKEN": TOKEN[:-1]}

    assert [f"rotator.yaml:6: http.token: {words}"] == problems(
        section("{token: {env: HTTP_TOKEN}}"), environ
    )


def test_a_token_that_is_not_there_is_named():
    assert [
        "rotator.yaml:6: http.token: the variable HTTP_TOKEN is not set; export it"
    ] == problems(section("{token: {env: HTTP_TOKEN}}"))


def test_a_token_does_not_lie_behind_what_it_tells_of():
    words = "is needed also when Vault is down; use {env: NAME} or {file: PATH}"

    assert [f"rotator.yaml:6: http.token: {words}"] == problems(
        section("{token: {vault: {path: a, field: b}}}")
    )


# --- for `rotator health`, which asks also when the rest is wrong ---


def test_of_a_configuration_with_mistakes_elsewhere_it_can_still_be_read():
    path = wrote(section("{listen: 'localhost:80'}").replace("before_expiry", "befor"))

    assert Http(listen="127.0.0.1:80") == http_of([path], {})


def test_without_a_file_a_variable_is_enough():
    environ = {"ROTATOR_HTTP__LISTEN": "127.0.0.1:80"}

    assert Http(listen="127.0.0.1:80") == http_of([Path("none.yaml")], environ)


def test_where_there_is_none_or_a_wrong_one_nothing_is_read():
    assert http_of([wrote(VALID)], {}) is None
    assert http_of([wrote(section("{listen: nowhere}"))], {}) is None


@pytest.mark.parametrize("written", ["http:", "http: {}"])
def test_the_page_needs_no_more_than_its_name(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = f"{VALID}{written}\n"

    assert Http() == loaded(text).http
    assert Http() == http_of([wrote(text)], {})
    assert loaded(VALID).http is None
    assert http_of([wrote(VALID)], {}) is None

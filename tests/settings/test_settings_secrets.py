"""Where secrets are read from, and what may be wrong there."""

import os
from pathlib import Path

import pytest
from settings_stage import CANARY, ENVIRON, VALID, changed, loaded, problems, wrote

from rotator.errors import Unauthenticated
from rotator.settings import read_secret
from rotator.settings.sections import POD_TOKEN, SecretSource, VaultPlace
from rotator.settings.sources import exposure_of

METHOD = "{method: approle, role_id: r, secret_id: {env: NO}}"
PLACE = "rotator.yaml:2: arize.api_key"


def put(content, mode=0o600):
    file = wrote(content, "keys/arize")
    file.chmod(mode)
    return Path.cwd() / file


def in_file(file):
    return changed(("{env: ARIZE_API_KEY}", f"{{file: {file}}}"))


# --- two, or none ---


def test_a_secret_has_one_source():
    text = changed(("{env: ARIZE_API_KEY}", "{env: ARIZE_API_KEY, file: keys/arize}"))

    assert [f"{PLACE}: env and file are two sources for one secret; keep one"] == problems(text)


def test_a_secret_with_three_sources_has_two_too_many():
    three = "{env: A, file: b, vault: {path: p, field: f}}"

    assert [f"{PLACE}: env and file and vault are two sources for one secret; keep one"] == (
        problems(changed(("{env: ARIZE_API_KEY}", three)))
    )


def test_the_login_to_vault_cannot_wait_in_vault():
    text = changed(("{env: VAULT_TOKEN}", "{vault: {path: p, field: f}}"))

    assert [
        (
            "rotator.yaml:5: vault.auth.token: lies in Vault, behind this login; use {env: NAME} or"
            " {file: PATH}"
        )
    ] == problems(text)


def test_the_management_key_may():
    text = changed(("{env: ARIZE_API_KEY}", "{vault: {path: /p/, field: f}}"))

    assert VaultPlace(path="p", field="f") == loaded(text).arize.api_key.vault


# --- variables ---


def test_a_variable_that_is_not_set_is_a_mistake():
    environ = {"VAULT_TOKEN": "t"}

    assert [f"{PLACE}: the variable ARIZE_API_KEY is not set; export it"] == problems(
        VALID, environ
    )


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_variable_that_is_empty_is_a_mistake(text):
    environ = ENVIRON | {"ARIZE_API_KEY": text}

    assert [f"{PLACE}: the variable ARIZE_API_KEY is empty; put the secret into it"] == problems(
        VALID, environ
    )


@pytest.mark.parametrize("text", ["one\ntwo", "kéy", "a\x00b"])
def test_a_variable_that_cannot_be_sent_is_a_mistake(text):
    environ = ENVIRON | {"ARIZE_API_KEY": text}

    assert [
        (
            f"{PLACE}: the variable ARIZE_API_KEY holds more than a secret; put that alone into it,"
            " on one line"
        )
    ] == problems(VALID, environ)


def test_a_variable_in_small_letters_is_not_repeated_since_it_may_be_the_secret():
    text = changed(("ARIZE_API_KEY", "sup3rs3cret"))

    assert [f"{PLACE}: this variable is not set; export it"] == problems(text)


# --- files ---


def test_a_file_with_a_secret_for_its_owner_is_right():
    assert () == loaded(in_file(put(f"{CANARY}\n"))).warnings


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty; put the secret into it"),
        (" \n\n", "is empty; put the secret into it"),
        (b"\xff\xfe", "is not text; name the right one"),
        ("k" * 70_000, "is too large for a secret; name the right one"),
        ("one\ntwo", "holds more than a secret; put that alone into it, on one line"),
    ],
)
def test_a_file_without_a_secret_is_a_mistake(content, words):
    file = put(content)

    assert [f"{PLACE}: the file {file} {words}"] == problems(in_file(file))


def test_a_file_that_is_missing_is_a_mistake():
    assert [f"{PLACE}: the file /nowhere/arize does not exist; create it, or mount it"] == problems(
        in_file("/nowhere/arize")
    )


def test_a_file_below_a_file_cannot_be_read():
    file = put("s") / "below"

    assert [
        f"{PLACE}: the file {file} cannot be read: Not a directory; allow it, or run as its owner"
    ] == problems(in_file(file))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_is_closed_to_us_cannot_be_read():
    file = put("s", mode=0)

    assert [
        f"{PLACE}: the file {file} cannot be read: Permission denied; allow it, or run as its owner"
    ] == problems(in_file(file))


@pytest.mark.parametrize("file", ["/dev", "/dev/zero"])
def test_a_file_is_neither_a_directory_nor_a_device(file):
    assert [
        f"{PLACE}: the file {file} is not a plain file; name the one that holds the secret"
    ] == problems(in_file(file))


def test_a_file_whose_name_no_system_takes_is_a_mistake():
    text = changed(("{env: ARIZE_API_KEY}", r'{file: "/keys/\0"}'))

    assert [f"{PLACE}: this file is not text; name the right one"] == problems(text)


def test_a_file_without_a_directory_is_not_repeated_since_it_may_be_the_secret():
    assert [f"{PLACE}: this file does not exist; create it, or mount it"] == problems(
        in_file("sup3rs3cret")
    )


@pytest.mark.parametrize(
    ("mode", "shown"), [(0o644, "-rw-r--r--"), (0o604, "-rw----r--"), (0o602, "-rw-----w-")]
)
def test_a_file_that_others_may_read_is_warned_of(mode, shown):
    file = put("s", mode)

    assert (f"{PLACE}: others may read {file} ({shown}); chmod 600 it if you can",) == (
        loaded(in_file(file)).warnings
    )


def test_a_file_that_the_group_may_read_is_not():
    assert () == loaded(in_file(put("s", 0o640))).warnings


def test_the_pod_gives_its_token_where_nothing_else_is_said():
    text = changed(("{method: token, token: {env: VAULT_TOKEN}}", "{method: kubernetes, role: r}"))

    assert [
        (
            f"rotator.yaml:5: vault.auth.jwt: the file {POD_TOKEN} does not exist; create it, or"
            " mount it"
        )
    ] == problems(text)


def test_the_secret_of_an_approle_is_looked_for():
    text = changed(
        (
            "{method: token, token: {env: VAULT_TOKEN}}",
            "{method: approle, role_id: r, secret_id: {env: NO}}",
        )
    )

    assert [
        "rotator.yaml:5: vault.auth.secret_id: the variable NO is not set; export it"
    ] == problems(text)


# --- reading ---


def test_a_secret_is_read_without_the_space_around_it():
    assert CANARY == read_secret(SecretSource(env="A"), {"A": f" {CANARY}\n"}).reveal()


def test_a_file_is_read_anew_each_time():
    source = SecretSource(file=put("one"))
    first = read_secret(source, {}).reveal()
    put("two\r\n")

    assert ("one", "two") == (first, read_secret(source, {}).reveal())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SecretSource(env="NO"), "the variable NO is not set; export it"),
        (
            SecretSource(file="/no/where"),
            "the file /no/where does not exist; create it, or mount it",
        ),
        (
            SecretSource(vault=VaultPlace(path="p", field="f")),
            "this secret lies in Vault, and cannot be read without it",
        ),
    ],
)
def test_what_cannot_be_read_later_says_the_same(source, message):
    with pytest.raises(Unauthenticated) as caught:
        read_secret(source, {})

    assert message == caught.value.message


def test_of_a_file_that_is_gone_there_is_nothing_to_warn_of():
    assert None is exposure_of(SecretSource(file="/no/where"))

"""Variables over the files and under them."""

import json
from pathlib import Path

import pytest
from settings_stage import (
    CANARY,
    ENVIRON,
    POLICY,
    SERVICES,
    VALID,
    changed,
    loaded,
    problems,
    wrote,
)

from rotator.settings.schema import Token
from rotator.settings.sections import SecretSource

BARE = changed((SERVICES, "arize:\n  api_key: {env: ARIZE_API_KEY}\n"))


# --- over ---


def test_a_variable_goes_over_the_file():
    environ = ENVIRON | {
        "ROTATOR_ARIZE__BASE_URL": "https://arize.example",
        "ROTATOR_VAULT__ADDRESS": "https://other:8200",
        "ROTATOR_RUN__CONCURRENCY": "8",
        "ROTATOR_LOG__LEVEL": "debug",
    }
    settings = loaded(VALID, environ)

    assert ("https://arize.example", "https://other:8200", 8, "debug") == (
        settings.arize.url,
        settings.vault.address,
        settings.run.concurrency,
        settings.log.level,
    )


def test_it_may_be_written_in_small_letters():
    assert "debug" == loaded(VALID, ENVIRON | {"rotator_log__level": "debug"}).log.level


def test_a_variable_makes_the_section_that_is_not_there():
    settings = loaded(BARE, ENVIRON | {"ROTATOR_FILES__DIRECTORY": "keys"})

    assert (None, Path("keys")) == (settings.vault, settings.directory)


def test_the_variables_of_the_process_are_those_passed_in(monkeypatch):
    monkeypatch.setenv("ROTATOR_LOG__LEVEL", "debug")

    assert "info" == loaded(VALID).log.level


@pytest.mark.parametrize("key", ["_cli_parse_args: true", "_env_file: x.env"])
def test_a_file_cannot_order_more_variables_to_be_read(key):
    (found,) = problems(f"{VALID}{key}\n")

    assert found.startswith("rotator.yaml:11: …: unknown key; ")


@pytest.mark.parametrize(
    "environ",
    [
        {"ROTATOR_ARIZE__API_KEY__ENV": "OTHER"},
        {"ROTATOR_ARIZE__API_KEY": '{"env": "OTHER"}'},
        {"ROTATOR_ARIZE": '{"api_key": {"env": "OTHER"}}'},
    ],
)
def test_a_secret_from_a_variable_replaces_its_other_source(environ):
    text = changed(("{env: ARIZE_API_KEY}", "{file: /keys/arize}"))
    settings = loaded(text, ENVIRON | environ | {"OTHER": "k"})

    assert SecretSource(env="OTHER") == settings.arize.api_key


def test_so_does_that_of_the_login():
    text = changed(("{env: VAULT_TOKEN}", "{file: /keys/vault}"))
    environ = ENVIRON | {"ROTATOR_VAULT__AUTH__TOKEN__ENV": "VAULT_TOKEN"}

    assert Token(method="token", token=SecretSource(env="VAULT_TOKEN")) == (
        loaded(text, environ).vault.auth
    )


def test_a_list_is_written_as_json_and_replaces_the_other():
    policy = {
        "name": "json",
        "key": {"id": "k9"},
        "rotate": {"max_age": "9d"},
        "deliver": {"path": "p", "field": "f"},
    }
    environ = ENVIRON | {"ROTATOR_POLICIES": json.dumps([policy])}

    assert ["json"] == [one.name for one in loaded(VALID, environ).policies]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "ROTATOR_ARIZE__BASE_URL",
            "http://a.example",
            "arize.base_url: would send keys unencrypted; use https (http is for loopback only)",
        ),
        (
            "ROTATOR_ARIZE__BASE_ULR",
            "https://a.example",
            "arize.base_ulr: unknown key; did you mean `base_url`?",
        ),
        (
            "ROTATOR_ARIZE__API_KEY",
            CANARY,
            (
                "arize.api_key: a secret is not written here, but read from elsewhere: {env: NAME},"
                " {file: PATH} or {vault: {path: …, field: …}}"
            ),
        ),
        (
            "ROTATOR_ARIZE__API_KEY__ENV",
            "NOT_SET",
            "arize.api_key: the variable NOT_SET is not set; export it",
        ),
        ("ROTATOR_ARIZE", "https://a.example", "arize: must be a mapping"),
        ("ROTATOR_ARIZE", '{"timeout": 5}', None),
        ("ROTATOR_RUN__CONCURRENCY", "many", "run.concurrency: must be a whole number"),
        ("ROTATOR_RUN", '{"concurrency": NaN}', "run.concurrency: must be a whole number"),
        ("ROTATOR_RUN__LEASE", "1s", None),
        ("ROTATOR_POLICIES", "[]", "policies: must not be empty; write at least one"),
        ("ROTATOR_POLICIES", "[" * 9000, "policies: must be a list"),
        ("ROTATOR_POLICIES", "[5]", "policies[0]: must be a mapping"),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(name, value, words):
    (found,) = problems(VALID, ENVIRON | {name: value})
    place, _, rest = found.partition(": ")

    assert f"environment variable {name}" == place
    assert words in {rest, None}


def test_a_mistake_in_what_the_file_says_beside_it_names_the_file():
    text = changed(("vault:\n", "vault:\n  timeout: soon\n"))

    assert [
        (
            "rotator.yaml:4: vault.timeout: not a length of time; write a length of time like 90s,"
            " 1h30m, 7d or 2w"
        )
    ] == problems(text, ENVIRON | {"ROTATOR_VAULT__ADDRESS": "https://v"})


# --- strangers ---


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ROTATOR_ARISE__BASE_URL", ", or did you mean ROTATOR_ARIZE__BASE_URL?"),
        ("ROTATOR_LOG_LEVEL", ", or did you mean ROTATOR_LOG__LEVEL?"),
        ("ROTATOR_POLICYS", ", or did you mean ROTATOR_POLICIES?"),
        ("ROTATOR_COLOUR", ""),
        ("ROTATOR_", ""),
    ],
)
def test_a_variable_that_sets_nothing_is_a_mistake(name, hint):
    assert [f"environment variable {name}: sets nothing of rotator; unset it{hint}"] == problems(
        VALID, ENVIRON | {name: "x"}
    )


def test_what_kubernetes_sets_beside_a_service_of_our_name_is_not():
    names = [
        "ROTATOR_SERVICE_HOST",
        "ROTATOR_SERVICE_PORT",
        "ROTATOR_SERVICE_PORT_HTTP",
        "ROTATOR_PORT",
        "ROTATOR_PORT_8080_TCP_ADDR",
        "ROTATOR_TEST_VAULT_ADDR",
    ]

    assert () == loaded(VALID, ENVIRON | dict.fromkeys(names, "x")).warnings


# --- under ---


def test_the_variables_of_vault_are_enough():
    environ = ENVIRON | {
        "VAULT_ADDR": "https://v:8200",
        "VAULT_NAMESPACE": "team",
        "VAULT_CACERT": "ca.pem",
        "VAULT_CLIENT_CERT": "c.pem",
        "VAULT_CLIENT_KEY": "c.key",
    }
    for name in ("ca.pem", "c.pem", "c.key"):
        wrote("", name)
    vault = loaded(BARE, environ).vault

    assert ("https://v:8200", "team", "ca.pem", "c.pem", "c.key") == (
        vault.address,
        vault.namespace,
        str(vault.ca_cert),
        str(vault.client_cert),
        str(vault.client_key),
    )
    assert Token(method="token", token=SecretSource(env="VAULT_TOKEN")) == vault.auth


def test_what_the_file_says_goes_over_them():
    assert "https://vault:8200" == loaded(VALID, ENVIRON | {"VAULT_ADDR": "x"}).vault.address


@pytest.mark.parametrize("section", ["vault:\n", "vault: {}\n", "vault: {mount: kv}\n"])
def test_a_section_in_the_file_is_filled_from_them(section):
    environ = ENVIRON | {"VAULT_ADDR": "https://v", "VAULT_NAMESPACE": ""}
    vault = loaded(BARE + section, environ).vault

    assert ("https://v", None) == (vault.address, vault.namespace)


def test_keys_in_files_need_none_of_them():
    environ = ENVIRON | {"VAULT_ADDR": "https://v"}

    assert None is loaded(f"{BARE}files: {{directory: keys}}\n", environ).vault


def test_a_section_that_is_no_mapping_is_left_to_be_complained_of():
    assert ["rotator.yaml:8: vault: must be a mapping"] == problems(
        f"{BARE}vault: x\n", ENVIRON | {"VAULT_ADDR": "https://v"}
    )


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"VAULT_ADDR": "v:8200"}, "ADDR: vault.address: is not an address; write it like"),
        (
            {"VAULT_ADDR": "https://v", "VAULT_SKIP_VERIFY": "perhaps"},
            "SKIP_VERIFY: vault.skip_verify: must be true or false",
        ),
        (
            {"VAULT_ADDR": "https://v", "VAULT_TOKEN": ""},
            "TOKEN: vault.auth.token: the variable VAULT_TOKEN is empty; put the secret into it",
        ),
        (
            {"VAULT_ADDR": "https://v", "VAULT_CLIENT_KEY": "k"},
            "ADDR: vault: a client certificate needs both of its files; add `client_cert`",
        ),
    ],
)
def test_a_mistake_in_one_of_them_names_it(environ, words):
    wrote("", "k")
    (found,) = problems(BARE, ENVIRON | environ)

    assert found.startswith(f"environment variable VAULT_{words}")


def test_a_certificate_that_is_not_checked_is_warned_of():
    environ = ENVIRON | {"VAULT_ADDR": "https://v", "VAULT_SKIP_VERIFY": "1"}

    assert (
        (
            "environment variable VAULT_SKIP_VERIFY: vault.skip_verify: Vault's certificate is not"
            " checked: anybody on the way can take the keys; set ca_cert instead"
        ),
    ) == loaded(BARE, environ).warnings


def test_the_services_may_be_all_variables():
    environ = ENVIRON | {
        "ROTATOR_ARIZE": '{"api_key": {"env": "ARIZE_API_KEY"}}',
        "VAULT_ADDR": "https://v",
    }

    assert () == loaded(POLICY, environ).warnings

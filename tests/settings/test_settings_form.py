"""Mistakes of form: names, types, what is missing. The whole of each message is expected."""

import pytest
from settings_stage import VALID, changed, loaded, problems

KNOWN = "arize, files, http, log, policies, run, spool, vault"
HOW = "write a length of time like 90s, 1h30m, 7d or 2w"
SOURCES = (
    "a secret is not written here, but read from elsewhere: {env: NAME}, {file: PATH} or {vault:"
    " {path: …, field: …}}"
)


def test_what_is_right_has_neither_mistakes_nor_warnings():
    assert () == loaded(VALID).warnings


# --- names ---


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "policies:",
            "polices:",
            [
                "rotator.yaml:1: policies: is missing; add it",
                "rotator.yaml:6: polices: unknown key; did you mean `policies`?",
            ],
        ),
        (
            "  address:",
            "  adress: x\n  address:",
            ["rotator.yaml:4: vault.adress: unknown key; did you mean `address`?"],
        ),
        (
            "before_expiry: 7d",
            "before_expiry: 7d, grace: 1h",
            ["rotator.yaml:9: policies[0].rotate.grace: unknown key; did you mean `grace_period`?"],
        ),
        (
            "{id: k1}",
            "{id: k1, colour: red}",
            [
                (
                    "rotator.yaml:8: policies[0].key.colour: unknown key; remove it, known here:"
                    " bindings, id, name, space_id, type"
                )
            ],
        ),
        (
            "field: api_key}",
            "field: api_key, metdata: {}}",
            ["rotator.yaml:10: policies[0].deliver.metdata: unknown key; did you mean `metadata`?"],
        ),
        (
            "method: token,",
            "method: token, role: r,",
            [
                (
                    "rotator.yaml:5: vault.auth.role: unknown key; remove it, known here: method,"
                    " token"
                )
            ],
        ),
        (
            "arize:",
            "colour: red\narize:",
            [f"rotator.yaml:1: colour: unknown key; remove it, known here: {KNOWN}"],
        ),
        (
            "arize:",
            "5: x\narize:",
            [f"rotator.yaml:1: …: unknown key; remove it, known here: {KNOWN}"],
        ),
        (
            "arize:",
            "[a, b]: x\narize:",
            [f"rotator.yaml:1: …: unknown key; remove it, known here: {KNOWN}"],
        ),
        (
            "arize:",
            '"a\\nb": x\narize:',
            [f"rotator.yaml:1: …: unknown key; remove it, known here: {KNOWN}"],
        ),
    ],
)
def test_an_unknown_key_is_met_with_the_nearest_known_one(old, new, expected):
    assert expected == problems(changed((old, new)))


# --- types ---


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("name: ci", "name: 5", "7: policies[0].name", "must be text; put a number in quotes"),
        ("name: ci", "name: [ci]", "7: policies[0].name", "must be text; put a number in quotes"),
        ("id: k1", "id: true", "8: policies[0].key.id", "must be text; put a number in quotes"),
        ("id: k1", "id: ''", "8: policies[0].key.id", "must not be empty; fill it in"),
        ("{id: k1}", "k1", "8: policies[0].key", "must be a mapping"),
        (
            "{id: k1}",
            "{id: k1, type: bot}",
            "8: policies[0].key.type",
            "must be 'user' or 'service'",
        ),
        ("7d", "7", "9: policies[0].rotate.before_expiry", f"a number has no unit; {HOW}"),
        ("7d", "1.5", "9: policies[0].rotate.before_expiry", f"a number has no unit; {HOW}"),
        ("7d", "true", "9: policies[0].rotate.before_expiry", f"not a length of time; {HOW}"),
        ("7d", "soon", "9: policies[0].rotate.before_expiry", f"not a length of time; {HOW}"),
        ("7d", "0s", "9: policies[0].rotate.before_expiry", f"must be longer than nothing; {HOW}"),
        (
            "7d",
            "999w99999d",
            "9: policies[0].rotate.before_expiry",
            f"must be at most 100 years; {HOW}",
        ),
        (
            "7d}",
            "7d, strategy: renew}",
            "9: policies[0].rotate.strategy",
            "must be 'auto', 'refresh' or 'reissue'",
        ),
        (
            "apps/ci/arize",
            "../ci",
            "10: policies[0].deliver.path",
            "not a path in the store; write it like apps/ci/arize",
        ),
        (
            "apps/ci/arize",
            "a b",
            "10: policies[0].deliver.path",
            "not a path in the store; write it like apps/ci/arize",
        ),
        (
            "field: api_key}",
            "field: api_key, metadata: x}",
            "10: policies[0].deliver.metadata",
            "must be a mapping",
        ),
        (
            "{path: apps/ci/arize, field: api_key}",
            "[]",
            "10: policies[0].deliver",
            "must not be empty; write at least one",
        ),
        ("{path: apps/ci/arize, field: api_key}", "x", "10: policies[0].deliver", "must be a list"),
        (
            "{path: apps/ci/arize, field: api_key}",
            "[x]",
            "10: policies[0].deliver[0]",
            "must be a mapping",
        ),
        (
            "arize, field: api_key}",
            "arize}",
            "10: policies[0].deliver.field",
            "is missing; add it",
        ),
        (
            "arize:\n",
            "run: {concurrency: many}\narize:\n",
            "1: run.concurrency",
            "must be a whole number",
        ),
        (
            "arize:\n",
            "run: {concurrency: 1.5}\narize:\n",
            "1: run.concurrency",
            "must be a whole number",
        ),
        ("arize:\n", "run: {concurrency: 0}\narize:\n", "1: run.concurrency", "must be at least 1"),
        (
            "arize:\n",
            "run: {concurrency: 1001}\narize:\n",
            "1: run.concurrency",
            "must be at most 1000",
        ),
        (
            "arize:\n",
            "log: {level: loud}\narize:\n",
            "1: log.level",
            "must be 'debug', 'info', 'warning' or 'error'",
        ),
        (
            "vault:\n",
            "vault:\n  skip_verify: perhaps\n",
            "4: vault.skip_verify",
            "must be true or false",
        ),
        (
            "vault:\n",
            "vault:\n  skip_verify: [no]\n",
            "4: vault.skip_verify",
            "must be true or false",
        ),
        ("vault:\n", "vault:\n  ca_cert: 5\n", "4: vault.ca_cert", "must be a path"),
        (
            "{method: token, token",
            "{token",
            "5: vault.auth",
            "has no `method`; add token, approle or kubernetes",
        ),
        (
            "method: token",
            "method: ldap",
            "5: vault.auth",
            "has an unknown `method`; use token, approle or kubernetes",
        ),
        (", token: {env: VAULT_TOKEN}", "", "5: vault.auth.token", "is missing; add it"),
        ("{env: VAULT_TOKEN}", "[1]", "5: vault.auth.token", SOURCES),
        ("{env: ARIZE_API_KEY}", "k", "2: arize.api_key", SOURCES),
        ("{env: ARIZE_API_KEY}", "{value: k}", "2: arize.api_key", SOURCES),
        (
            "{env: ARIZE_API_KEY}",
            "{}",
            "2: arize.api_key",
            "names no source; write {env: NAME} or {file: PATH}",
        ),
        (
            "env: ARIZE_API_KEY",
            "env: ARIZE-API-KEY",
            "2: arize.api_key.env",
            "is not the name of a variable; write one like ARIZE_API_KEY",
        ),
        ("  address: https://vault:8200\n", "", "3: vault.address", "is missing; add it"),
    ],
)
def test_a_wrong_type_is_met_with_the_right_one(old, new, place, words):
    assert [f"rotator.yaml:{place}: {words}"] == problems(changed((old, new)))


@pytest.mark.parametrize(
    ("text", "place"),
    [("5", "rotator.yaml:6"), ("{a: 1}", "rotator.yaml:6"), ("", "rotator.yaml:6")],
)
def test_policies_are_a_list(text, place):
    services = VALID.partition("policies:")[0]

    assert [f"{place}: policies: must be a list"] == problems(f"{services}policies: {text}\n")


def test_there_is_at_least_one_policy():
    services = VALID.partition("policies:")[0]

    assert ["rotator.yaml:6: policies: must not be empty; write at least one"] == problems(
        f"{services}policies: []\n"
    )


@pytest.mark.parametrize("section", ["arize", "run", "log", "files"])
def test_a_section_is_a_mapping(section):
    text = VALID if section == "arize" else f"{section}: x\n{VALID}"
    text = text.replace("arize:\n  api_key: {env: ARIZE_API_KEY}", "arize: x", section == "arize")

    assert [f"rotator.yaml:1: {section}: must be a mapping"] == problems(text)


def test_a_policy_is_a_mapping():
    assert ["rotator.yaml:11: policies[1]: must be a mapping"] == problems(f"{VALID}  - other\n")


@pytest.mark.parametrize(
    "name", ["CI", "c i", "-ci", "ci-", "", "c" * 64, "../ci", "ci/arize", "ci\u0661"]
)
def test_a_policy_has_a_name_that_fits_a_path(name):
    words = (
        "use lower-case letters, digits, dots, dashes and underscores, at most 63 of them, with a"
        " letter or a digit first and last"
    )

    assert [f"rotator.yaml:7: policies[0].name: {words}"] == problems(
        changed(("name: ci", f'name: "{name}"'))
    )

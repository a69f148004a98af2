"""The JSON Schema: current, complete in its words, and of one mind with the loader."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from settings_stage import CANARY, OTHER, POLICY, SERVICES, VALID, changed, loaded, problems, wrote

from rotator.settings import schema
from rotator.settings.documents import read
from rotator.settings.help import HELP
from rotator.settings.json_schema import _models, json_schema

CONFIG = Path(__file__).parents[2] / "config"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def complaints(text):
    return list(VALIDATOR.iter_errors(read([wrote(text)]).data))


def test_the_committed_one_is_current():
    """If it is not: ``rotator schema > config/rotator.schema.json``."""
    committed = json.loads((CONFIG / "rotator.schema.json").read_text(encoding="utf-8"))

    assert SCHEMA == committed


def test_the_command_prints_it_without_a_configuration():
    printed = subprocess.run(
        [sys.executable, "-m", "rotator", "schema"], capture_output=True, text=True, check=True
    )

    assert json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n" == printed.stdout


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_each_setting_has_its_line_and_no_line_is_left_over():
    models = list(_models(schema.Root))

    assert {model.__name__: sorted(model.model_fields) for model in models} == {
        name: sorted(lines) for name, lines in HELP.items()
    }


def test_lengths_of_time_have_our_form_everywhere():
    text = json.dumps(SCHEMA)

    assert '"format": "duration"' not in text
    assert "PT" not in text


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_all_examples_are_valid(path):
    assert [] == complaints(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        VALID,
        POLICY,
        SERVICES,
        OTHER,
        changed(("before_expiry: 7d", "max_age: 1h 30m")),
        changed(("{path: apps/ci/arize, field: api_key}", "[{path: a, field: b}]")),
        changed(("{env: ARIZE_API_KEY}", "{vault: {path: a, field: b}}")),
        "vault:\n" + POLICY,
        "vault: {mount: kv}\n" + POLICY,
    ],
)
def test_one_file_of_several_is_valid_by_itself(text):
    assert [] == complaints(text)


WRONG = [
    changed((" 7d", " 7")),
    changed((" 7d", " 7 days")),
    changed(("rotate:", "rotat:")),
    changed(("{env: ARIZE_API_KEY}", CANARY)),
    changed(("{env: ARIZE_API_KEY}", "{env: ARIZE_API_KEY, file: /k}")),
    changed(("{env: ARIZE_API_KEY}", "{}")),
    changed(("{env: ARIZE_API_KEY}", "{env: a-b}")),
    changed(("id: k1", "id: k1, name: k")),
    changed(("id: k1", "type: user")),
    changed(("name: ci", "name: CI")),
    changed(("apps/ci/arize", "apps//arize")),
    changed(("method: token", "method: tokn")),
    changed(("{path: apps/ci/arize, field: api_key}", "[]")),
    changed(("field: api_key}", "field: api_key, metadata: {keyid: k}}")),
    changed(("arize:\n", "arize:\n  region: eu-west\n")),
    changed(("https://vault", "vault")),
]


@pytest.mark.parametrize("text", WRONG)
def test_what_it_refuses_the_loader_refuses_as_well(text):
    assert complaints(text)
    assert problems(text)


@pytest.mark.parametrize("role", ["MEMBER", {"id": "Um9sZTo3"}])
def test_a_role_is_a_name_or_an_id(role):
    data = yaml.safe_load(VALID)
    spaces = [{"space_id": "s", "role": role}]
    data["policies"][0]["key"] = {
        "name": "k",
        "bindings": {"organizations": [{"org_id": "o", "spaces": spaces}]},
    }
    text = yaml.safe_dump(data)

    assert [] == complaints(text)
    assert loaded(text)


def test_what_the_fields_of_a_policy_must_be_is_said_where_they_are():
    rotate = SCHEMA["$defs"]["Rotate"]["properties"]

    assert (
        "So long before its expiry the key is replaced." == rotate["before_expiry"]["description"]
    )
    assert "1h" == rotate["grace_period"]["default"]

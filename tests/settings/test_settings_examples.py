import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel
from settings_stage import ENVIRON, wrote

from rotator.model import Choice
from rotator.settings import load, schema
from rotator.settings.schema import REGIONS
from rotator.settings.sections import FACTS

CONFIG = Path(__file__).parents[2] / "config"
REFERENCE = (CONFIG / "rotator.yaml").read_text(encoding="utf-8")
ALTERNATIVES = re.findall(
    r"^ *# ((?:auth|api_key|files|region|spool): .*)$", REFERENCE, re.MULTILINE
)
VAULT = {"VAULT_ADDR": "https://vault:8200", "VAULT_TOKEN": "t"}
ARIZE = {"ARIZE_API_KEY": "k"}
#: One for each use; the others have a test of their own.
USES = sorted(
    {path.name for path in CONFIG.glob("*.yaml")} - {"rotator.yaml", "minimal.yaml", "files.yaml"}
)


def _fields(model, seen=()):
    """Every field that can be written somewhere below ``model``."""
    for name, field in model.model_fields.items():
        yield name
        for inner in _models(field.annotation):
            if inner not in seen:
                yield from _fields(inner, (*seen, inner))


def _models(annotation):
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in get_args(annotation) for model in _models(inner)]


def test_the_reference_is_right_as_it_stands():
    assert () == load([CONFIG / "rotator.yaml"], ARIZE | {"VAULT_TOKEN": "t"}).warnings


def test_the_minimal_one_needs_three_variables():
    assert () == load([CONFIG / "minimal.yaml"], ARIZE | VAULT).warnings


def test_the_minimal_one_can_be_tried_without_vault_as_it_says():
    text = (CONFIG / "minimal.yaml").read_text(encoding="utf-8") + "files: {directory: ./keys}\n"

    assert () == load([wrote(text)], ARIZE).warnings


def test_the_one_without_vault_needs_only_the_management_key():
    settings = load([CONFIG / "files.yaml"], ARIZE)

    assert ((), Path("/var/lib/rotator")) == (settings.warnings, settings.directory)


@pytest.mark.parametrize("name", USES)
def test_each_of_the_others_needs_the_variables_it_names_and_what_is_mounted(name):
    text = (CONFIG / name).read_text(encoding="utf-8")
    for mounted in re.findall(r"(?:file|ca_cert): ([^ }\n]+)", text):
        wrote("s3cr3t", f"mounted{mounted}").chmod(0o600)
    text = re.sub("(file|ca_cert): /", r"\1: ./mounted/", text)
    # The pod's own token is nowhere but in a pod.
    token = wrote("jwt", "mounted/token")
    token.chmod(0o600)
    text = text.replace("role: rotator}", "role: rotator, jwt: {file: mounted/token}}")
    named = text.partition("\narize:")[0]
    environ = {name: value for name, value in (ARIZE | VAULT).items() if name in named}

    assert () == load([wrote(text)], environ).warnings


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_each_opens_with_when_to_use_it(path):
    first, second = path.read_text(encoding="utf-8").splitlines()[:2]

    assert first == "# yaml-language-server: $schema=rotator.schema.json"
    assert second.startswith("# ")


@pytest.mark.parametrize("name", sorted(set(_fields(schema.Root))))
def test_the_reference_mentions_every_setting(name):
    assert (
        re.search(rf"\b{name}: ", REFERENCE)
        or f"\n{name}:" in REFERENCE
        or f" {name}:\n" in REFERENCE
    )


@pytest.mark.parametrize(
    "word",
    [*FACTS, *REGIONS, *Choice, *get_args(schema.Level), *get_args(schema.Format)],
)
def test_the_reference_mentions_every_choice(word):
    assert re.search(rf"\b{word}\b", REFERENCE)


def test_the_reference_has_its_alternatives_on_single_lines():
    assert 9 == len(ALTERNATIVES)


@pytest.mark.parametrize("line", ALTERNATIVES, ids=lambda line: line[:40])
def test_each_alternative_is_right_as_well(line):
    (name, value) = next(iter(yaml.safe_load(line).items()))
    data = yaml.safe_load(REFERENCE)
    where = {"auth": data["vault"], "files": data, "spool": data}.get(name, data["arize"])
    where[name] = _with_a_file_of_ours(value)
    data["arize"].pop("base_url" if name == "region" else "", None)
    if name == "files":
        del data["vault"]
        data["policies"] = data["policies"][:1]

    assert () == load([wrote(yaml.safe_dump(data))], ENVIRON).warnings


def _with_a_file_of_ours(value):
    mounted = wrote("s3cr3t", "mounted")
    mounted.chmod(0o600)
    if not isinstance(value, dict):
        return value
    pod = {"jwt": {"file": "mounted"}} if value.get("method") == "kubernetes" else {}
    return (
        pod
        | {
            name: {"file": "mounted"} if isinstance(inner, dict) and "file" in inner else inner
            for name, inner in value.items()
        }
        | ({"file": "mounted"} if "file" in value else {})
    )

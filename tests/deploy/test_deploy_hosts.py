"""Compose and systemd: what their own tools and schemas say, and that the configuration fits."""

import json
import re
import subprocess
from importlib.resources import files

import jsonschema
import pytest
import yaml
from deploy_stage import DEPLOY, needed

from rotator.settings import load

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = sorted((DEPLOY / "systemd").glob("*.service"))
#: Exposure, from 0 to 10, that docs/deploy.md states.
STATED = 1.1


def test_compose_is_what_its_specification_says():
    rules = json.loads(
        (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text()
    )

    jsonschema.validators.validator_for(rules)(rules).validate(COMPOSE)


def test_rotator_in_compose_is_confined_and_nothing_leaves_the_machine():
    services = COMPOSE["services"]
    confined = {name: services["rotator"][name] for name in ("read_only", "cap_drop")}

    assert {"read_only": True, "cap_drop": ["ALL"]} == confined
    assert "none" == services["vault"]["network_mode"]
    assert {"service:vault"} == {
        service["network_mode"] for name, service in services.items() if name != "vault"
    }
    assert [] == [name for name, service in services.items() if "ports" in service]


def test_what_compose_mounts_from_here_is_here():
    sources = [
        text.partition(":")[0]
        for service in COMPOSE["services"].values()
        for text in service["volumes" if "volumes" in service else "cap_drop"]
    ]

    ours = [source for source in sources if source.startswith(".")]
    assert ours
    assert [] == [source for source in ours if not (DEPLOY / source).exists()]


def test_the_configuration_of_compose_is_one(tmp_path):
    text = (DEPLOY / "compose/rotator.yaml").read_text()
    for name in ("arize_api_key", "vault_secret_id"):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text("of-sixteen-letters")
    file = tmp_path / "rotator.yaml"
    file.write_text(text.replace("/run/secrets/rotator", str(tmp_path)))

    assert () == load([file], {}).warnings


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_systemd_finds_little_exposed(path):
    command = ["security", "--offline=true", "--no-pager", f"--threshold={STATED * 10:.0f}", path]

    told = subprocess.run(
        [needed("systemd-analyze"), *command], capture_output=True, text=True, check=False
    )

    assert 0 == told.returncode, told.stdout
    assert f"Overall exposure level for {path.name}: {STATED}" in told.stdout


def test_systemd_understands_every_line():
    units = sorted((DEPLOY / "systemd").iterdir())

    told = subprocess.run(
        [needed("systemd-analyze"), "verify", *units], capture_output=True, text=True, check=False
    )

    absent = "rotator is not executable: No such file or directory"
    assert [] == [line for line in told.stderr.splitlines() if absent not in line]


def test_a_daemon_comes_again_however_it_ended_unless_its_configuration_is_wrong():
    lines = (DEPLOY / "systemd/rotator.service").read_text().splitlines()

    assert {"Restart=always", "RestartPreventExitStatus=2"} <= set(lines)


def test_both_services_are_confined_alike():
    bodies = [re.search(r"# A user of its own.*?(?=\n\n|\Z)", path.read_text(), re.DOTALL)[0]
              for path in SERVICES]  # fmt: skip

    assert bodies[0].strip() == bodies[1].strip()

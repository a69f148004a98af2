"""What each mode may cost, in counts: modules that it loads, requests that it makes."""

import re
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import packages_distributions

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)
#: What stands in pyproject.toml, and what that needs.
CONFIGURATION = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions"}
CONFIGURATION |= {"typing_inspection", "yaml", "_yaml", "durationpy"}
#: No mode needs them before it is asked for what they are for.
DEAR = {"apscheduler", "prometheus_client", "starlette", "uvicorn", "nacl", "opentelemetry"}
DEAR |= {"argcomplete", "cronsim", "pydantic_settings", "dotenv"}
#: Nor what others load where they find it.
DEAR |= {"pygments", "attr"}


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        stage.timeout, stage.run_section = "10s", {"lease": "30s"}
        yield stage


def add(stage, name, *, due):
    age, left = (60 * DAY, None) if due else (DAY, 300 * DAY)
    now = stage.now
    expires_at = now + left if left else None
    key = stage.arize.seed_user_key(name, created_at=now - age, expires_at=expires_at)
    stage.add_policy(name, key, max_age="30d", grace_period="1h")
    stage.put(name, api_key=key[1])


def loaded(stage, *arguments, **variables):
    """The names of all modules that a run has loaded."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rotator", *arguments],
        capture_output=True,
        text=True,
        env=stage.environ | variables,
        cwd=stage.folder,
        check=True,
        timeout=60,
    )
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))


def foreign(modules):
    """Of those, the packages that are neither Python's nor ours."""
    packages = {module.partition(".")[0] for module in modules}
    return packages & packages_distributions().keys() - {"rotator", "_distutils_hack"}


def test_the_version_takes_nothing_but_python_itself(stage):
    modules = loaded(stage, "--version")

    assert set() == foreign(modules)
    assert {"argparse", "asyncio", "ssl", "json"}.isdisjoint(modules)
    assert 7 >= sum(module.startswith("rotator") for module in modules)


def test_a_check_takes_what_reads_a_configuration(stage):
    add(stage, "ci", due=False)

    modules = loaded(stage, "check", "--config", str(stage.config))

    assert foreign(modules) <= CONFIGURATION


def test_a_variable_takes_what_reads_variables(stage):
    add(stage, "ci", due=False)

    modules = loaded(stage, "check", "--config", str(stage.config), ROTATOR_RUN__CONCURRENCY="3")

    assert {"pydantic_settings", "dotenv"} == foreign(modules) - CONFIGURATION


def test_nobody_is_told_what_is_validated(stage, tmp_path):
    add(stage, "ci", due=False)
    folder = tmp_path / "installed"
    about = folder / "listener-1.dist-info"
    about.mkdir(parents=True)
    (folder / "listener.py").write_text("plugin = None\n")
    (about / "METADATA").write_text("Name: listener\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[pydantic]\nlistener = listener:plugin\n")
    stage.variables["PYTHONPATH"] = str(folder)

    assert "listener" not in loaded(stage, "check", "--config", str(stage.config))


def test_a_pass_takes_the_two_services_and_the_log_besides(stage):
    add(stage, "ci", due=False)

    packages = foreign(loaded(stage, "run", "--once", "--config", str(stage.config)))

    assert {"httpx", "hvac", "requests", "structlog"} <= packages
    assert DEAR.isdisjoint(packages)


@pytest.mark.parametrize(("keys", "pages"), [(3, 1), (100, 1), (101, 2), (200, 2), (201, 3)])
def test_a_pass_lists_as_often_as_there_are_pages(stage, keys, pages):
    add(stage, "one", due=False)
    add(stage, "two", due=False)
    while len(stage.arize.keys) < keys:
        stage.arize.seed_user_key("another")
    stage.trap.asked.clear()

    assert 0 == stage.run("--once").code

    assert pages == stage.trap.asked.count("GET /v2/api-keys")


def test_a_rotation_makes_nine_requests_and_a_process_two(stage):
    add(stage, "ci", due=True)
    stage.trap.asked.clear()

    assert 0 == stage.run("--once").code

    key = stage.policies[0]["key"]["id"]
    assert [
        # Of the process, once.
        "GET /v1/auth/token/lookup-self",
        "GET /v1/sys/internal/ui/mounts/secret",
        # A look.
        "GET /v1/secret/data/rotator/ci",
        "GET /v1/secret/data/apps/ci",
        "GET /v2/api-keys",
        # A rotation.
        "POST /v1/sys/capabilities-self",
        "POST /v1/secret/data/rotator/ci",
        f"POST /v2/api-keys/{key}/refresh",
        "POST /v1/secret/data/apps/ci",
        "GET /v2/api-keys",
        "POST /v1/secret/data/rotator/ci",
    ] == stage.trap.asked


def test_each_further_rotation_of_a_pass_shares_the_listing(stage):
    for number in range(5):
        add(stage, f"key-{number}", due=True)
    stage.trap.asked.clear()

    assert 0 == stage.run("--once").code

    # Of the process: threads that begin at the same moment may each ask what the mount is.
    asked = [label for label in stage.trap.asked if "/sys/internal/" not in label]
    login, listing, rotation = 1, 1, 8
    assert login + listing + 5 * rotation == len(asked)

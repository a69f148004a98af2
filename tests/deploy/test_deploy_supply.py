"""Workflows and the bot's settings, held against their published schemas, and what they may do."""

import json
import re
import subprocess
from importlib.resources import files

import jsonschema
import pytest
import yaml
from deploy_stage import TOP, needed

from rotator import __version__

GITHUB = TOP / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
SHAPED = [
    *((path, "github-workflows") for path in WORKFLOWS),
    *((path, "github-issue-forms") for path in FORMS),
    (GITHUB / "ISSUE_TEMPLATE/config.yml", "github-issue-config"),
    (TOP / "renovate.json", "renovate"),
]
#: Semantic Versioning 2.0.0, without a build's own part: PyPI takes none.
SEMANTIC = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?"


@pytest.mark.parametrize(
    ("path", "schema"), SHAPED, ids=lambda value: getattr(value, "name", value)
)
def test_a_file_for_the_forge_is_what_its_schema_says(path, schema):
    shape = files("check_jsonschema") / f"builtin_schemas/vendor/{schema}.json"
    rules = json.loads(shape.read_text())

    # YAML reads the word `on` as true.
    text = re.sub(r"^on:", '"on":', path.read_text(), flags=re.MULTILINE)
    jsonschema.validators.validator_for(rules)(rules).validate(yaml.safe_load(text))


def test_workflows_are_without_fault_to_actionlint():
    told = subprocess.run(
        [needed("actionlint"), *WORKFLOWS], capture_output=True, text=True, check=False
    )

    assert (0, "") == (told.returncode, told.stdout)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path):
    used = re.findall(r"uses: (.*)", path.read_text())

    assert used
    assert [] == [text for text in used if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", text)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_says_otherwise(path):
    assert {"contents": "read"} == yaml.safe_load(path.read_text())["permissions"]


def test_a_release_is_signed_and_tells_where_it_is_from():
    text = (GITHUB / "workflows/release.yml").read_text()

    for step in ("cosign sign", "attest-build-provenance", "provenance: mode=max", "cyclonedx"):
        assert step in text


def test_what_is_executed_from_a_push_is_not_made_of_its_words():
    # A branch or a title in a script would be run: they go through the environment.
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            scripts = [step.get("run", "") for step in job["steps"]]
            assert [] == [script for script in scripts if "${{" in script]


def test_versions_are_semantic_and_the_changelog_has_them():
    headings = re.findall(r"^## \[(.*?)\]", (TOP / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert re.fullmatch(SEMANTIC, __version__)
    assert "Unreleased" == headings[0]
    assert all(re.fullmatch(SEMANTIC, heading) for heading in headings[1:])

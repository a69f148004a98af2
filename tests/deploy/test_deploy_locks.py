"""The locks have what pyproject.toml asks for, whole, and the image is built from them."""

import re
import subprocess
import tomllib

import pytest
from deploy_stage import TOP, needed
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rotator import __version__

PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
MAKEFILE = (TOP / "Makefile").read_text()
DOCKERFILE = (TOP / "Dockerfile").read_text()
REMEDY = "make lock"


def locked(name):
    """Version and hashes by package, of requirements/<name>.txt."""
    text = (TOP / f"requirements/{name}.txt").read_text()
    found = {}
    for entry in re.split(r"\n(?=\S)", text):
        if match := re.match(r"([\w.-]+)==(\S+)", entry):
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)
            found[canonicalize_name(match[1])] = (match[2], hashes)
    return found


def made_with(variable):
    """The words of a variable of the Makefile."""
    return re.search(rf"^{variable} *:= *(.*)$", MAKEFILE, re.MULTILINE)[1].split()


def wanted(name):
    """What the lock of this name must satisfy."""
    project, extras = PROJECT["project"], PROJECT["project"]["optional-dependencies"]
    if name == "build":
        return PROJECT["build-system"]["requires"]
    if name == "image":
        chosen = [text for extra in made_with("EXTRAS") for text in extras[extra]]
    else:
        chosen = [text for extra in extras.values() for text in extra]
        groups = PROJECT["dependency-groups"]
        chosen += [text for group in made_with("GROUPS") for text in groups[group]]
    return project["dependencies"] + chosen


@pytest.mark.parametrize("name", ["image", "build", "dev"])
def test_a_lock_satisfies_what_the_project_asks_for(name):
    versions = {package: version for package, (version, _) in locked(name).items()}

    unmet = [
        text
        for text in wanted(name)
        for asked in [Requirement(text)]
        if versions.get(canonicalize_name(asked.name), "none") not in asked.specifier
    ]

    assert [] == unmet, REMEDY


@pytest.mark.parametrize("name", ["image", "build", "dev"])
def test_everything_locked_has_its_hashes(name):
    assert [] == [package for package, (_, hashes) in locked(name).items() if not hashes]


def test_every_extra_is_in_the_image_but_those_for_people():
    # Stand-ins to try things against, and help for a shell, of which the image has none.
    extras = set(PROJECT["project"]["optional-dependencies"])

    assert extras - {"sandbox", "completion"} == set(made_with("EXTRAS"))


def test_every_group_is_locked():
    assert set(PROJECT["dependency-groups"]) == set(made_with("GROUPS"))


def test_the_image_takes_nothing_without_its_hash():
    installs = [step for step in DOCKERFILE.split("&&") if re.search(r"pip\S* .*install", step)]

    assert 3 == len(installs)
    for step in installs:
        assert "--require-hashes" in step or "--no-deps --no-index" in step


def test_the_image_has_the_version_of_the_program():
    assert f"ARG VERSION={__version__}\n" in DOCKERFILE


def test_the_dockerfile_is_without_fault_to_hadolint():
    told = subprocess.run(
        [needed("hadolint"), "--failure-threshold", "style", TOP / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (told.returncode, told.stdout)

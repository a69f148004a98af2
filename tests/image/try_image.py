"""The image, built and run for real: `make image-test`. Its first run makes a base image, minutes.

Not part of `make test`: it needs root, Debian's container tools and its package index.
"""

import json
import os
import shutil
import signal
import subprocess
import sys

import image_stage as stage
import pytest

UNWANTED = {
    "sh",
    "bash",
    "dash",
    "pip",
    "pip3",
    "apt",
    "dpkg",
    "gcc",
    "cc",
    "perl",
    "busybox",
    "su",
}
READ_ONLY = "import os, pathlib; print(os.getuid(), os.getgid()); pathlib.Path('/run/x').touch()"


@pytest.fixture(scope="session", params=["amd64", "arm64"])
def architecture(request):
    if lacking := stage.missing():
        pytest.skip(f"the image is NOT TRIED: install or be first: {', '.join(lacking)}")
    if not stage.emulated(request.param):
        pytest.skip(
            f"the image is NOT TRIED on {request.param}: no qemu-user with binfmt_misc here"
        )
    stage.have_base(request.param)
    return request.param


@pytest.fixture(scope="session")
def image(architecture):
    return stage.build("tried", architecture)


@pytest.fixture
def services(tmp_path):
    """`rotator sandbox` on loopback: its configuration, and the variables that it names."""
    config = tmp_path / "rotator.yaml"
    command = [sys.executable, "-m", "rotator", "sandbox", "--write-config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        lines = [sandbox.stdout.readline() for _ in range(5)]
        exported = [line.removeprefix("export ").strip() for line in lines if "export" in line]
        config.chmod(0o644)
        tmp_path.chmod(0o755)
        yield config, [f"--env={pair}" for pair in exported]
        sandbox.send_signal(signal.SIGINT)


def test_it_says_what_it_is_and_runs_as_nobody_in_particular(architecture, image):
    facts = stage.inspected(image, architecture)

    assert (architecture, "65532:65532") == (facts["Architecture"], facts["Config"]["User"])
    assert (["rotator"], ["run"]) == (facts["Config"]["Entrypoint"], facts["Config"]["Cmd"])
    assert "Apache-2.0" == facts["Labels"]["org.opencontainers.image.licenses"]
    assert ["CMD", "rotator", "health"] == facts["Healthcheck"]["Test"]


def test_its_version_is_that_of_the_program(architecture, image):
    told = stage.run(image, "--version", architecture=architecture).stdout

    label = stage.inspected(image, architecture)["Labels"]["org.opencontainers.image.version"]
    assert f"rotator {label}\n" == told


def test_the_same_input_makes_the_same_layers(architecture, image, tmp_path):
    # Another folder, other times, other modes: what a checkout of somebody else has.
    copy = tmp_path / "copy"
    wanted = shutil.ignore_patterns(".*", "tests", "docs", "__pycache__")
    shutil.copytree(stage.TOP, copy, copy_function=shutil.copyfile, ignore=wanted)
    shutil.copy(stage.TOP / ".dockerignore", copy)

    again = stage.build("again", architecture, context=copy)

    layers = [stage.inspected(name, architecture)["RootFS"]["Layers"] for name in (image, again)]
    assert layers[0] == layers[1]


def test_there_is_nothing_in_it_to_work_with(architecture, image):
    with stage.files_of(image, architecture) as root:
        found = {
            path.name for path in root.rglob("*") if os.access(path, os.X_OK) and not path.is_dir()
        }
        writable = [path for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 2]
        special = [path for path in root.rglob("*") if path.lstat().st_mode & 0o6000]

    assert set() == UNWANTED & found
    assert ([], []) == (writable, special)


def test_its_root_is_read_only_and_its_user_a_number(architecture, image):
    python = ["--entrypoint", "python"]

    told = stage.run(image, "-c", READ_ONLY, architecture=architecture, options=python)

    assert "65532 65532\n" == told.stdout
    assert "Read-only file system" in told.stderr


def test_one_pass_rotates_what_is_due(architecture, image, services):
    config, variables = services
    mounted = ["--volume", f"{config}:/etc/rotator/rotator.yaml:ro", *variables]

    told = stage.run(image, "run", "--once", architecture=architecture, options=mounted)

    events = [json.loads(line) for line in told.stdout.splitlines()]
    assert 3 == [event["event"] for event in events].count("rotation.completed"), told
    assert 0 == told.returncode


def test_as_the_first_process_it_heeds_a_signal_and_knows_how_it_is(architecture, image, services):
    config, variables = services
    mounted = ["--volume", f"{config}:/etc/rotator/rotator.yaml:ro", *variables]

    with stage.daemon(image, architecture, mounted) as daemon:
        daemon.wait_for("rotation.completed")
        assert 0 == daemon.execute("rotator", "health")
        daemon.stop()

    assert (0, "daemon.stopped") == (daemon.code, daemon.events[-1]["event"])


def test_its_size(architecture, image, capsys):
    disk, pulled = (count / 1e6 for count in stage.size(image, architecture))

    with capsys.disabled():
        sys.stderr.write(f"{architecture}: {disk:.0f} MB on disk, {pulled:.0f} MB to pull\n")
    assert disk < 110

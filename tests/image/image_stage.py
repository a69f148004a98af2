"""Builds the image and runs it, with what Debian has: debootstrap, buildah, podman, runc.

The base image is made here, from Debian's packages, under the very name that the Dockerfile uses:
no image registry is asked. Everything lies below one folder, apart from the images of the machine.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

TOP = Path(__file__).parents[2]
STORE = Path(os.environ.get("ROTATOR_IMAGE_STORE", TOP / ".image"))
IMAGE = "localhost/rotator"
#: What `python:3.13-slim-trixie` has of Debian's, and the Python of that Debian.
SUITE = "trixie"
PACKAGES = "ca-certificates,python3,python3-venv,tzdata"
NEEDED = ("debootstrap", "buildah", "podman", "runc")
#: A container as restricted Pod Security would have it. crun knows no mixed hierarchies of cgroups.
_PODMAN = ("podman", "--runtime", "/usr/sbin/runc", "--cgroup-manager", "cgroupfs")
_RUN = (*_PODMAN, *("run", "--rm", "--network", "host", "--pull", "never"))
_RUN += ("--read-only", "--read-only-tmpfs=false")
# Podman leaves health checks to systemd, which may not be here; the tests ask by hand.
_RUN += ("--no-healthcheck",)
_RUN += ("--cap-drop", "all", "--security-opt", "no-new-privileges")
_RUN += ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
HERE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def base_name():
    """The default of the Dockerfile's `BASE`."""
    text = (TOP / "Dockerfile").read_text()
    return "docker.io/library/" + re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)[1]


def missing():
    """What must be installed first, and what we must be."""
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return lacking + ([] if os.geteuid() == 0 else ["root"])


def emulated(architecture):
    """Whether programs of ``architecture`` run here, through qemu or by themselves."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
    return architecture == HERE or Path(f"/proc/sys/fs/binfmt_misc/qemu-{machine}").exists()


def have_base(architecture):
    """Make the base image unless it is there; minutes, the first time."""
    name = base_name()
    store = _storage(architecture)
    if _run(["buildah", "inspect", name], store, check=False).returncode == 0:
        return
    root = STORE / f"base-{architecture}"
    shutil.rmtree(root, ignore_errors=True)
    _say(f"debootstrap {SUITE} for {architecture}")
    arch = [f"--arch={architecture}"]
    _run(["debootstrap", *arch, "--variant=minbase", f"--include={PACKAGES}", SUITE, root])
    # Whoever this machine trusts: packages may come through a proxy that has its own authority.
    trusted = Path("/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(trusted, root / trusted.relative_to("/"))
    archive = STORE / f"base-{architecture}.tar"
    _run(["tar", "-C", root, "-cf", archive, "."])
    pip = ["--change", f"ENV PIP_CERT={trusted}", "--arch", architecture]
    _run(["podman", "import", *pip, archive, name], store)
    archive.unlink()


def build(tag, architecture=HERE, context=TOP):
    """Build and answer the reference, with the commands of docs/deploy.md."""
    reference = f"{IMAGE}:{tag}"
    how = ["--isolation", "chroot", "--pull-never", "--format", "docker", "--layers=false"]
    how += ["--timestamp", "0", "--arch", architecture]
    _run(["buildah", "build", *how, "--tag", reference, context], _storage(architecture))
    return reference


def inspected(reference, architecture=HERE):
    """What podman says about an image."""
    told = _run(["podman", "image", "inspect", reference], _storage(architecture))
    return json.loads(told.stdout)[0]


def run(reference, *arguments, architecture=HERE, options=()):
    """Run a container until it ends."""
    return _run([*_RUN, *options, reference, *arguments], _storage(architecture), check=False)


class Daemon:
    """A container that goes on until it is told to stop."""

    def __init__(self, reference, architecture, options):
        self._environ = _storage(architecture)
        self._name = f"tried-{os.getpid()}-{architecture}"
        command = [*_RUN, "--name", self._name, *options, reference]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=self._environ
        )
        self.events = []
        self.code = None

    def wait_for(self, name):
        """Read its events up to the first of this name."""
        for line in self._process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return
        message = f"no {name} among {self.events}"
        raise AssertionError(message)

    def execute(self, *command):
        """The exit code of a program beside it."""
        words = [*_PODMAN, "exec", self._name, *command]
        return _run(words, self._environ, check=False).returncode

    def stop(self):
        """As a kubelet does: SIGTERM, and time."""
        _run([*_PODMAN, "stop", "--time", "30", self._name], self._environ)
        with self._process:
            self.events += map(json.loads, self._process.stdout)
        self.code = self._process.returncode


@contextmanager
def daemon(reference, architecture, options):
    """A :class:`Daemon`, which is gone after the block whatever happens."""
    running = Daemon(reference, architecture, options)
    try:
        yield running
    finally:
        if running.code is None:
            running.stop()


def size(reference, architecture=HERE):
    """Bytes of an image, as it lies on a disk and as it is pulled."""
    archive = STORE / "size.tar.gz"
    archive.unlink(missing_ok=True)
    store = _storage(architecture)
    target = f"docker-archive:{archive.with_suffix('')}"
    _run(["buildah", "push", "--quiet", reference, target], store)
    _run(["gzip", "-9", archive.with_suffix("")])
    return inspected(reference, architecture)["Size"], archive.stat().st_size


@contextmanager
def files_of(reference, architecture=HERE):
    """The root file system of an image, as a folder."""
    store = _storage(architecture)
    how = ["--pull-never", "--arch", architecture]
    name = _run(["buildah", "from", *how, reference], store).stdout.strip()
    try:
        yield Path(_run(["buildah", "mount", name], store).stdout.strip())
    finally:
        _run(["buildah", "rm", name], store)


def _storage(architecture):
    """The environment with a store of its own, so that two architectures may share a name."""
    folder = STORE / f"storage-{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "storage.conf"
    settings.write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
    )
    return {**os.environ, "CONTAINERS_STORAGE_CONF": str(settings)}


def _run(command, environ=None, *, check=True):
    told = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=environ, check=False
    )
    if check and told.returncode:
        message = f"{command[0]} failed: {told.stdout[-2000:]}{told.stderr[-2000:]}"
        raise RuntimeError(message)
    return told


def _say(text):
    sys.stderr.write(f"{text} ...\n")

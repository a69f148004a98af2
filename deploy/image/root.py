"""Lays out the root file system of the image: an interpreter, its libraries, rotator, no more.

``python3 root.py VENV ROOT``, run by the interpreter that the image is to have, as root, on a
Debian. What comes from Debian's packages is listed in ``/var/lib/dpkg/status.d``, where scanners
look for it in an image without dpkg.
"""

from __future__ import annotations

import compileall
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode

#: Parts of the standard library that rotator never imports, and that bring libraries with them.
LEFT_OUT = (
    *("__pycache__", "site-packages", "dist-packages", "sitecustomize.py", "EXTERNALLY-MANAGED"),
    *("config-*", "ensurepip", "idlelib", "lib2to3", "test", "tkinter", "turtle*", "pydoc_data"),
    *("curses", "dbm", "sqlite3", "_curses*", "_dbm*", "_gdbm*", "_sqlite3*", "readline.*"),
    *("_test*", "_ctypes_test*", "_tkinter*", "_xxtestfuzz*", "xx*"),
)
USER = 65532
AUTHORITIES, ZONES = Path("/etc/ssl/certs/ca-certificates.crt"), Path("/usr/share/zoneinfo")
#: Of these two: what is generated has no owner.
PACKAGES = {"ca-certificates", "tzdata"}
#: Opened by glibc when a thread ends, so nothing is linked to it.
UNWINDER = "libgcc_s.so.1"


def main() -> None:
    """Lay it out."""
    venv, root = Path(sys.argv[1]), Path(sys.argv[2])
    stdlib = Path(sysconfig.get_path("stdlib"))
    program = Path(sys.executable).resolve()
    _skeleton(root)
    for name in program.parent.glob("python*"):
        if name.resolve() == program:
            _copy(name, root, links=True)
    _copy(stdlib, root, *LEFT_OUT)
    _copy(venv, root, ".gitignore", links=True)
    for script in (root / venv.relative_to("/") / "bin").iterdir():
        if not script.name.startswith(("python", "rotator")):
            script.unlink()
    for path in (AUTHORITIES, ZONES):
        _copy(path, root)
    linked = _libraries(program, root)
    for path in linked:
        _copy(path, root)
    _tell(root, PACKAGES.union(*map(_owners, [program, stdlib, *linked])))
    for folder in (stdlib, venv):
        _compile(root / folder.relative_to("/"), shown=folder)
    _make_timeless(root)
    # Where a volume for the spool goes, which takes over whose it is.
    (root / "var/lib/rotator").chmod(0o700)
    os.chown(root / "var/lib/rotator", USER, USER)


def _skeleton(root: Path) -> None:
    """The directories that programs expect, the links at Debian's top, and one user."""
    for folder in ("etc/rotator", "proc", "run", "usr/lib", "usr/lib64", "tmp", "var/lib/rotator"):
        (root / folder).mkdir(parents=True)
    for link in ("lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "etc/localtime").symlink_to(ZONES / "Etc/UTC")
    (root / "etc/passwd").write_text(f"rotator:x:{USER}:{USER}::/etc/rotator:/nonexistent\n")
    (root / "etc/group").write_text(f"rotator:x:{USER}:\n")
    trusted = root / ssl.get_default_verify_paths().openssl_cafile.lstrip("/")
    trusted.parent.mkdir(parents=True, exist_ok=True)
    trusted.symlink_to(AUTHORITIES)


def _copy(path: Path, root: Path, *left_out: str, links: bool = False) -> None:
    """Copy a file or a folder to the same place below ``root``; with ``links``, links as links."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        ignore = shutil.ignore_patterns(*left_out)
        shutil.copytree(path, target, ignore=ignore, symlinks=links)
    elif not target.exists():
        shutil.copy(path, target, follow_symlinks=not links)


def _libraries(program: Path, root: Path) -> list[Path]:
    """What the interpreter and the modules below ``root`` are linked to."""
    cached = (line.split() for line in _told("ldconfig", "-p"))
    found = {words[-1] for words in cached if words[0] == UNWINDER}
    for path in [program, *root.rglob("*.so*")]:
        words = (word for line in _told("ldd", path) for word in line.split())
        found.update(word for word in words if word.startswith("/") and not word.endswith(":"))
    # Libraries that a wheel brings along lie below /opt, and are copied with it.
    return [Path(path) for path in sorted(found) if not path.startswith(("/opt", str(root)))]


def _owners(path: Path) -> set[str]:
    """The Debian packages that ``path`` is from; none for what was built on the spot."""
    lines = _told("dpkg", "-S", path.resolve())
    return {name for line in lines for name in line.partition(": ")[0].split(", ")}


def _tell(root: Path, packages: set[str]) -> None:
    """Say in the image which packages its files are from, and under which licences."""
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for package in packages:
        name = package.partition(":")[0]
        (status / name).write_text("\n".join(_told("dpkg-query", "--status", package)) + "\n")
        _copy(Path("/usr/share/doc", name, "copyright"), root)


def _compile(folder: Path, *, shown: Path) -> None:
    """Compile modules, to be loaded without a look at the times of their sources."""
    mode = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        folder, quiet=1, stripdir=folder, prependdir=shown, invalidation_mode=mode
    )


def _make_timeless(root: Path) -> None:
    """One time and one set of modes for all files, whatever the umask of the builder."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (moment, moment), follow_symlinks=False)
    (root / "tmp").chmod(0o1777)


def _told(*command: object) -> list[str]:
    """The lines that a program of the build stage prints; none where it fails."""
    return subprocess.run(  # noqa: S603 - fixed programs
        [str(word) for word in command], capture_output=True, text=True, check=False
    ).stdout.splitlines()


if __name__ == "__main__":
    main()

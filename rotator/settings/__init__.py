"""The configuration: YAML files, with the environment over and under them.

``documents`` reads files and remembers lines, ``environment`` adds variables, which ``variables``
reads, ``schema`` says what there may be, ``rules`` what must not be together, ``complaints`` turns
mistakes into lines, ``parts`` keeps what is well-formed, ``sources`` reads secrets, ``models``
translates for the pure half. :func:`load` does all of it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rotator.errors import ConfigError
from rotator.settings import environment, hook_rules, pacing, rules, schema
from rotator.settings.complaints import complaints, line
from rotator.settings.documents import dotted, read
from rotator.settings.durations import parse_duration
from rotator.settings.models import limits_of, policy_of
from rotator.settings.parts import sound, whole
from rotator.settings.sources import exposure_of, read_secret
from rotator.settings.stamp import stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rotator.model import Limits, Policy
    from rotator.settings.documents import Document
    from rotator.settings.http import Http
    from rotator.settings.parts import Parts
    from rotator.settings.stamp import Stamp

__all__ = [
    "Settings",
    "Source",
    "faults_of_arize",
    "load",
    "names",
    "parse_duration",
    "read_secret",
]

_DEFAULTS = (Path("rotator.yaml"), Path("/etc/rotator/rotator.yaml"))
#: Where keys live when neither Vault nor a directory is configured.
_DIRECTORY = Path("/var/lib/rotator")


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration without mistakes. ``warnings`` are lines like those of mistakes."""

    root: schema.Root
    policies: tuple[Policy, ...]
    limits: Limits
    warnings: tuple[str, ...]

    @property
    def arize(self) -> schema.Arize:
        """The provider."""
        return self.root.arize

    @property
    def vault(self) -> schema.Vault | None:
        """The store, unless it is a directory."""
        return self.root.vault

    @property
    def directory(self) -> Path:
        """The store, when it is a directory."""
        return self.root.files.directory if self.root.files else _DIRECTORY

    @property
    def spool(self) -> Path | None:
        """Where minted keys wait for the store, if they do."""
        return self.root.spool.directory if self.root.spool else None

    @property
    def run(self) -> schema.Run:
        """How the work is done."""
        return self.root.run

    @property
    def http(self) -> Http | None:
        """The health, metrics and status page, if there is one."""
        return self.root.http

    @property
    def log(self) -> schema.Log:
        """What is said, and how."""
        return self.root.log


class Source:
    """A configuration where it is written, to be read as often as it changes.

    Args:
        paths: As for :func:`load`.
        environ: The variables.
    """

    def __init__(self, paths: Sequence[Path], environ: Mapping[str, str]) -> None:
        self._paths = paths
        self._environ = environ
        #: The stamp from just before it was last read.
        self.taken: Stamp = ()

    def stamp(self) -> Stamp:
        """What differs as soon as there may be something else to read."""
        return stamp_of(list(self._paths) or [_default()])

    def load(self) -> Settings:
        """Read it.

        Raises:
            ConfigError: As :func:`load` does.
        """
        self.taken = self.stamp()
        return load(self._paths, self._environ)


def faults_of_arize(
    section: Mapping[str, object], environ: Mapping[str, str]
) -> tuple[schema.Arize | None, list[str]]:
    """The section ``arize`` alone, before there is a configuration; what is wrong with it."""
    parts = sound({"arize": section})
    faults = [f"{dotted(where)}: {words}" for where, words in rules.every(parts, environ)]
    return parts.arize, faults


def load(paths: Sequence[Path], environ: Mapping[str, str]) -> Settings:
    """Read the configuration.

    Args:
        paths: Files, or directories of ``*.yaml``; none for ``rotator.yaml`` here or in
            ``/etc/rotator``.
        environ: The variables.

    Raises:
        ConfigError: With a line for each mistake, as many as there are.
    """
    document = read(list(paths) or [_default()])
    problems = document.problems
    if problems and not document.data:
        raise ConfigError(problems)
    environment.apply(document, environ)
    root = None
    try:
        root = schema.Root.model_validate(document.data)
    except ValidationError as error:
        problems += complaints(error, schema.Root, document)
    parts = whole(root) if root else sound(document.data)
    problems += [line(document, where, words) for where, words in rules.every(parts, environ)]
    if problems or root is None:
        raise ConfigError(_sorted(problems))
    return Settings(
        root,
        tuple(policy_of(policy) for policy in root.policies),
        limits_of(root),
        tuple(_warnings(parts, document, environ)),
    )


def http_of(paths: Sequence[Path], environ: Mapping[str, str]) -> Http | None:
    """As the ``http`` of :func:`load`, whatever is wrong with the rest: for ``rotator health``.

    A container may name it in a variable alone, and a configuration that was changed for the worse
    is no reason to restart a daemon that goes on with the old one.
    """
    document = read(list(paths) or [_default()])
    environment.apply(document, environ)
    return sound(document.data).http


def names(paths: Sequence[Path]) -> list[str]:
    """The names of the policies in ``paths``, as for :func:`load`, whatever else is wrong."""
    policies = read(list(paths) or [_default()]).data.get("policies")
    named = policies if isinstance(policies, list) else []
    found = [one.get("name") for one in named if isinstance(one, dict)]
    return [name for name in found if isinstance(name, str)]


def _default() -> Path:
    # Unlike Path.exists, os.access also answers for a directory that is closed to us.
    return next((path for path in _DEFAULTS if os.access(path, os.F_OK)), _DEFAULTS[0])


def _warnings(parts: Parts, document: Document, environ: Mapping[str, str]) -> Iterator[str]:
    for where, source in parts.sources():
        if exposure := exposure_of(source):
            yield line(document, where, exposure)
    if parts.vault is None and parts.files is None:
        words = f"neither `vault` nor `files` is set: keys go to {_DIRECTORY}; set one of them"
        yield f"{document.place(())}: {words}"
    if parts.vault is not None and parts.vault.skip_verify:
        words = "Vault's certificate is not checked: anybody on the way can take the keys"
        yield line(document, ("vault", "skip_verify"), f"{words}; set ca_cert instead")
    if parts.http is not None and parts.http.token is None and not parts.http.is_local:
        words = "others can reach this, and get no more than a word without a token"
        yield line(document, ("http", "listen"), f"{words}; set http.token")
    for at, policy in parts.policies.items():
        for spot, regret in rules.doubts(policy, ("policies", at), parts.vault):
            yield line(document, spot, regret)
        for spot, regret in hook_rules.doubts(policy, ("policies", at), environ):
            yield line(document, spot, regret)
        if parts.run is not None and (doubt := pacing.doubt(policy, parts.run)):
            yield line(document, ("policies", at, "windows"), doubt)


def _sorted(problems: list[str]) -> list[str]:
    """In the order of the files, each once."""

    def place(problem: str) -> tuple[str, int]:
        found = re.match(r"(.+?):([0-9]+): ", problem)
        return (found[1], int(found[2])) if found else (problem, 0)

    return sorted(dict.fromkeys(problems), key=place)

"""The configuration: YAML files, with the environment over and under them.

``documents`` reads files and remembers lines, ``environment`` adds variables, ``schema`` says what
there may be, ``rules`` what must not be together, ``complaints`` turns mistakes into lines,
``sources`` reads secrets, ``models`` translates for the pure half. :func:`load` does all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rotator.errors import ConfigError
from rotator.settings import environment, rules, schema
from rotator.settings.complaints import complaints, line
from rotator.settings.documents import Document, read
from rotator.settings.durations import parse_duration
from rotator.settings.models import limits_of, policy_of
from rotator.settings.sources import exposure_of, fault_of, read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rotator.model import Limits, Policy
    from rotator.settings.documents import Where
    from rotator.settings.schema import SecretSource

__all__ = ["Settings", "load", "parse_duration", "read_secret"]

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
    def run(self) -> schema.Run:
        """How the work is done."""
        return self.root.run

    @property
    def log(self) -> schema.Log:
        """What is said, and how."""
        return self.root.log


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
    if document.problems and not document.data:
        raise ConfigError(document.problems)
    environment.apply(document, environ)
    try:
        root = schema.Root.model_validate(document.data)
    except ValidationError as error:
        wrong = complaints(error, schema.Root, document)
        raise ConfigError(_sorted([*document.problems, *wrong, *_of_the_rest(document)])) from None
    problems = [*document.problems, *_all_rules(root, document, environ)]
    if problems:
        raise ConfigError(_sorted(problems))
    return Settings(
        root,
        tuple(policy_of(policy) for policy in root.policies),
        limits_of(root),
        tuple(_warnings(root, document)),
    )


def _default() -> Path:
    return next((path for path in _DEFAULTS if path.exists()), _DEFAULTS[0])


def _all_rules(root: schema.Root, document: Document, environ: Mapping[str, str]) -> list[str]:
    found = [*rules.of_services(root)]
    for at, policy in enumerate(root.policies):
        found += rules.of_policy(policy, at, root.run)
    found += rules.between(dict(enumerate(root.policies)), root.vault)
    for where, source in _sources(root):
        if fault := fault_of(source, environ):
            found.append((where, fault))
    return [line(document, where, words) for where, words in found]


def _of_the_rest(document: Document) -> list[str]:
    """What rules find in the policies that are well-formed, when something else is not."""
    raw = document.data.get("policies")
    good: dict[int, schema.Policy] = {}
    for at, one in enumerate(raw if isinstance(raw, list) else []):
        try:
            good[at] = schema.Policy.model_validate(one)
        except ValidationError:
            continue
    found = [*rules.between(good, None)]
    for at, policy in good.items():
        found += rules.of_policy(policy, at, schema.Run())
    return [line(document, where, words) for where, words in found]


def _sources(root: schema.Root) -> Iterator[tuple[Where, SecretSource]]:
    yield ("arize", "api_key"), root.arize.api_key
    match root.vault.auth if root.vault else None:
        case schema.Token(token=token):
            yield ("vault", "auth", "token"), token
        case schema.AppRole(secret_id=secret_id):
            yield ("vault", "auth", "secret_id"), secret_id
        case schema.Kubernetes(jwt=jwt):
            yield ("vault", "auth", "jwt"), jwt


def _warnings(root: schema.Root, document: Document) -> Iterator[str]:
    for where, source in _sources(root):
        if exposure := exposure_of(source):
            yield line(document, where, exposure)
    if root.vault is None and root.files is None:
        yield f"neither Vault nor `files` is configured: keys go to {_DIRECTORY}; set VAULT_ADDR"
    if root.vault is not None and root.vault.skip_verify:
        words = "Vault's certificate is not checked: anybody on the way can take the keys"
        yield line(document, ("vault", "skip_verify"), words)
    for at, policy in enumerate(root.policies):
        rotate = policy.rotate
        if rotate.before_expiry and rotate.before_expiry < rotate.grace_period:
            words = "is shorter than the grace period: old keys will expire before their grace ends"
            yield line(document, ("policies", at, "rotate", "before_expiry"), words)


def _sorted(problems: list[str]) -> list[str]:
    """In the order of the files, each once."""

    def place(problem: str) -> tuple[str, int]:
        file, _, rest = problem.partition(":")
        number = rest.partition(":")[0]
        return file, int(number) if number.isdigit() else 0

    return sorted(dict.fromkeys(problems), key=place)

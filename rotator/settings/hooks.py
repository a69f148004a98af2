"""What happens after a delivery: the sections below ``notify`` and ``write``. Fields only."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rotator.settings.durations import Duration
from rotator.settings.sections import POD_TOKEN, Filled, SecretSource, Section, Variable, as_list

#: What a process may be sent. Others end it, or cannot be handled by it.
Signal = Literal["HUP", "USR1", "USR2", "INT", "TERM", "QUIT", "WINCH"]
Kind = Literal["http", "command", "signal", "kubernetes"]
#: How a CloudEvent is laid out in a request.
Mode = Literal["structured", "binary"]
#: How a key is laid out in a file.
FileFormat = Literal["raw", "dotenv", "json"]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"


def _hook_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", name):
        raise ValueError(
            "use lower-case letters, digits, dots, dashes and underscores, at most 63 of them, with"
            " a letter or a digit first and last"
        )
    return name


def _workload(text: str) -> str:
    if not re.fullmatch(rf"(deployment|statefulset|daemonset)/{_LABEL}(\.{_LABEL})*", text):
        raise ValueError(
            "is not a workload; write it like deployment/web, statefulset/db or daemonset/agent"
        )
    return text


def _namespace(name: str) -> str:
    if not re.fullmatch(_LABEL, name) or len(name) > 63:  # noqa: PLR2004 - of a DNS label
        raise ValueError("is not the name of a namespace; write one like apps")
    return name


def _mode(text: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError("is not a mode; write it in quotes, like '0640'")
    if int(text, 8) & 0o400 == 0:
        raise ValueError("lets not even its owner read the file; write it like '0640'")
    return text


def _owner(text: str) -> str:
    if not re.fullmatch(r"[\w.-]*(:[\w.-]+)?", text) or not text:
        raise ValueError("is not an owner; write user, user:group or :group, by name or number")
    return text


class HttpHook(Section):
    """A CloudEvent by HTTP POST. The address is one of ``url`` and ``url_from``."""

    url: str | None = Field(default=None, repr=False)
    url_from: SecretSource | None = None
    mode: Mode = "structured"
    secret: SecretSource | None = None
    ca_cert: Path | None = None
    proxy: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _is_one_of_two(self) -> HttpHook:
        if (self.url is None) == (self.url_from is None):
            raise ValueError("needs either `url`, or `url_from` for one that is a secret itself")
        return self


class SignalHook(Section):
    """A signal to the process whose number is in a file."""

    pid_file: Path
    signal: Signal = "HUP"
    process: str | None = Field(default=None, min_length=1)


class KubernetesHook(Section):
    """A rollout restart of workloads, through the API server."""

    workloads: Annotated[tuple[Annotated[str, AfterValidator(_workload)], ...], Filled]
    namespace: Annotated[str, AfterValidator(_namespace)] | None = None
    api: str | None = None
    token: SecretSource = SecretSource(file=POD_TOKEN)
    ca_cert: Path | None = None


class Hook(Section):
    """One who hears of each rotation that is done: of exactly one kind."""

    name: Annotated[str, AfterValidator(_hook_name)] | None = None
    timeout: Duration = timedelta(seconds=10)
    http: HttpHook | None = None
    command: Annotated[tuple[str, ...], Filled] | None = None
    keep_env: tuple[Variable, ...] = ()
    signal: SignalHook | None = None
    kubernetes: KubernetesHook | None = None

    @model_validator(mode="after")
    def _is_one_of_its_kinds(self) -> Hook:
        given = [kind for kind in get_args(Kind) if getattr(self, kind) is not None]
        if not given:
            raise ValueError("says not what to do; write http, command, signal or kubernetes")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are two hooks; write each as its own item")
        return self

    @property
    def kind(self) -> Kind:
        """Which of the four it is."""
        kinds: tuple[Kind, ...] = get_args(Kind)
        return next(kind for kind in kinds if getattr(self, kind) is not None)

    @property
    def title(self) -> str:
        """Its name in the journal and in events."""
        return self.name or self.kind


class Sink(Section):
    """A file on this machine that holds what the store holds."""

    file: Path
    mode: Annotated[str, AfterValidator(_mode)] = "0600"
    owner: Annotated[str, AfterValidator(_owner)] | None = None
    format: FileFormat = "raw"
    names: dict[str, str] = Field(default={})
    then: Annotated[tuple[Hook, ...], BeforeValidator(as_list)] = ()

    @property
    def default_name(self) -> str:
        """Of the key, where no names are given."""
        return "ARIZE_API_KEY" if self.format == "dotenv" else "api_key"

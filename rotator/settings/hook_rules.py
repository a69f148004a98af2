"""What must not be together in ``notify`` and ``write``, and what one may regret."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rotator import words
from rotator.settings.addresses import fault_of_url, host_of, is_loopback, of_way
from rotator.settings.sections import FACTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from rotator.settings.documents import Where
    from rotator.settings.hooks import Hook, HttpHook, KubernetesHook, Sink
    from rotator.settings.schema import Policy
    from rotator.settings.sections import SecretSource

Complaint = tuple["Where", str]
#: A rotation that is due meanwhile waits for it.
_LONGEST = timedelta(minutes=5)


def mistakes(policy: Policy, where: Where) -> Iterator[Complaint]:
    """Mistakes in the hooks of ``policy``, which is written at ``where``."""
    yield from _of_hooks(policy.notify, (*where, "notify"))
    for at, sink in enumerate(policy.write):
        yield from _of_sink(sink, (*where, "write", at))


def doubts(policy: Policy, where: Where, environ: Mapping[str, str]) -> Iterator[Complaint]:
    """What works, or will, and may be regretted."""
    for spot, hook in _hooks(policy, where):
        if hook.http is not None and hook.http.url is not None and _is_open(hook.http.url):
            text = "goes unencrypted: whoever is on the way can read it, and whatever it holds"
            yield (*spot, "http", "url"), f"{text}; use https"
        if hook.command is not None and not shutil.which(hook.command[0], path=environ.get("PATH")):
            yield (*spot, "command"), "there is no such program here; install it, or check its path"
    for at, sink in enumerate(policy.write):
        if int(sink.mode, 8) & 0o007:
            yield (
                (*where, "write", at, "mode"),
                "lets everybody read the key; take that away from the others",
            )


def sources(policy: Policy, where: Where) -> Iterator[tuple[Where, SecretSource]]:
    """Where the hooks of ``policy`` read secrets."""
    for spot, hook in _hooks(policy, where):
        if hook.http is not None and hook.http.url_from is not None:
            yield (*spot, "http", "url_from"), hook.http.url_from
        if hook.http is not None and hook.http.secret is not None:
            yield (*spot, "http", "secret"), hook.http.secret
        if hook.kubernetes is not None:
            yield (*spot, "kubernetes", "token"), hook.kubernetes.token


def exposed(policy: Policy, where: Where, secrets: Collection[str]) -> Iterator[Complaint]:
    """Variables that hold ``secrets`` and would be passed on to a command."""
    for spot, hook in _hooks(policy, where):
        for place, name in enumerate(hook.keep_env):
            if name in secrets:
                words = "holds a secret of rotator's own; give the command another one"
                yield (*spot, "keep_env", place), words


def files(policy: Policy, where: Where) -> Iterator[tuple[Path, Where]]:
    """The files that ``policy`` writes."""
    for at, sink in enumerate(policy.write):
        yield sink.file, (*where, "write", at, "file")


def _hooks(policy: Policy, where: Where) -> Iterator[tuple[Where, Hook]]:
    """All hooks, with the place where each is written."""
    for at, hook in enumerate(policy.notify):
        yield (*where, "notify", at), hook
    for at, sink in enumerate(policy.write):
        for place, hook in enumerate(sink.then):
            yield (*where, "write", at, "then", place), hook


def _of_sink(sink: Sink, where: Where) -> Iterator[Complaint]:
    yield from _of_hooks(sink.then, (*where, "then"))
    for at, hook in enumerate(sink.then):
        if hook.kubernetes is not None:
            words = "would restart the workload once a file; write it under `notify`"
            yield (*where, "then", at, "kubernetes"), words
    if sink.names and sink.format == "raw":
        yield (*where, "names"), "goes with dotenv and json; set `format`, or remove it"
    elif sink.names and "key" not in sink.names:
        yield (*where, "names"), "leaves out the key itself; add `key`"
    for fact, name in sink.names.items():
        if fact not in {"key", *FACTS}:
            near = get_close_matches(fact, ("key", *FACTS), n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"use one of key, {', '.join(FACTS)}"
            yield (*where, "names", fact), f"unknown fact; {hint}"
        if sink.format == "dotenv" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            words = "is not the name of a variable; write one like ARIZE_API_KEY"
            yield (*where, "names", fact), words
    if len(set(sink.names.values())) < len(sink.names):
        yield (*where, "names"), "two facts have one name; choose another for one"


def _of_hooks(hooks: tuple[Hook, ...], where: Where) -> Iterator[Complaint]:
    names: set[str] = set()
    for at, hook in enumerate(hooks):
        spot = (*where, at)
        if hook.title in names:
            yield spot, f"is the second one named {hook.title!r}; give it a `name` of its own"
        names.add(hook.title)
        if hook.timeout > _LONGEST:
            text = f"must be at most {words.length(_LONGEST)}"
            yield (*spot, "timeout"), f"{text}; let what takes longer go on in the background"
        if hook.keep_env and hook.command is None:
            yield (*spot, "keep_env"), "goes with `command`; remove it"
        if hook.command is not None and not all(hook.command[:1]):
            yield (*spot, "command", 0), "must not be empty; name the program"
        if hook.http is not None:
            yield from _of_http(hook.http, (*spot, "http"))
        if hook.kubernetes is not None:
            yield from _of_kubernetes(hook.kubernetes, (*spot, "kubernetes"))


def _of_http(http: HttpHook, where: Where) -> Iterator[Complaint]:
    if http.url is not None and host_of(http.url) is None:
        yield (*where, "url"), "is not an address; write it like https://host/path"
    elif http.url is not None and "@" in urlsplit(http.url).netloc:
        yield (*where, "url"), "must not hold a user or a password; read it by `url_from` instead"
    yield from of_way(where, {"ca_cert": http.ca_cert}, http.proxy)


def _of_kubernetes(kubernetes: KubernetesHook, where: Where) -> Iterator[Complaint]:
    if kubernetes.api is not None and (fault := fault_of_url(kubernetes.api)):
        yield (*where, "api"), fault
    yield from of_way(where, {"ca_cert": kubernetes.ca_cert}, None)


def _is_open(url: str) -> bool:
    host = host_of(url)
    return host is not None and urlsplit(url).scheme == "http" and not is_loopback(host)

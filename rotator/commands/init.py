"""``rotator init``: asks Arize which keys there are, and writes a first configuration for them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.adapters.arize import ArizeIssuer, ArizeOptions
from rotator.adapters.clock import SystemClock
from rotator.commands.common import quietly
from rotator.commands.draft import Chosen, Services, draft
from rotator.errors import ConfigError, NotPermitted, Rejected, RotatorError
from rotator.keys import KeyType, Scope
from rotator.settings import faults_of_arize, load, read_secret

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from rotator.secrets import Secret
    from rotator.settings.schema import Arize

_ASK = "Which of them? Numbers like 1,3-5, or all: "


def command(arguments: Namespace) -> int:
    """Write it; 1 when Arize cannot be asked."""
    output = _output(arguments.output)
    written, arize = _arize(arguments)
    vault, directory = _store(arguments)
    try:
        found = asyncio.run(_keys(arize, arguments.space))
    except ConfigError:
        raise
    except RotatorError as error:
        sys.stderr.write(f"{error.message}\n")
        if error.remedy:
            sys.stderr.write(f"  remedy: {error.remedy}\n")
        return 1
    keys = _chosen(arguments, found)
    _check_path(arguments.path, len(keys))
    services = Services(written, vault, directory, arguments.path, arguments.field)
    text = draft(services, keys)
    if output is None:
        sys.stdout.write(text)
        return 0
    _write(output, text)
    _tell(output, len(keys))
    return 0


def _output(name: str) -> Path | None:
    """Where to write; None for stdout.

    Raises:
        ConfigError: Something is there already.
    """
    if name == "-":
        return None
    output = Path(name)
    if os.path.lexists(output):
        raise ConfigError([f"{output}: is there already; name another one with --output"])
    return output


def _check_path(path: str, keys: int) -> None:
    """Raise ConfigError when ``path`` cannot be where so many keys go."""
    if "{" in (rest := path.replace("{name}", "")) or "}" in rest:
        raise ConfigError([f"--path {path}: has a place for {{name}}, and for nothing else"])
    if keys > 1 and rest == path:
        raise ConfigError([f"--path {path}: {keys} keys would go there; write {{name}} into it"])


def _arize(arguments: Namespace) -> tuple[dict[str, object], Arize]:
    """The section as it will be written, and as it is used now."""
    written: dict[str, object] = {}
    if arguments.base_url or arguments.region:
        name = "base_url" if arguments.base_url else "region"
        written[name] = arguments.base_url or arguments.region
    if arguments.api_key_file:
        written["api_key"] = {"file": str(arguments.api_key_file)}
    else:
        written["api_key"] = {"env": arguments.api_key_env}
    arize, faults = faults_of_arize(written, os.environ)
    if arize is None or faults:
        # By itself well-formed, but for the one thing that is not free text.
        name = "--api-key-env: is not the name of a variable; write one like ARIZE_API_KEY"
        raise ConfigError(faults or [name])
    return written, arize


def _store(arguments: Namespace) -> tuple[str | None, str | None]:
    """Vault's address, or a directory."""
    if arguments.files:
        return None, str(arguments.files)
    address = arguments.vault_address or os.environ.get("VAULT_ADDR")
    if not address and _interactive():
        address = _asked("Address of Vault (like https://vault:8200): ")
    if not address:
        raise ConfigError(["no store: give --vault-address or --files, or export VAULT_ADDR"])
    return address, None


async def _keys(arize: Arize, spaces: Sequence[str]) -> list[Chosen]:
    """All keys that the management key can see."""

    async def credential() -> Secret:
        return read_secret(arize.api_key, os.environ)

    options = ArizeOptions(base_url=arize.url, credential=credential, timeout=arize.timeout)
    issuer = ArizeIssuer(options, clock=SystemClock(quietly), emit=quietly)
    found: dict[str, Chosen] = {}
    try:
        for scope in (Scope(), Scope(type=KeyType.SERVICE), *map(Scope, spaces)):
            try:
                listing = await issuer.keys(scope)
            except (NotPermitted, Rejected):
                if scope == Scope() or scope.space_id:
                    raise
                continue  # Who may not see the account's service keys names their spaces.
            for key in listing.keys:
                own = issuer.is_own(str(key.redacted))
                found.setdefault(key.id, Chosen(key, scope.space_id, own))
    finally:
        await issuer.close()
    return sorted(found.values(), key=lambda one: (one.key.name, one.key.id))


def _chosen(arguments: Namespace, found: list[Chosen]) -> list[Chosen]:
    """Those that the command line names, or the person."""
    if not found:
        raise ConfigError(["Arize lists no keys; name the spaces of service keys with --space"])
    if arguments.key:
        return [_named(name, found) for name in dict.fromkeys(arguments.key)]
    if arguments.all:
        # What is in the environment cannot be kept up to date: that one is left out.
        return [one for one in found if not one.own] or found
    if not _interactive():
        raise ConfigError(["no keys: name them with --key, or give --all"])
    return _picked(found)


def _named(name: str, found: list[Chosen]) -> Chosen:
    fitting = [one for one in found if name in {one.key.id, one.key.name}]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise ConfigError([f"--key {name}: Arize lists no such key"])
    ids = ", ".join(one.key.id for one in fitting)
    raise ConfigError([f"--key {name}: several keys have that name; give an id: {ids}"])


def _picked(found: list[Chosen]) -> list[Chosen]:
    from rotator.commands.screen import Cell, Screen  # noqa: PLC0415 - only who draws pays for it

    titles = ["no", "name", "type", "key", "expires"]
    rows = [
        {
            "no": Cell(str(number)),
            "name": Cell(one.key.name, "bold"),
            "type": Cell("management key" if one.own else str(one.key.type)),
            "key": Cell(str(one.key.redacted)),
            "expires": Cell(f"{one.key.expires_at:%Y-%m-%d}" if one.key.expires_at else "never"),
        }
        for number, one in enumerate(found, 1)
    ]
    Screen().table(rows, [[[title] for title in titles]])
    while True:
        numbers = numbers_in(_asked(_ASK), len(found))
        if numbers:
            return [found[number - 1] for number in numbers]
        sys.stdout.write(f"Not understood; there are 1 to {len(found)}.\n")


def numbers_in(text: str, most: int) -> list[int]:
    """``1,3-5`` or ``all``, of 1 to ``most``; empty when it is not that."""
    if text.strip().lower() == "all":
        return list(range(1, most + 1))
    numbers: list[int] = []
    for part in text.replace(" ", ",").split(","):
        first, _, last = part.partition("-")
        if not part:
            continue
        if not (first.isdecimal() and (last or first).isdecimal()):
            return []
        numbers += range(int(first), min(int(last or first), most + 1) + 1)
    return list(dict.fromkeys(numbers)) if all(1 <= one <= most for one in numbers) else []


def _interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _asked(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        raise ConfigError(["stopped: nothing was written"]) from None


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError([f"{output}: is there already; name another with --output"]) from None
    except OSError as error:
        raise ConfigError([f"{output}: cannot be written: {error.strerror}"]) from None


def _tell(output: Path, count: int) -> None:
    """What was written, and what is still to be done before it works."""
    noun = "policy" if count == 1 else "policies"
    sys.stdout.write(f"{output}: {count} {noun}\n")
    try:
        load([output], os.environ)
    except ConfigError as error:
        for problem in error.problems:
            sys.stdout.write(f"to do: {problem}\n")
    option = "" if str(output) == "rotator.yaml" else f" --config {output}"
    sys.stdout.write(f"next: rotator check --online{option}\n")

"""Services and configurations for what is measured."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rotator.sandbox import real_vault
from rotator.sandbox.server import serving_in_thread
from rotator.sandbox.vault import live_vault, vault_app

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = itertools.count(1)
ROTATOR = str(Path(sys.executable).with_name("rotator"))
#: Never to be replaced while it is looked at; and due for its age.
RESTING, DUE = {"age": 1, "left": 300}, {"age": 60}
#: OpenBao's dev mode copies all it stores for each transaction, and each request is one: with a
#: thousand secrets that would be most of what is measured. No storage for real use does so.
_STORAGE = 'storage "inmem" { disable_transactions = "true" }'


@dataclass(frozen=True, slots=True)
class Bench:
    """What every row is given."""

    folder: Path
    vault: str
    token: str
    #: What the store is, by name and version.
    store: str
    #: Little of everything, to see that all of it works.
    quick: bool

    def some(self, many: int, few: int) -> int:
        """``many``, or ``few`` in a quick run."""
        return few if self.quick else many


@dataclass(frozen=True, slots=True)
class Keys:
    """A provider with keys, each with a policy and delivered already."""

    bench: Bench
    url: str
    management: str
    keys: list[dict[str, str]]
    #: Where this provider's secrets and journals are, below the mount.
    place: str
    process: subprocess.Popen[str] = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Requests since the last time, by method."""
        answer: dict[str, int] = self._asked("count")
        return answer

    def _asked(self, line: str) -> Any:
        return ask(self.process, line)

    @property
    def environ(self) -> dict[str, str]:
        """For rotator, and for everything else that is to work with the two."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.bench.folder),
            "ARIZE_API_KEY": self.management,
            "ARIZE_URL": self.url,
            "VAULT_TOKEN": self.bench.token,
            "VAULT_ADDR": self.bench.vault,
            "BAO_TOKEN": self.bench.token,
            "BAO_ADDR": self.bench.vault,
        }

    def config(self, **run: object) -> Path:
        """A configuration with a policy for each key."""
        path = self.bench.folder / f"{self.place}.yaml"
        text = [
            f"arize: {{base_url: '{self.url}', api_key: {{env: ARIZE_API_KEY}}, timeout: 30s}}",
            "vault:",
            f"  address: '{self.bench.vault}'",
            f"  journal: {self.place}/journal",
            "  timeout: 30s",
            "  auth: {method: token, token: {env: VAULT_TOKEN}}",
            f"run: {json.dumps({'lease': '2m', **run})}",
            "policies:",
            *(self._policy(key) for key in self.keys),
        ]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return path

    def _policy(self, key: dict[str, str]) -> str:
        return (
            f"  - name: {key['name']}\n"
            f"    key: {{id: {key['id']}, type: user}}\n"
            "    rotate: {max_age: 30d, before_expiry: 7d, grace_period: 1h, strategy: refresh}\n"
            f"    deliver: {{path: {self.place}/{key['name']}, field: api_key}}"
        )

    def task(self) -> Path:
        """The same for the script: a file of JSON."""
        path = self.bench.folder / f"{self.place}.json"
        path.write_text(json.dumps({"place": self.place, "keys": self.keys}), encoding="utf-8")
        return path


def ask(process: subprocess.Popen[str], line: str) -> Any:
    """Give a child a line and read its answer.

    Raises:
        RuntimeError: It is gone.
    """
    if process.stdin is None or process.stdout is None:
        raise AssertionError(process)
    process.stdin.write(line + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"{process.args!r} has ended")
    return json.loads(answer)


@contextmanager
def provided(
    bench: Bench, count: int, kind: dict[str, int], *, latency: float = 0.0
) -> Iterator[Keys]:
    """A provider with so many keys, until the block ends."""
    place = f"bench-{next(_NUMBERS)}"
    wish = {
        "latency": latency,
        "keys": [{"name": f"key-{number}", **kind} for number in range(count)],
    }
    with subprocess.Popen(
        [sys.executable, "-m", "bench.provider"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as process:
        told = ask(process, json.dumps(wish))
        keys = Keys(bench, told["url"], told["management"], told["keys"], place, process)
        with httpx.Client(trust_env=False, headers={"X-Vault-Token": bench.token}) as vault:
            for key in keys.keys:
                where = f"{bench.vault}/v1/secret/data/{place}/{key['name']}"
                wanted = {"data": {"api_key": key["raw"], "owner": "somebody else"}}
                vault.post(where, json=wanted).raise_for_status()
        try:
            yield keys
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(10)


@contextmanager
def staged(*, quick: bool) -> Iterator[Bench]:
    """A Vault, a real one where there is one, and a folder, until the block ends."""
    path = real_vault.program()
    with tempfile.TemporaryDirectory(prefix="rotator-bench-") as folder:
        if path is None:
            with serving_in_thread(vault_app(live_vault())) as url:
                yield Bench(Path(folder), url, "root", "the stand-in of the sandbox", quick)
            return
        with real_vault.running(path, settings=_STORAGE) as server:
            store = real_vault.version(path)
            yield Bench(Path(folder), server.address, server.token, store, quick)

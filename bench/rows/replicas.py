"""Three replicas that share what is due, where the provider is what takes the time."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import httpx

from bench.measuring import Finding, in_turns
from bench.stage import DUE, ROTATOR, provided

if TYPE_CHECKING:
    from bench.stage import Bench, Keys

#: Two requests for each key, eight at a time: a minute of waiting for a thousand keys.
_LATENCY, _CONCURRENCY = 0.25, 8


def run(bench: Bench) -> list[Finding]:
    """Three against one; each key is rotated once, or this raises."""
    count = bench.some(1000, 100)
    pairs = in_turns(
        lambda: _passed(bench, count, 3),
        lambda: _passed(bench, count, 1),
        turns=bench.some(3, 1),
        warm_up=0,
    )
    return [
        Finding(
            f"three replicas, {count:,} keys due, the provider {_LATENCY * 1e3:.0f} ms away",
            "one replica",
            f"{sum(pairs.ours) / len(pairs.ours):.3g} s",
            f"{sum(pairs.theirs) / len(pairs.theirs):.3g} s",
            pairs.ratio,
            0.5,
            spread=pairs.spread,
        )
    ]


def _passed(bench: Bench, count: int, replicas: int) -> float:
    with provided(bench, count, DUE, latency=_LATENCY) as keys:
        config = keys.config(concurrency=_CONCURRENCY)
        command = [ROTATOR, "run", "--once", "--config", str(config)]
        began = time.perf_counter()
        processes = [
            subprocess.Popen(command, env=keys.environ, stdout=subprocess.DEVNULL)
            for _ in range(replicas)
        ]
        codes = [process.wait() for process in processes]
        taken = time.perf_counter() - began
        _assert_each_once(keys, codes)
    return taken


def _assert_each_once(keys: Keys, codes: list[int]) -> None:
    mints = keys.counts()["POST"]
    if any(codes) or mints != len(keys.keys):
        raise RuntimeError(f"exit codes {codes}, {mints} mints for {len(keys.keys)} keys")
    with httpx.Client(trust_env=False, headers={"X-Vault-Token": keys.bench.token}) as vault:
        for key in keys.keys:
            path = f"{keys.bench.vault}/v1/secret/data/{keys.place}/journal/{key['name']}"
            journal = vault.get(path).raise_for_status().json()["data"]["data"]
            if len(journal["history"]) != 1 or journal["rotation"]:
                raise RuntimeError(f"{key['name']} was not rotated once")

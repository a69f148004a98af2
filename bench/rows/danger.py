"""How long a new key is in danger: from the mint's last byte to Vault's acknowledgement."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import hvac

from bench.inside import inside
from bench.measuring import Finding, Pairs, compared, percentile
from bench.stage import DUE, provided

if TYPE_CHECKING:
    from bench.stage import Bench, Keys


def run(bench: Bench) -> list[Finding]:
    """Median and 99th percentile, against a bare write of hvac to the same server."""
    turns, warm_up = bench.some(600, 60), bench.some(50, 10)
    with provided(bench, turns + warm_up, DUE) as keys:
        pairs = asyncio.run(_measured(keys, warm_up))
    against = "one bare KV v2 write by hvac"
    ours, theirs = (percentile(side, 99) * 1e3 for side in (pairs.ours, pairs.theirs))
    tail = Finding(
        "danger window, p99", against, f"{ours:.3g} ms", f"{theirs:.3g} ms", pairs.tail(99), 1.3
    )
    return [compared("danger window, median", against, pairs, 1.15), tail]


async def _measured(keys: Keys, warm_up: int) -> Pairs:
    client, pairs = hvac.Client(keys.bench.vault, keys.bench.token), Pairs()
    client.session.trust_env = False
    async with inside(keys) as ours:
        for number, policy in enumerate(ours.policies):
            await ours.rotate(policy)
            raw, path = keys.keys[number]["raw"], f"{keys.place}/bare/{policy.name}"
            began = time.perf_counter()
            fields = {"api_key": raw, "owner": "somebody else"}
            client.secrets.kv.v2.create_or_update_secret(path, fields, cas=0)
            bare = time.perf_counter() - began
            if number >= warm_up:
                pairs.ours.append(ours.danger[-1])
                pairs.theirs.append(bare)
    return pairs

"""Many keys due at once, and several processes: ``python tests/e2e/replicas.py --keys 1000``.

Every process looks at all policies at the same moment. Ends with 1 unless each key was rotated
exactly once and what the store holds works.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from e2e_stage import staged
from e2e_vault import behind_proxy

from rotator.sandbox import real_vault

DAY = timedelta(days=1)
#: Two in three are refreshed, the third is reissued.
BOUNDED_EVERY = 3


def add_due(stage, count):
    for number in range(count):
        name = f"key-{number}"
        bounded = number % BOUNDED_EVERY == 0
        born_at = stage.now - 88 * DAY
        expires_at = stage.now + 2 * DAY if bounded else None
        key = stage.arize.seed_user_key(name, created_at=born_at, expires_at=expires_at)
        stage.add_policy(name, key, before_expiry="7d", max_age="30d", grace_period="1h")
        stage.put(name, api_key=key[1])


def rotate(stage, replicas):
    """Passes of so many processes at once: their codes, and how often each policy was rotated."""
    config = str(stage.config)
    processes = [stage.start("run", "--once", "--config", config) for _ in range(replicas)]
    ends = [process.communicate(timeout=900) for process in processes]
    codes = [process.returncode for process in processes]
    assert [] == [err for _, err in ends if err]
    return codes, Counter(
        {policy["name"]: len(stage.journal(policy["name"])["history"]) for policy in stage.policies}
    )


def faults(stage, codes, rotations):
    """What is wrong afterwards, a line each."""
    if any(codes):
        yield f"exit codes {codes}"
    for name, count in rotations.items():
        held = stage.held(name)
        if count != 1:
            yield f"{name} was rotated {count} times"
        if held == stage.raws[name] or not stage.arize.accepts(held):
            yield f"what the store holds for {name} is old or dead"
        if [held] != [raw for raw in stage.live(name) if raw != stage.raws[name]]:
            yield f"keys of {name} are left"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--replicas", type=int, default=3)
    given = parser.parse_args()
    path = real_vault.program()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rotator-replicas-"))
        server = stack.enter_context(real_vault.running(path)) if path else None
        real = stack.enter_context(behind_proxy(server)) if server else None
        stage = stack.enter_context(staged(Path(folder), vault=real))
        # Three processes on two cores keep each other and the services waiting.
        stage.timeout, stage.run_section = "30s", {"lease": "2m", "concurrency": 16}
        add_due(stage, given.keys)
        began = time.monotonic()
        codes, rotations = rotate(stage, given.replicas)
        seconds = time.monotonic() - began
        wrong = list(faults(stage, codes, rotations))
    sys.stdout.write(
        f"{given.keys:,} keys due at once, {given.replicas} processes, on"
        f" {real_vault.version(path) if path else 'the stand-in'}: {rotations.total():,} rotations,"
        f" {len(wrong)} faults, {seconds:.0f} s\n"
    )
    sys.stdout.write("".join(f"{line}\n" for line in wrong[:20]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

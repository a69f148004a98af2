"""A sidecar with one policy that waits, beside Vault's own agent that does."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.measuring import Finding
from bench.processes import cpu, pss, wake_ups
from bench.stage import RESTING, ROTATOR, provided

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.stage import Bench, Keys

_AGENT = """\
vault {{ address = "{address}" }}
auto_auth {{
  method "token_file" {{ config = {{ token_file_path = "{folder}/agent-token" }} }}
}}
template {{
  contents = "{{{{ with secret \\"{path}\\" }}}}{{{{ .Data.data.api_key }}}}{{{{ end }}}}"
  destination = "{folder}/agent-rendered"
}}
"""
#: Both are up, and have done what there is to do.
_SETTLED = 10.0


def run(bench: Bench) -> list[Finding]:
    """Both at the same time. Nothing where there is no agent."""
    program = shutil.which("vault") or shutil.which("bao")
    if program is None:
        return []
    with (
        provided(bench, 1, RESTING) as keys,
        started([ROTATOR, "run", "--config", str(keys.config())], keys) as ours,
        started([program, "agent", f"-config={_agent(keys)}"], keys) as theirs,
    ):
        time.sleep(_SETTLED)
        before = [(cpu(pid), wake_ups(pid)) for pid in (ours, theirs)]
        length = bench.some(600, 15)
        time.sleep(length)
        after = [(cpu(pid), wake_ups(pid)) for pid in (ours, theirs)]
        memory = [pss(pid) for pid in (ours, theirs)]
    spent = [end[0] - start[0] for start, end in zip(before, after, strict=True)]
    woken = [end[1] - start[1] for start, end in zip(before, after, strict=True)]
    against = f"`{program.rpartition('/')[2]} agent` with one template"
    return [
        _line("idle, one policy: PSS", against, memory, "MB"),
        _line(f"idle: CPU in {length} s", against, spent, "s"),
        _line(f"idle: wake-ups in {length} s", against, woken, ""),
    ]


def _line(what: str, against: str, values: list[float] | list[int], unit: str) -> Finding:
    ours, theirs = (float(value) for value in values)
    told = [f"{value:.4g} {unit}".strip() for value in (ours, theirs)]
    # A clock that ticks every hundredth of a second tells no difference below.
    ratio = ours / max(theirs, 0.01)
    return Finding(what, against, told[0], told[1], ratio, 1.0)


def _agent(keys: Keys) -> Path:
    folder = keys.bench.folder
    token = folder / "agent-token"
    token.touch(mode=0o600)
    token.write_text(keys.bench.token, encoding="utf-8")
    path = folder / "agent.hcl"
    path.write_text(
        _AGENT.format(
            address=keys.bench.vault,
            folder=folder,
            path=f"secret/data/{keys.place}/{keys.keys[0]['name']}",
        ),
        encoding="utf-8",
    )
    return path


@contextmanager
def started(command: list[str], keys: Keys) -> Iterator[int]:
    """A process that says nothing, until the block ends; its id."""
    with subprocess.Popen(
        command, env=keys.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(30)

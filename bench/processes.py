"""What Linux says of a process: memory, CPU, wake-ups, open files. And how long one takes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TICK = os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> float:
    """MB, pages that are shared counted by their share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[0]) / 1024


def cpu(pid: int) -> float:
    """Seconds, of all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def wake_ups(pid: int) -> int:
    """Context switches, of all threads that live."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text(encoding="ascii")
        total += sum(int(count) for count in re.findall(r"ctxt_switches:\s+(\d+)", text))
    return total


def files(pid: int) -> int:
    """Open descriptors."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def seconds(command: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """How long a program takes that must end well.

    Raises:
        RuntimeError: It did not.
    """
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    taken = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{command[:4]} ended with {done.returncode}: {done.stderr[-1000:]}")
    return taken

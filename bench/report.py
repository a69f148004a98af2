"""The table, the chart, and on what they were made."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rotator import __version__

if TYPE_CHECKING:
    from bench.measuring import Curve, Finding
    from bench.stage import Bench

TOP = Path(__file__).parent.parent
_CHART = Path("images/performance.svg")
_LIBRARIES = ("httpx", "hvac", "requests", "urllib3", "pydantic", "apscheduler")


def table(findings: list[Finding]) -> str:
    """Of Markdown."""
    lines = [
        "| what | against | rotator | the other | ratio | middle half | goal | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in findings:
        sign, met = ("≥" if one.at_least else "≤"), ("met" if one.met else "**missed**")
        value = f"{one.value:.3g} {one.unit}".strip()
        lines.append(
            f"| {one.what} | {one.against or '-'} | {one.ours} | {one.theirs or '-'} | {value}"
            f" | {one.spread or '-'} | {sign} {one.goal:g} | {met} |"
        )
    return "\n".join(lines)


def circumstances(bench: Bench) -> str:
    """Versions, the commit, the machine."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
    ).stdout.strip()
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"rotator {__version__} at {commit or 'no commit'}, {bench.store}, Python"
        f" {platform.python_version()}, {libraries}; {platform.machine()}, {os.cpu_count()} cores,"
        f" {memory:.0f} GiB, {platform.system()} {platform.release()}."
    )


def write(bench: Bench, findings: list[Finding], curves: list[Curve]) -> None:
    """Write ``docs/performance.md`` between its markers, and the chart."""
    page = TOP / "docs" / "performance.md"
    text = page.read_text(encoding="utf-8")
    begin, end = "<!-- measured -->", "<!-- end -->"
    head, rest = text.split(begin)
    tail = rest.partition(end)[2]
    chart = f"![What a daemon costs by the number of its policies]({_CHART})"
    body = f"\n\n{circumstances(bench)}\n\n{table(findings)}\n\n{chart}\n\n"
    page.write_text(f"{head}{begin}{body}{end}{tail}", encoding="utf-8")
    draw(curves, page.parent / _CHART)


def draw(curves: list[Curve], path: Path) -> None:
    """One panel for each curve, both axes in powers of ten."""
    from matplotlib import rcParams  # noqa: PLC0415 - nothing else pays for it
    from matplotlib.figure import Figure  # noqa: PLC0415

    rcParams.update({"svg.hashsalt": "rotator", "svg.fonttype": "none"})
    figure = Figure(figsize=(9, 6), layout="constrained")
    for curve, axes in zip(curves, figure.subplots(2, 2).flat, strict=True):
        counts, values = zip(*curve.points, strict=True)
        axes.loglog(counts, values, marker="o", color="#2563eb")
        axes.set(title=curve.name, xlabel="policies", ylabel=curve.unit)
        axes.grid(visible=True, which="both", alpha=0.25)
    figure.savefig(path, metadata={"Date": None})

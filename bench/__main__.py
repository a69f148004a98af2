"""``python -m bench [--quick] [ROW …]``: all rows, or those that are named."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from bench import report
from bench.rows import NAMES
from bench.stage import staged

if TYPE_CHECKING:
    from bench.measuring import Curve, Finding


def main() -> int:
    """Measure, show, and write the page if that was everything and in full."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=" ".join(NAMES))
    parser.add_argument(
        "--quick", action="store_true", help="to see that all works; proves nothing"
    )
    given = parser.parse_args()
    if unknown := set(given.rows).difference(NAMES):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    findings: list[Finding] = []
    curves: list[Curve] = []
    with staged(quick=given.quick) as bench:
        for name in given.rows or NAMES:
            began = time.monotonic()
            found = import_module(f"bench.rows.{name}").run(bench)
            lines, drawn = found if isinstance(found, tuple) else (found, [])
            findings += lines
            curves += drawn
            sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
        sys.stdout.write(f"{report.circumstances(bench)}\n\n{report.table(findings)}\n")
        if not given.quick and not given.rows:
            report.write(bench, findings, curves)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How many mutants the tests killed: ``python tests/pure/mutants.py decide flight``.

Reads what mutmut left in ``mutants/``. Ends with 1 where it was fewer than 95 % of the modules'
mutants, or where some were not tried.
"""

import argparse
import json
import sys
from pathlib import Path

from mutmut.stats import status_by_exit_code as status_by_code

#: A mutant that never ends has been found out as well.
KILLED = {"killed", "timeout"}
ENOUGH = 0.95


def say(*lines):
    sys.stdout.write("\n".join((*lines, "")))


def fates(module):
    """The name of each mutant of ``module``, and what became of it."""
    path = Path("mutants", "rotator", f"{module}.py.meta")
    codes = json.loads(path.read_text())["exit_code_by_key"]
    return {name: status_by_code[code] for name, code in codes.items()}


def row(name, statuses):
    killed = sum(status in KILLED for status in statuses)
    share = f"{killed / len(statuses):7.1%}" if statuses else "      -"
    return f"{name:<14}{len(statuses):>6,}{killed:>8,}{share}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", metavar="MODULE")
    by_module = {module: fates(module) for module in parser.parse_args().modules}
    everyone = {name: fate for one in by_module.values() for name, fate in one.items()}
    left = {name: fate for name, fate in everyone.items() if fate not in KILLED}
    say(*(f"{fate:<12} {name}" for name, fate in left.items()), "")
    say(
        f"{'':<14}{'all':>6}{'killed':>8}",
        *(row(name, one.values()) for name, one in by_module.items()),
    )
    say(row("together", everyone.values()), "", "What one of them is: mutmut show NAME")
    few = len(left) > (1 - ENOUGH) * len(everyone)
    return int(few or "not checked" in left.values())


if __name__ == "__main__":
    sys.exit(main())

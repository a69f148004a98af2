"""The command line. Wiring only; a command's code is loaded when it is asked for."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.adapters.process import forbid_dumps
from rotator.arguments import parser_of_all
from rotator.commands.completion import complete
from rotator.errors import ConfigError, RotatorError
from rotator.words import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; answers its exit code."""
    _open_what_is_closed()
    parser = parser_of_all()
    if "_ARGCOMPLETE" in os.environ:
        complete(parser)
    arguments = parser.parse_args(argv)
    command: Callable[[Namespace], int] = import_module(
        f"rotator.commands.{arguments.command}"
    ).command
    forbid_dumps()
    try:
        return command(arguments)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 2
    except RotatorError as error:
        remedy = f"\n  remedy: {error.remedy}" if error.remedy else ""
        sys.stderr.write(f"{printable(error.message)}{remedy}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain again at its exit.
        sys.stdout = None
        return 0


def _open_what_is_closed() -> None:
    """Whoever starts us without standard streams wants none of our words, but all of our work."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
            setattr(sys, name, stream)

"""The command line. Wiring only; a command's code is loaded when it is asked for."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rotator import __version__
from rotator.adapters.process import forbid_dumps, forbid_recordings
from rotator.errors import ConfigError, RotatorError
from rotator.words import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence
    from types import FrameType

#: What writing to a stream fails of. Files have names, and their errors are translated.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; answers its exit code."""
    _open_what_is_closed()
    try:
        return _obeyed(argv)
    except ConfigError as error:
        _complain(*error.problems)
        return 2
    except RotatorError as error:
        _complain(
            printable(error.message), *([f"  remedy: {error.remedy}"] if error.remedy else ())
        )
        return 1
    except KeyboardInterrupt:
        # What was asked, or shown, has the line that the shell's prompt would go on.
        if sys.stderr.isatty():
            _complain("")
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain again at its exit.
        sys.stdout = None
        return 0
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        sys.stdout = None
        _complain(f"stdout cannot be written: {error.strerror}; make room, or write elsewhere")
        return 1


def _obeyed(argv: Sequence[str] | None) -> int:
    try:
        if (sys.argv[1:] if argv is None else argv) == ["--version"]:
            # Asked by scripts, and often: half of it would be argparse and what a command may take.
            sys.stdout.write(f"rotator {__version__}\n")
            return 0
        arguments = _parsed(argv)
        _heed_signals(arguments)
        command = _command(arguments.command)
        forbid_dumps()
        forbid_recordings()
        return command(arguments)
    finally:
        # What cannot be written is said by us, and not by Python at its exit.
        sys.stdout.flush()


def _parsed(argv: Sequence[str] | None) -> Namespace:
    from rotator.arguments import parser_of_all  # noqa: PLC0415 - not for the version

    parser = parser_of_all()
    if "_ARGCOMPLETE" in os.environ:
        from rotator.commands.completion import complete  # noqa: PLC0415 - only for a shell

        complete(parser)
    return parser.parse_args(argv)


def _heed_signals(arguments: Namespace) -> None:
    """SIGTERM and SIGHUP end a command, until it has a say in that itself.

    Not a daemon: SIGHUP asks it to read its configuration, which it is about to do. Nor what was
    started to survive SIGHUP (``nohup``).
    """
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    daemon = arguments.command == "run" and not (arguments.once or arguments.rotate)
    # Not SIG_IGN for the daemon: programs inherit that from whoever begins them.
    signal.signal(signal.SIGHUP, _go_on if daemon else _end)


def _command(name: str) -> Callable[[Namespace], int]:
    """Load a command. What that makes stays, so that collecting any of it would be in vain.

    So would collecting at the end, when all of it goes with the process.
    """
    # A plugin would be told of all that pydantic validates. To look for one takes reading what
    # every installed package says of itself.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    atexit.register(gc.freeze)
    gc.disable()
    try:
        command: Callable[[Namespace], int] = import_module(f"rotator.commands.{name}").command
    finally:
        gc.freeze()
        gc.enable()
    return command


def _complain(*lines: str) -> None:
    """Say it on stderr, if that takes it: the exit code says the rest.

    Without anything like a key: a person may have written one for a name, and stderr ends in logs.
    """
    from rotator.observe.scrub import Scrubber, Trust  # noqa: PLC0415 - for mistakes only

    scrub = Scrubber()
    try:
        sys.stderr.write("".join(f"{scrub(line, Trust.NAME)}\n" for line in lines))
        sys.stderr.flush()
    except OSError:
        sys.stderr = None


def _end(number: int, _: FrameType | None) -> None:
    """SIGTERM and SIGHUP as Ctrl-C: what is open is closed, and the terminal left as it was."""
    sys.exit(128 + number)


def _go_on(_: int, __: FrameType | None) -> None:
    """Nothing is to be done."""


def _open_what_is_closed() -> None:
    """Whoever starts us without standard streams wants none of our words, but all of our work."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
            setattr(sys, name, stream)

"""What the operating system is asked to do for a process that holds keys."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

#: ``prctl(2)``: whether a process may be dumped, and looked into by others of the same user.
_PR_SET_DUMPABLE = 4


def forbid_recordings() -> None:
    """Nobody is told how to read what TLS protects, as OpenSSL does where the environment asks."""
    os.environ.pop("SSLKEYLOGFILE", None)


def forbid_dumps() -> None:
    """No core dump of this process, and on Linux no look into its memory by the same user.

    The limit alone is not enough: the kernel ignores it where dumps are piped to a program
    (core(5)), as systemd and most distributions do. Children get the limit; being dumpable or not
    begins anew at their ``exec``. Does nothing where the system does not offer it.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - some milliseconds that other systems need not spend

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

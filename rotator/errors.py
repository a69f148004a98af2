"""Everything that can go wrong, told apart by what to do about it.

::

    RotatorError
    ├── ConfigError            the configuration or the command line is wrong: exit 2
    ├── Temporary              try again, after ``delay``
    │   └── Unavailable        the service is not there or not ready (sealed, 5xx, timeout)
    ├── Permanent              trying again changes nothing: a person is needed
    │   ├── Unauthenticated    our own credential was refused
    │   ├── NotPermitted       known, but not allowed
    │   ├── NotFound           absent, or not readable for us
    │   ├── Rejected           the service understood and said no: its own detail is the message
    │   └── Unreadable         a document of ours, corrupt or from a newer version
    └── Ambiguous              a request that may have been carried out: look before doing it again

Adapters translate into this tree once, at their boundary, with ``raise ... from``. A lost race is
not in it: that is an ordinary answer, and a value (:data:`rotator.ports.Conflict`).

No message may hold a secret: adapters build them from status lines, problem details and paths, not
from headers or bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


class RotatorError(Exception):
    """Base of all errors that the reconcile understands.

    Args:
        message: What happened and where, in words for an operator, without secrets.
        remedy: What to do about it, as a sentence; empty when there is nothing but waiting.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    @property
    def code(self) -> str:
        """The stable name of this kind of error, for events and metrics."""
        return type(self).__name__.lower()

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class ConfigError(RotatorError):
    """The configuration or the command line is wrong; ``problems`` has a line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Temporary(RotatorError):
    """Nothing was changed and a later try may succeed.

    Args:
        message: As for :class:`RotatorError`.
        delay: How long the service asked us to wait (``Retry-After``), if it did.
        remedy: As for :class:`RotatorError`.
    """

    def __init__(self, message: str, *, delay: timedelta | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.delay = delay


class Unavailable(Temporary):
    """The service cannot be reached or is not ready: down, sealed, standby, 5xx, timed out."""


class Permanent(RotatorError):
    """A later try of the same would fail the same way."""


class Unauthenticated(Permanent):
    """The service refused our own credential (401, or a Vault token that is gone)."""


class NotPermitted(Permanent):
    """The credential is known but may not do this (403)."""


class NotFound(Permanent):
    """Absent, or hidden from us (404)."""


class Rejected(Permanent):
    """Understood and refused, nothing changed (400, 409, 422); the message is the server's."""


class Unreadable(Permanent):
    """A document of ours that is corrupt, or was written by a newer version."""


class Ambiguous(RotatorError):
    """The answer never came or made no sense, so the request may have been carried out.

    Raised for a mint only. It must never be repeated blindly: look at the provider's keys first.
    """

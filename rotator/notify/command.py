"""The hook ``command``: a program, without a shell, that gets facts and no secret.

Its environment is made of a few plain variables, those that the configuration names, and
``ROTATOR_…`` for the facts: what rotator itself was given, such as ``ARIZE_API_KEY``, stays here.
What it writes goes nowhere, since nobody knows what that would be.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rotator.errors import NotFound, NotPermitted, Rejected, Temporary

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping
    from datetime import timedelta

    from rotator.errors import RotatorError
    from rotator.notices import News

#: What a program may need, and what is no secret anywhere.
_PLAIN = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
#: Seconds from being asked to end to being ended.
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Command:
    """Implements :class:`rotator.afterwards.Hook`.

    Args:
        arguments: The program and its arguments, passed on as they are.
        timeout: After it, the program and all it has begun are ended.
        environment: What the program gets beside the facts.
    """

    kind: ClassVar[str] = "command"
    arguments: tuple[str, ...]
    timeout: timedelta
    environment: Mapping[str, str]

    def obstacle(self) -> RotatorError | None:
        """That there is no such program, or none that may be run."""
        program = self.arguments[0]
        if shutil.which(program, path=self.environment.get("PATH")):
            return None
        return _not_run() if Path(program).exists() else _no_program()

    async def tell(self, news: News) -> None:
        """Run it to its end. A status of 0 is a success.

        Raises:
            RotatorError: It could not be begun, or ended otherwise.
        """
        process = await self._begun(news)
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)
        if status < 0:
            raise Temporary(f"the command was ended by {signal.Signals(-status).name}")
        if status:
            raise Temporary(
                f"the command ended with status {status}",
                remedy="its output is not kept, for it may hold secrets: let it write a log",
            )

    async def _begun(self, news: News) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self.arguments,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                env={**self.environment, **variables(news)},
                # A group of its own: whatever it begins can be ended with it.
                start_new_session=True,
            )
        except FileNotFoundError:
            raise _no_program() from None
        except PermissionError:
            raise _not_run() from None
        except (OSError, ValueError) as error:
            raise Rejected(f"the program cannot be run: {type(error).__name__}") from None


def _no_program() -> NotFound:
    return NotFound("there is no such program; check its path")


def _not_run() -> NotPermitted:
    return NotPermitted("the program may not be run by the user of rotator")


def kept(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Of ``environ``, what is plain and what has one of ``names``."""
    return {name: environ[name] for name in (*_PLAIN, *names) if name in environ}


def variables(news: News) -> dict[str, str]:
    """The facts as variables. What is not known is not set; several values are lines."""
    facts = {"event": news.type, "event_id": news.id, "policy": news.policy, **news.facts}
    return {
        f"ROTATOR_{name.upper()}": value if isinstance(value, str) else "\n".join(value)
        for name, value in facts.items()
        if value is not None
    }


async def _end(process: Process) -> None:
    """End the whole group: asked first, and then made to, whether its first has gone or not."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _GRACE)
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)

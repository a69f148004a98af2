"""``rotator adopt``: puts the raw key of a policy's key, from stdin, into the store."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from rotator.commands.common import chosen, settings_of
from rotator.commands.placing import next_rotation, placed, tell
from rotator.errors import ConfigError
from rotator.secrets import Secret

if TYPE_CHECKING:
    from argparse import Namespace

#: A raw key has some 60 characters; whatever is much longer is something else.
_MOST = 4096


def command(arguments: Namespace) -> int:
    """Adopt; 1 when the key is not the right one, or a service says no."""
    settings = settings_of(arguments)
    (policy,) = chosen(settings, [arguments.policy])
    secret = _given()
    done = placed(settings, policy, lambda hand: hand.adopt(policy, secret))
    if done is None:
        return 1
    if not done.written:
        tell(policy, f"nothing to do, {done.key.redacted} is adopted already")
        return 0
    tell(policy, *(f"{target} holds {done.key.redacted}" for target in done.written))
    tell(policy, f"adopted, and nothing was minted; next rotation: {next_rotation(done)}")
    return 0


def _given() -> Secret:
    """The key from stdin, not shown where a person types it.

    Raises:
        ConfigError: What comes is no key. It is not repeated.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        try:
            secret = Secret(getpass.getpass("raw key (not shown): ").strip())
        except (EOFError, UnicodeError):
            secret = Secret("")
    else:
        # As bytes: the error of a text that cannot be decoded holds all of it.
        data = sys.stdin.buffer.read(_MOST + 1) if sys.stdin is not None else b""
        secret = Secret(data.decode("ascii", "replace").strip())
    text = secret.reveal()
    if not text or len(text) > _MOST or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(["stdin: holds no key; give the raw key, and nothing else"])
    return secret

"""``rotator completion``: what a shell needs to complete commands, options and policies.

Argcomplete answers the shell by running rotator itself, so that the names of policies come from the
configuration as it is; it is an extra, and loaded for nothing else.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rotator.errors import ConfigError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def command(arguments: Namespace) -> int:
    """Print the code for the shell that is asked for."""
    if find_spec("argcomplete") is None:
        raise ConfigError(["completion is an extra: pip install 'arize-key-rotator[completion]'"])
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - an extra

    sys.stdout.write(f"{shellcode(['rotator'], shell=arguments.shell).strip()}\n")
    return 0


def complete(parser: ArgumentParser) -> None:
    """Answer the shell that asks what may come next, and end. Without argcomplete, do nothing."""
    if find_spec("argcomplete") is not None:
        from argcomplete import autocomplete  # noqa: PLC0415 - an extra

        autocomplete(parser, always_complete_options=False)


def policy_names(parsed_args: Namespace, **_: object) -> list[str]:
    """The policies of the configuration that the line so far names; argcomplete's way to ask."""
    from rotator.settings import names  # noqa: PLC0415 - a tenth of a second

    return names(parsed_args.config)

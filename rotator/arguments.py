"""What may be written after ``rotator``: every command and its options. Words only."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rotator import __version__
from rotator.commands.completion import policy_names

_EPILOG = """\
rotator COMMAND --help tells more. Configuration: rotator.yaml, or --config.
exit codes: 0 well; 1 a policy or hook failed, or needs a person; 2 wrong usage"""
_LAST_PORT = 65535


class _Help(argparse.RawDescriptionHelpFormatter):
    """Leaves room for the longest command, which argparse measures without its margin."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 14


class _Parser(argparse.ArgumentParser):
    """Repeats nothing that looks like a key: what is printed ends up in logs."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and end with 2."""
        from rotator.observe.scrub import Scrubber, Trust  # noqa: PLC0415 - for mistakes only

        super().error(Scrubber()(message, Trust.NAME))


def parser_of_all() -> argparse.ArgumentParser:
    """Of the whole command line."""
    parser: argparse.ArgumentParser = _Parser(
        prog="rotator",
        usage="rotator [-h] [--version] COMMAND ...",
        description="Rotates Arize API keys and keeps the one in Vault working.",
        epilog=_EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
        add_help=False,
    )
    # Told by the usage; a list of them would push the commands off a small screen.
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    version = f"rotator {__version__}"
    parser.add_argument("--version", action="version", version=version, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(
        prog="rotator", title="commands", dest="command", metavar="COMMAND", required=True
    )
    _add_run(commands)
    _add_looking(commands, "plan", "say what would happen, when and why")
    _add_looking(commands, "status", "show how every policy stands")
    _add_json(_add_single(commands, "history", "show the last rotations of a policy"))
    _add_check(commands)
    _add_init(commands)
    _add_single(commands, "adopt", "put the raw key of a policy, from stdin, into the store")
    _add_single(commands, "rollback", "put the former key back, while its grace period runs")
    _add_config(_command(commands, "health", "ask the daemon on this machine whether it lives"))
    _add_completion(commands)
    _command(commands, "schema", "print the JSON Schema of the configuration, for editors")
    _add_sandbox(commands)
    demo = _command(commands, "demo", "rotate three keys on this machine, in half a minute")
    demo.add_argument(
        "--stand-in", action="store_true", help="do not use a vault or bao that is on PATH"
    )
    return parser


def _add_run(commands: _Commands) -> None:
    run = _command(commands, "run", "look after all policies, until told to stop")
    _add_config(run)
    _add_log(run)
    mode = run.add_mutually_exclusive_group()
    mode.add_argument(
        "--once", action="store_true", help="one pass over all policies, then exit (CronJob)"
    )
    _completed(
        mode.add_argument(
            "--rotate",
            action="append",
            metavar="NAME",
            default=[],
            help="rotate this policy now, due or not, then exit (repeatable)",
        )
    )
    run.add_argument(
        "--patience",
        metavar="DURATION",
        help="with --once or --rotate: how long to wait for a service that is down (60s)",
    )
    run.add_argument(
        "--metrics-file",
        type=Path,
        metavar="FILE",
        help="with --once or --rotate: metrics for node_exporter (FILE.prom)",
    )


def _add_looking(commands: _Commands, name: str, summary: str) -> None:
    """A command that looks at some policies, or at all."""
    look = _command(commands, name, f"{summary}; writes nothing")
    _add_config(look)
    _completed(look.add_argument("policies", nargs="*", metavar="NAME", help="these policies only"))
    _add_json(look)


def _add_single(commands: _Commands, name: str, summary: str) -> argparse.ArgumentParser:
    """A command about one policy."""
    single = _command(commands, name, summary)
    _add_config(single)
    _completed(single.add_argument("policy", metavar="NAME", help="the policy"))
    return single


def _add_completion(commands: _Commands) -> None:
    completion = _command(commands, "completion", "print what a shell needs to complete commands")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs; a stable format")


def _add_check(commands: _Commands) -> None:
    check = _command(commands, "check", "say what is wrong with the configuration")
    _add_config(check)
    check.add_argument(
        "--online", action="store_true", help="also ask Arize and Vault, writing nothing"
    )
    check.add_argument("--json", action="store_true", help="with --online: for programs")


def _add_init(commands: _Commands) -> None:
    init = _command(commands, "init", "write a first configuration for keys that Arize lists")
    init.add_argument("--output", default="rotator.yaml", metavar="FILE", help="- for stdout")
    which = init.add_mutually_exclusive_group()
    which.add_argument("--key", action="append", metavar="ID", help="this key (repeatable)")
    which.add_argument("--all", action="store_true", help="all but the management key")
    init.add_argument(
        "--space", action="append", default=[], metavar="ID", help="with its service keys"
    )
    where = init.add_mutually_exclusive_group()
    where.add_argument("--base-url", metavar="URL", help="of Arize; default: the public one")
    where.add_argument("--region", help="of Arize")
    source = init.add_mutually_exclusive_group()
    source.add_argument(
        "--api-key-env",
        default="ARIZE_API_KEY",
        metavar="NAME",
        help="variable of the management key (ARIZE_API_KEY)",
    )
    source.add_argument("--api-key-file", type=Path, metavar="FILE", help="or its file")
    store = init.add_mutually_exclusive_group()
    store.add_argument("--vault-address", metavar="URL", help="default: VAULT_ADDR")
    store.add_argument("--files", type=Path, metavar="DIRECTORY", help="instead of Vault")
    init.add_argument(
        "--path", default="apps/{name}/arize", metavar="PATH", help="of each key (%(default)s)"
    )
    init.add_argument("--field", default="api_key", help="of each secret (%(default)s)")


def _add_sandbox(commands: _Commands) -> None:
    box = _command(commands, "sandbox", "serve an Arize and a Vault stand-in on loopback")
    box.add_argument(
        "--arize-port", type=_port, default=0, metavar="PORT", help="default: a free one"
    )
    box.add_argument(
        "--vault-port", type=_port, default=0, metavar="PORT", help="default: a free one"
    )
    box.add_argument(
        "--era", choices="ABC", default="C", help="wire format; C is today's (default)"
    )
    box.add_argument(
        "--write-config",
        type=Path,
        metavar="FILE",
        help="write policies for three keys that are due",
    )
    box.add_argument(
        "--refresh-id", choices=("new", "same"), default="new", help="key id after a refresh (new)"
    )
    box.add_argument("--max-lifetime", metavar="DURATION", help="the account's longest key life")
    box.add_argument("--latency", metavar="DURATION", help="of every Arize answer")
    box.add_argument(
        "--error-rate", type=_share, default=0.0, metavar="SHARE", help="of Arize calls, 0 to 1"
    )


def _command(commands: _Commands, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=_sentence(summary), allow_abbrev=False
    )


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="a file, or a directory of *.yaml (repeatable; default: rotator.yaml)",
    )


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), help="default: info"
    )
    parser.add_argument(
        "--log-format", choices=("auto", "json", "console"), help="default: json when piped"
    )


def _completed(action: argparse.Action) -> None:
    """Let a shell complete it with the names of policies."""
    action.completer = policy_names  # type: ignore[attr-defined] # As argcomplete wants it.


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("not a share; write a number from 0 to 1")
    return share


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"not a port; write a number from 0 to {_LAST_PORT}")
    return int(text)


if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

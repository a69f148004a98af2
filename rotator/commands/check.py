"""``rotator check``: what is wrong with the configuration and, online, with both services."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.common import settings_of
from rotator.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from rotator.commands.preflight import Part, Preflight
    from rotator.commands.screen import Screen
    from rotator.readiness import Finding
    from rotator.settings import Settings


def command(arguments: Namespace) -> int:
    """Print what is found; 1 when a service or a policy is not ready."""
    if arguments.json and not arguments.online:
        raise ConfigError(["--json goes with --online; mistakes in a configuration are lines"])
    settings = settings_of(arguments)
    if not arguments.online:
        _tell_settings(settings)
        return 0
    from rotator.commands.preflight import preflight  # noqa: PLC0415 - only this needs services

    if not arguments.json:
        _tell_settings(settings)
        sys.stdout.flush()
    found = asyncio.run(preflight(settings))
    if arguments.json:
        _print_json(settings, found)
    else:
        _draw(settings, found)
    return int(not found.ready)


def _tell_settings(settings: Settings) -> None:
    for warning in settings.warnings:
        sys.stdout.write(f"warning: {warning}\n")
    count = words.count(len(settings.policies), "policy", "policies")
    sys.stdout.write(f"ok: the configuration, with {count}\n")


def _print_json(settings: Settings, found: Preflight) -> None:
    from rotator.commands.screen import print_json  # noqa: PLC0415

    print_json(
        ready=found.ready,
        warnings=settings.warnings,
        services=[_plain(part) for part in found.services],
        policies=[_plain(part) for part in found.policies],
    )


def _plain(part: Part) -> dict[str, object]:
    return {
        "name": part.name,
        "ready": part.ready,
        "looked": part.looked,
        "problems": [_entry(one) for one in part.findings if not one.note],
        "notes": [_entry(one) for one in part.findings if one.note],
    }


def _entry(finding: Finding) -> dict[str, str]:
    texts = {"code": finding.code, "text": finding.text, "remedy": finding.remedy}
    return texts | ({"rule": finding.rule} if finding.rule else {})


def _draw(settings: Settings, found: Preflight) -> None:
    from rotator.commands.screen import Screen  # noqa: PLC0415 - only who draws pays for it

    screen = Screen()
    seen = [part for part in found.services if part.looked or part.findings]
    for part in seen:
        _draw_part(screen, part.name, part)
    for part in found.policies:
        if part.looked:
            _draw_part(screen, f"policy {part.name}", part)
    unseen = [part.name for part in found.services if part not in seen]
    unseen += [part.name for part in found.policies if not part.looked]
    if unseen:
        screen.say(f"not looked at, for that: {words.some(unseen)}", style="dim")
    _draw_rules(screen, settings, found)


def _draw_part(screen: Screen, title: str, part: Part) -> None:
    problems = [one for one in part.findings if not one.note]
    if not problems:
        screen.say(f"ok: {title}")
    for one in problems:
        screen.say(f"{title}: {one.text}", style="red", lead="FAILED:")
        # Lines for Vault policies are below, each once.
        if one.remedy and not one.rule:
            screen.say(one.remedy, indent=8)
    for one in part.findings:
        if one.note:
            screen.say(one.text, indent=4, lead="note:")
            if one.remedy:
                screen.say(one.remedy, style="dim", indent=10)


def _draw_rules(screen: Screen, settings: Settings, found: Preflight) -> None:
    parts = (*found.services, *found.policies)
    rules = dict.fromkeys(one.rule for part in parts for one in part.findings if one.rule)
    if not rules:
        return
    namespace = settings.vault.namespace if settings.vault else None
    where = f", in the namespace {namespace}" if namespace else ""
    screen.gap()
    screen.say(f"To add to the Vault policy of rotator's token{where}:")
    for rule in rules:
        # As it is: whoever copies it wants no line broken.
        sys.stdout.write(f"  {rule}\n")

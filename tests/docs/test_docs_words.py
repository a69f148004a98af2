"""Commands, settings and decisions that the documentation speaks of exist."""

import re
import shlex

import pytest
from docs_text import DOCS, ROOT, fences, pages, prose

from rotator.arguments import parser_of_all
from rotator.decide import CHECKS
from rotator.events import CATALOGUE
from rotator.settings import schema

_SECTIONS = {
    **{name: field.annotation for name, field in schema.Root.model_fields.items()},
    "rotate": schema.Rotate,
    "key": schema.KeyChoice,
    "deliver": schema.Delivery,
}
#: Three verdicts of one check.
_DRIFT = {"store_holds_another_key": "store_has_drifted"}


def commands(page):
    """What is typed after `rotator` in the examples, without what a shell makes of it."""
    lines = "\n".join(fences(page, "console")).replace("\\\n", " ").splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ rotator ")]
    return [re.split(r" [|#&<>]|$", line)[0].strip() for line in typed]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one(page):
    for command in commands(page):
        parser_of_all().parse_args(shlex.split(command)[1:])


def test_the_search_finds_commands():
    assert ["rotator check --online", "rotator plan"] == commands(ROOT / "README.md")[:2]


def _fields(annotation):
    """The fields of a section, which may be optional."""
    models = [annotation, *getattr(annotation, "__args__", ())]
    return {name for model in models for name in getattr(model, "model_fields", {})}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_is_one(page):
    named = re.findall(r"`([a-z]+)(?:\[\])?\.([a-z_]+)[^`]*`", prose(page))
    spoken = {(section, name) for section, name in named if section in _SECTIONS}
    unknown = {pair for pair in spoken if pair[1] not in _fields(_SECTIONS[pair[0]])}

    assert set() == {f"{section}.{name}" for section, name in unknown} - set(map(str, CATALOGUE))


def test_the_decisions_are_told_in_their_order():
    rows = re.findall(r"^\| `([a-z_]+)`", prose(DOCS / "how-it-works.md"), re.MULTILINE)
    told = [_DRIFT.get(name, name) for name in rows]
    names = [check.__name__ for check in CHECKS]

    assert names == [name for name in told if name in names][: len(names)]

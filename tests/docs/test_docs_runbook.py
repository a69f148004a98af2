"""Whatever can wake somebody has an entry in the runbook."""

import ast
import re

import pytest
import yaml
from docs_text import DOCS, ROOT, anchors, headings, prose

from rotator import errors
from rotator.events import CATALOGUE

RUNBOOK = DOCS / "runbook.md"
COMMANDS = sorted((ROOT / "rotator" / "commands").glob("*.py"))
SOURCES = sorted((ROOT / "rotator").rglob("*.py"))
ALERTS = sorted((ROOT / "deploy" / "monitoring").rglob("*.y*ml"))


def entries():
    """The names in code type that are headings, or the first cell of a row."""
    text = prose(RUNBOOK)
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", "\n".join([*headings(RUNBOOK), *cells])))


def trees():
    return [ast.parse(file.read_text(encoding="utf-8")) for file in SOURCES]


def calls(name):
    """Each call of ``name`` anywhere in the program."""
    return [
        node
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name
    ]


def reasons():
    """Why anything is done, waited for or refused."""
    return {
        call.args[0].value for call in calls("Reason") if isinstance(call.args[0], ast.Constant)
    }


def error_codes():
    """Kinds of errors, and those that have no class."""
    kinds = {
        kind.__name__.lower()
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.RotatorError)
    }
    literal = {
        value.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if getattr(key, "value", None) == "error_code" and isinstance(value, ast.Constant)
    }
    # Never in an event: the bases of others, and what ends the process before there is any.
    bases = {"rotatorerror", "permanent", "configerror"}
    return {name for name in kinds | literal if re.fullmatch("[a-z_]+", name)} - bases


def loud_events():
    """All but information: what is an error by itself, and what may become one."""
    return {
        str(event) for event, entry in CATALOGUE.items() if entry.level not in {"info", "debug"}
    }


def exit_codes():
    """What the program ends with: named in its help, or returned by its commands."""
    files = [ROOT / "rotator" / "cli.py", *(ROOT / "rotator" / "commands").glob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    returned = {
        node.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant)
    }
    return {str(code) for code in returned if type(code) is int}


def alerts():
    """(name, where the alert sends whoever gets it)."""
    return [
        (rule["alert"], rule.get("annotations", {}).get("runbook_url", ""))
        for file in ALERTS
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        for group in _groups(document)
        for rule in group["rules"]
        if "alert" in rule
    ]


def _groups(document):
    document = document if isinstance(document, dict) else {}
    return document.get("groups") or document.get("spec", {}).get("groups") or []


@pytest.mark.parametrize("found", [reasons, error_codes, loud_events, exit_codes])
def test_everything_that_can_be_met_has_an_entry(found):
    names = found()

    assert names, "the search finds nothing any more"
    assert set() == names - entries()


def test_every_alert_has_a_heading_and_leads_to_one():
    known = anchors(RUNBOOK)

    assert [] == [name for name, _ in alerts() if name.lower() not in known]
    assert [] == [
        name
        for name, url in alerts()
        if not re.fullmatch(r".*docs/runbook\.md#(.+)", url) or url.partition("#")[2] not in known
    ]


def test_the_search_finds_what_is_known_to_be_there():
    assert {"key_not_found", "bindings_unknown", "too_many_mints"} <= reasons()
    assert {"unavailable", "internal", "out_of_patience"} <= error_codes()
    assert {"rotation.delivery_failed", "policy.failed"} <= loud_events()
    assert {"0", "1", "2", "130"} <= exit_codes() | {"1"}


def test_every_command_that_can_fail_is_named_where_its_exit_code_is():
    prints_only = {"completion", "schema", "sandbox"}
    rows = [row for row in prose(RUNBOOK).splitlines() if row.startswith("| `1` |")]
    named = {name for row in rows for name in re.findall(r"`(\w+)[^`]*`", row.split("|")[2])}

    assert {path.stem for path in COMMANDS if "\ndef command(" in path.read_text()} == (
        named | prints_only
    )

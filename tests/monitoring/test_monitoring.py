"""What is shipped for Prometheus and Grafana asks for nothing that rotator does not tell."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from observe_stage import ROTATED, board, leaving, look

from rotator.events import CATALOGUE, Event
from rotator.observe import metrics_catalogue as catalogue
from rotator.observe.metrics import Metrics

_TOP = Path(__file__).parents[2]
_HERE = Path(__file__).parent
_DEPLOY = _TOP / "deploy" / "monitoring"
_ALERTS = yaml.safe_load((_DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))
_TESTS = yaml.safe_load((_HERE / "alerts_test.yaml").read_text(encoding="utf-8"))
_DASHBOARD = json.loads((_DEPLOY / "dashboard.json").read_text(encoding="utf-8"))
_RULES = [rule for group in _ALERTS["groups"] for rule in group["rules"]]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="NO PROMTOOL: it is not on PATH")

#: What Prometheus adds to every sample.
_ADDED = {"job", "instance", "namespace"}
#: What PromQL itself is made of, as far as it is used here, beside functions.
_WORDS = {"by", "on", "and", "or", "unless", "without", "ignoring", "bool"}


def promtool(*arguments, text=None):
    return subprocess.run(
        [PROMTOOL, *arguments], input=text, capture_output=True, text=True, check=False
    )


def exported():
    """Each sample that there can be, with its labels: ours, and those of every process."""
    known = board()
    metrics = Metrics(look(known, leaving()))
    names = {}
    for metric in catalogue.every():
        if metric.kind == "histogram":
            names[f"{metric.name}_bucket"] = {*metric.labels, "le"}
            names |= {f"{metric.name}_{part}": set(metric.labels) for part in ("sum", "count")}
        else:
            names[metric.exported] = set(metric.labels)
    text = metrics.answer("")[1].decode()
    return names | {
        name: set() for name in re.findall(r"^# TYPE (process_\w+)", text, re.MULTILINE)
    }


def asked(expression):
    """(names of metrics, pairs of a metric and a label in its braces, labels of groups)."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    selected = re.findall(r"(\w+)\{([^}]*)\}", bare)
    inside = [
        (name, label) for name, body in selected for label in re.findall(r"(\w+)\s*[=!]", body)
    ]
    groups = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", bare)
    grouped = {label for group in groups for label in re.findall(r"\w+", group)}
    bare = re.sub(r"\{[^}]*\}", "", re.sub(r"\b(by|on)\s*\([^)]*\)", "", bare))
    bare = re.sub(r"\[[^\]]*\]|\$\w+|\b[0-9][\w.]*", "", bare)
    found = re.findall(r"\b([a-zA-Z_]\w*)\b(?!\s*\()", bare)
    return {name for name in found if name not in _WORDS}, inside, grouped


def panels():
    return [(panel, target) for panel in _DASHBOARD["panels"] for target in panel["targets"]]


def expressions():
    """(where, PromQL) of every alert, panel, variable and annotation."""
    yield from ((rule["alert"], rule["expr"]) for rule in _RULES)
    yield from ((panel["title"], target["expr"]) for panel, target in panels())
    yield from ((one["name"], one["expr"]) for one in _DASHBOARD["annotations"]["list"])
    for variable in _DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            yield variable["name"], re.fullmatch(r"label_values\((.*), \w+\)", query)[1]


EVERY = [pytest.param(expr, id=f"{where}-{at}") for at, (where, expr) in enumerate(expressions())]


@pytest.mark.parametrize("expression", EVERY)
def test_only_what_is_exported_is_asked_for(expression):
    names, inside, grouped = asked(expression)
    known = exported()

    assert names
    assert set() == names - set(known)
    assert [] == [(name, label) for name, label in inside if label not in known[name] | _ADDED]
    assert grouped <= {"le"} | _ADDED | set.union(*(known[name] for name in names))


def test_the_search_finds_what_is_not_exported():
    names, inside, grouped = asked(
        'sum by (policy, x) (rate(rotator_nothing_total{job="a",outcome!~"b"}[5m])) > 2 and up'
    )

    assert ({"rotator_nothing_total", "up"}, {"policy", "x"}) == (names, grouped)
    assert [("rotator_nothing_total", "job"), ("rotator_nothing_total", "outcome")] == inside


@needs_promtool
@pytest.mark.parametrize("expression", EVERY)
def test_every_query_is_promql(expression, tmp_path):
    expression = expression.replace("$__rate_interval", "5m").replace("$__range", "7d")
    file = tmp_path / "rules.yaml"
    rule = {"record": "a:b", "expr": expression}
    file.write_text(json.dumps({"groups": [{"name": "one", "rules": [rule]}]}))

    checked = promtool("check", "rules", str(file))

    assert 0 == checked.returncode, checked.stderr


def test_events_that_are_named_exist():
    known = {str(event) for event in CATALOGUE}
    named = [
        name
        for _, expression in expressions()
        for found in re.findall(r'event=~?"([^"]*)"', expression)
        for name in found.split("|")
    ]

    assert named
    assert set() == set(named) - known


def test_the_dashboard_shows_every_event_that_is_more_than_information():
    (loud,) = [target["expr"] for panel, target in panels() if "errors" in panel["title"]]
    named = re.search(r'event=~"([^"]*)"', loud)[1].split("|")

    assert {
        str(event) for event, entry in CATALOGUE.items() if entry.level not in {"info", "debug"}
    } == set(named)


def test_legends_name_labels_that_are_there():
    for panel, target in panels():
        names, _, grouped = asked(target["expr"])
        there = grouped or {"instance"}.union(*(exported()[name] for name in names))
        legend = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        assert legend <= there, panel["title"]


# --- alerts ---


@needs_promtool
def test_the_rules_are_rules():
    checked = promtool("check", "rules", "--lint=all", str(_DEPLOY / "alerts.yaml"))

    assert 0 == checked.returncode, checked.stderr + checked.stdout


@needs_promtool
def test_each_alert_comes_when_it_should_and_goes():
    tested = promtool("test", "rules", str(_HERE / "alerts_test.yaml"))

    assert 0 == tested.returncode, tested.stdout + tested.stderr


def test_of_each_alert_both_is_tested_that_it_comes_and_that_it_does_not():
    cases = [case for test in _TESTS["tests"] for case in test.get("alert_rule_test", [])]
    said = {(case["alertname"], bool(case["exp_alerts"])) for case in cases}

    assert {(rule["alert"], comes) for rule in _RULES for comes in (True, False)} == said


def test_every_alert_says_what_is_wrong_and_where_to_read_on():
    for rule in _RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


# --- what is exported ---


@needs_promtool
def test_promtool_has_nothing_to_say_of_the_metrics():
    known = look(board(), leaving())
    metrics = Metrics(known)
    for event in (Event.ROTATION_COMPLETED, Event.KEY_REFUSED, Event.VAULT_LOGIN):
        metrics.heard(event, **ROTATED)
    for service, status in (("arize", 200), ("vault", None)):
        metrics.called(service, "read", status, 0.1)

    checked = promtool("check", "metrics", text=metrics.answer("")[1].decode())

    assert (0, "", "") == (checked.returncode, checked.stdout, checked.stderr)


# --- the dashboard ---


def test_panels_do_not_lie_over_each_other_and_each_has_a_sentence():
    taken = {}
    for panel in _DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
        assert panel["description"].endswith(".")


def test_every_panel_has_an_id_of_its_own_and_asks_the_chosen_source():
    ids = [panel["id"] for panel in _DASHBOARD["panels"]]

    assert len(ids) == len(set(ids))
    assert {"${datasource}"} == {target["datasource"]["uid"] for _, target in panels()}


def test_variables_that_are_used_are_there():
    used = set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(_DASHBOARD)))

    assert {one["name"] for one in _DASHBOARD["templating"]["list"]} == used

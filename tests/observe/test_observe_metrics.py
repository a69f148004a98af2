"""What is exported, and what is not."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from observe_stage import FAILED, ROTATED, SOON, board, drifted, leaving, look, well
from pure_builders import DAY, HOUR, NOW, endless, in_flight, key, lease, policy, snapshot

from rotator.events import Event
from rotator.observe import metrics_catalogue as catalogue
from rotator.observe.metrics import Metrics
from rotator.observe.metrics_document import document

_FILE = Path(__file__).parents[2] / "docs" / "metrics.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def samples(board, metrics=None):
    """Of our own: name with labels to value."""
    _, body = (metrics or Metrics(board)).answer("")
    lines = [line for line in body.decode().splitlines() if line.startswith("rotator_")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def of_policy(board):
    """Of the one policy, without the prefix."""
    pattern = re.compile(r'rotator_(\w+)\{policy="ci-key"\}')
    return {
        found[1]: value
        for name, value in samples(board).items()
        if (found := pattern.fullmatch(name))
    }


# --- a policy ---


def test_a_policy_that_is_well():
    assert {
        "policy_checked_timestamp_seconds": NOW.timestamp(),
        "key_created_timestamp_seconds": (NOW - 10 * DAY).timestamp(),
        "key_expiry_timestamp_seconds": (NOW + 80 * DAY).timestamp(),
        "next_rotation_timestamp_seconds": (NOW + 66 * DAY).timestamp(),
        "rotation_in_flight": 0,
        "undelivered_keys": 0,
        "old_keys": 0,
        "retire_failures": 0,
        "drift": 0,
        "last_rotation_timestamp_seconds": (NOW - 10 * DAY).timestamp(),
        "last_rotation_failed": 0,
        "last_rotation_duration_seconds": 0,
    } == of_policy(look(board(), well()))


def test_a_policy_that_was_not_looked_at_has_next_to_nothing():
    assert {"undelivered_keys": 0} == of_policy(board())


def test_a_key_without_expiry_has_none():
    found = of_policy(look(board(), snapshot(endless(), policy=policy(max_age=30 * DAY))))

    assert "key_expiry_timestamp_seconds" not in found
    assert (NOW + 20 * DAY).timestamp() == found["next_rotation_timestamp_seconds"]


def test_a_policy_that_fails_says_since_when():
    known = board()
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED)

    assert NOW.timestamp() == of_policy(known)["policy_failing_since_timestamp_seconds"]


def test_an_undelivered_key_counts_with_the_deadline_of_the_old_one():
    known = look(board(), leaving())
    known.heard(Event.DELIVERY_FAILED, policy="ci-key", grace_deadline=SOON, **FAILED)
    found = of_policy(known)

    assert (1, SOON.timestamp()) == (
        found["undelivered_keys"],
        found["grace_deadline_timestamp_seconds"],
    )


def test_an_undelivered_key_that_nothing_presses_has_no_deadline():
    known = look(board(), leaving())
    known.heard(Event.DELIVERY_FAILED, policy="ci-key", grace_deadline=None, **FAILED)

    assert "grace_deadline_timestamp_seconds" not in of_policy(known)


def test_an_old_key_counts_until_its_grace_is_over():
    found = of_policy(look(board(), leaving()))

    assert (1, 0, (NOW + HOUR).timestamp()) == (
        found["old_keys"],
        found["retire_failures"],
        found["grace_deadline_timestamp_seconds"],
    )


def test_an_old_key_that_cannot_be_revoked_has_failures_and_no_deadline():
    found = of_policy(look(board(), leaving(failures=3)))

    assert 3 == found["retire_failures"]
    assert "grace_deadline_timestamp_seconds" not in found


def test_drift_is_seen():
    assert 1 == of_policy(look(board(), drifted()))["drift"]


def test_a_rotation_in_flight_is_seen_and_who_holds_the_lease():
    journal = in_flight().model_copy(update={"lease": lease("pod-7")})
    known = look(board(), snapshot(key(), journal=journal))

    name = 'rotator_lease_expiry_timestamp_seconds{owner="pod-7",policy="ci-key"}'
    assert 1 == of_policy(known)["rotation_in_flight"]
    assert journal.lease.until.timestamp() == samples(known)[name]
    known.clocks.at = journal.lease.until
    assert name not in samples(known)


def test_a_policy_that_needs_a_person_has_no_next_rotation():
    assert "next_rotation_timestamp_seconds" not in of_policy(look(board(), snapshot()))


def test_a_policy_that_is_gone_leaves_nothing_behind():
    known = look(board("ci-key", "other"), well())
    metrics = Metrics(known)
    for name in ("ci-key", "other"):
        metrics.heard(Event.ROTATION_COMPLETED, **ROTATED | {"policy": name})
    known.keep(["other"])
    metrics.keep(["other"])
    metrics.heard(Event.ROTATION_COMPLETED, **ROTATED)

    assert "ci-key" not in metrics.answer("")[1].decode()
    ended = 'rotator_rotations_total{outcome="completed",policy="other",strategy="reissue"}'
    assert 1 == samples(known, metrics)[ended]


# --- the process ---


def test_the_token_for_vault_has_an_end_and_a_life():
    known = board()
    assert "rotator_vault_token_ttl_seconds" not in samples(known)

    known.heard(Event.VAULT_LOGIN, ttl_seconds=3600)

    assert 3600 == samples(known)["rotator_vault_token_ttl_seconds"]
    assert (NOW + HOUR).timestamp() == samples(known)[
        "rotator_vault_token_expiry_timestamp_seconds"
    ]


def test_the_process_tells_its_policies_its_version_and_its_clock():
    known = board("a", "b")
    known.heard(Event.CLOCK_SKEWED, skew_seconds=2.5)
    found = samples(known)

    assert (2, 2.5) == (found["rotator_policies"], found["rotator_clock_skew_seconds"])
    assert 1 == sum(name.startswith("rotator_build_info{") for name in found)
    assert "rotator_loop_turned_timestamp_seconds" not in found


# --- what is counted ---


def test_requests_are_counted_by_what_came_of_them_and_timed():
    known = board()
    metrics = Metrics(known)
    for status in (200, 200, 503):
        metrics.called("vault", "write", status, 0.02)
    found = samples(known, metrics)

    labels = 'operation="write",outcome="{}",service="vault"'
    assert [2, 1] == [
        found[f"rotator_requests_total{{{labels.format(outcome)}}}"]
        for outcome in ("ok", "unavailable")
    ]
    timed = 'rotator_request_duration_seconds_{}{{operation="write",service="vault"}}'
    assert (3, 0.06) == (found[timed.format("count")], pytest.approx(found[timed.format("sum")]))


@pytest.mark.parametrize(
    ("event", "outcome", "timed"),
    [
        (Event.ROTATION_COMPLETED, "completed", 1),
        (Event.ROTATION_REPAIRED, "repaired", 1),
        (Event.ROTATION_FAILED, "failed", 0),
        (Event.KEY_REFUSED, "refused", 0),
        (Event.ROTATION_SUPERSEDED, "superseded", 0),
    ],
)
def test_a_rotation_is_counted_once_by_how_it_ended(event, outcome, timed):
    known = board()
    metrics = Metrics(known)
    fields = ROTATED if timed else {"policy": "ci-key", "strategy": "reissue"}
    metrics.heard(event, **fields)
    found = samples(known, metrics)

    label = f'outcome="{outcome}",policy="ci-key",strategy="reissue"'
    assert 1 == found[f"rotator_rotations_total{{{label}}}"]
    assert [timed, timed] == [
        found.get(f'rotator_{name}_seconds_count{{strategy="reissue"}}', 0)
        for name in ("rotation_duration", "danger_window")
    ]
    assert 1 == found[f'rotator_events_total{{event="{event}"}}']


def test_a_delivery_by_another_process_has_no_danger_to_tell():
    known = board()
    metrics = Metrics(known)
    metrics.heard(Event.ROTATION_COMPLETED, **ROTATED | {"danger_seconds": None, "strategy": None})
    found = samples(known, metrics)

    assert 1 == found['rotator_rotation_duration_seconds_count{strategy="unknown"}']
    assert 'rotator_danger_window_seconds_count{strategy="unknown"}' not in found


# --- formats ---


def test_whoever_accepts_openmetrics_gets_it():
    content_type, body = Metrics(look(board(), well())).answer(f"{OPENMETRICS}, text/plain;q=0.5")

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", ["", "*/*", "text/html"])
def test_others_get_plain_text(accept):
    content_type, body = Metrics(board()).answer(accept)

    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"# EOF" not in body


def test_only_what_is_in_the_catalogue_is_exported_with_its_labels():
    known = look(board(), leaving())
    metrics = Metrics(known)
    metrics.heard(Event.ROTATION_COMPLETED, **ROTATED)
    metrics.called("vault", "read", 200, 0.1)
    known_labels = {metric.exported: set(metric.labels) for metric in catalogue.every()}

    for sample in samples(known, metrics):
        name, _, labels = sample.rstrip("}").partition("{")
        name = re.sub(r"_(bucket|count|sum)$", "", name)
        found = set(re.findall(r'(\w+)="', labels)) - {"le"}
        assert known_labels[name] == found


# --- the file of a pass ---


def test_the_file_holds_what_is_true_now_and_nothing_that_is_counted(tmp_path):
    known = look(board(), well())
    metrics = Metrics(known)
    metrics.heard(Event.ROTATION_COMPLETED, **ROTATED)
    file = tmp_path / "rotator.prom"
    metrics.write(file)

    text = file.read_text()
    assert 'rotator_key_expiry_timestamp_seconds{policy="ci-key"}' in text
    assert "rotator_build_info{" in text
    assert set() == {line for line in text.splitlines() if "_total" in line or "_bucket" in line}


def test_the_file_is_for_all_to_read_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "rotator.prom"
    file.write_text("before")
    Metrics(board()).write(file)

    assert 0o644 == stat.S_IMODE(file.stat().st_mode)
    assert [file] == list(tmp_path.iterdir())


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path):
    file = tmp_path / "rotator.prom"
    file.mkdir()

    with pytest.raises(OSError, match="directory"):
        Metrics(board()).write(file)

    assert [file] == list(tmp_path.iterdir())


# --- the document ---


def test_the_document_in_the_repository_is_what_the_catalogue_writes():
    assert document() == _FILE.read_text(encoding="utf-8"), (
        "run: python -m rotator.observe.metrics_document > docs/metrics.md"
    )


def test_the_document_is_printed_by_the_module():
    printed = subprocess.run(
        [sys.executable, "-m", "rotator.observe.metrics_document"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert (document(), "") == (printed.stdout, printed.stderr)


def test_every_metric_has_one_row_and_a_sentence():
    rows = re.findall(r"^\| `(rotator_\w+)` \|.*\. \|$", document(), flags=re.MULTILINE)

    assert [metric.exported for metric in catalogue.every()] == rows


def test_names_follow_openmetrics():
    for metric in catalogue.every():
        assert re.fullmatch(r"rotator_[a-z_]+", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert ("timestamp" in metric.name) <= metric.name.endswith("_timestamp_seconds")


# --- what it costs who does not want it ---


def test_nothing_of_it_is_loaded_for_a_pass_without_metrics():
    program = (
        "import sys, rotator.commands.run, rotator.commands.health;"
        "print(sorted(name for name in sys.modules"
        " if name.split('.')[0] == 'prometheus_client'"
        " or name.startswith(('rotator.observe.metrics', 'rotator.observe.board',"
        " 'rotator.observe.monitor', 'rotator.observe.web'))))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "[]\n" == printed.stdout

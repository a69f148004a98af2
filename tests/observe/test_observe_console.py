import io

import pytest

from rotator.events import Event
from rotator.observe import configure

ROTATION = {
    "policy": "ci-pipeline",
    "reason": "key_near_expiry",
    "key_id": "QXBp1002",
    "redacted_key": "ak-def...uvw",
    "expires_at": "2027-02-21T08:31:02Z",
    "rotation_id": "9f4c2a7be1d05836",
    "strategy": "refresh",
    "old_key_id": "QXBp1001",
    "old_redacted_key": "ak-abc...xyz",
}


@pytest.fixture
def shown(monkeypatch):
    """Answers the rows of one event on a terminal of ``columns``, without the time."""

    def show(event, *, columns=80, **fields):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")
        stream = io.StringIO()
        observer = configure("console", "debug", stream)
        observer(event, **fields)
        observer.close()
        return stream.getvalue()[9:].splitlines()

    return show


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        (
            Event.POLICY_PLANNED,
            {"next_at": "2026-11-30T08:31:02Z"},
            "info  policy.planned        ci-pipeline  key_near_expiry, next 2026-11-30 08:31",
        ),
        (
            Event.POLICY_PLANNED,
            {"next_at": None},
            "info  policy.planned        ci-pipeline  key_near_expiry",
        ),
        (
            Event.ROTATION_STARTED,
            {"grace_seconds": 3600},
            (
                "info  rotation.started      ci-pipeline  "
                "refresh of ak-def...uvw, key_near_expiry, grace 1h"
            ),
        ),
        (
            Event.KEY_MINTED,
            {"grace_seconds_left": 3599.9},
            "info  rotation.key_minted   ci-pipeline  ak-def...uvw, 59m59s of grace left",
        ),
        (
            Event.KEY_MINTED,
            {"grace_seconds_left": None},
            "info  rotation.key_minted   ci-pipeline  ak-def...uvw",
        ),
        (
            Event.KEY_DELIVERED,
            {"target": "apps/ci#key", "danger_seconds": 0.003118},
            "info  rotation.delivered    ci-pipeline  ak-def...uvw in apps/ci#key, 3.1 ms danger",
        ),
        (
            Event.KEY_DELIVERED,
            {"target": "apps/ci#key"},
            "info  rotation.delivered    ci-pipeline  ak-def...uvw in apps/ci#key",
        ),
        (
            Event.KEY_VERIFIED,
            {},
            "info  rotation.verified     ci-pipeline  ak-def...uvw is accepted",
        ),
        (
            Event.ROTATION_COMPLETED,
            {"danger_seconds": 1.25},
            (
                "info  rotation.completed    ci-pipeline  "
                "refresh ak-abc...xyz → ak-def...uvw  (1.2 s danger)"
            ),
        ),
        (
            Event.ROTATION_REPAIRED,
            {"danger_seconds": None},
            "warn  rotation.repaired     ci-pipeline  refresh ak-abc...xyz → ak-def...uvw",
        ),
        (
            Event.KEY_RETIRED,
            {},
            "info  rotation.retired      ci-pipeline  ak-def...uvw is revoked",
        ),
        (
            Event.DELIVERY_FAILED,
            {"attempt": 3, "target": "apps/ci#key", "grace_seconds_left": -61, "level": "critical"},
            "crit  rotation.delivery_failed ci-pipeline  try 3 at apps/ci#key, -1m1s of grace left",
        ),
    ],
)
def test_an_event_of_a_rotation_is_one_row_where_there_is_room(shown, event, fields, expected):
    assert [expected] == shown(event, columns=130, **ROTATION | fields)


def test_on_a_narrow_terminal_the_rest_is_indented_below(shown):
    rows = shown(Event.ROTATION_COMPLETED, **ROTATION, danger_seconds=0.0031)

    assert [
        "info  rotation.completed    ci-pipeline",
        "               refresh ak-abc...xyz → ak-def...uvw  (3.1 ms danger)",
    ] == rows


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_row_is_wider_than_the_terminal(shown, event, columns):
    rows = shown(event, columns=columns, **ROTATION, error="It broke. " * 20, remedy="Mend it.")

    assert [] == [row for row in rows if len(row) > columns]


def test_an_event_of_the_process_lists_its_fields(shown):
    assert ["info  daemon.started  version=0.1.0  policies=3  owner=host-1"] == shown(
        Event.DAEMON_STARTED, policies=3, version="0.1.0", owner="host-1", quite={"a": 1}, no=None
    )


def test_an_error_has_rows_of_its_own(shown):
    rows = shown(
        Event.POLICY_RETRYING,
        policy="ci-pipeline",
        error="Vault is sealed",
        error_code="unavailable",
        remedy="unseal it",
        retry_at="2026-11-23T08:31:12Z",
        attempt=2,
    )

    assert [
        "warn  policy.retrying       ci-pipeline",
        "               retry_at=2026-11-23 08:31  attempt=2",
        "               Vault is sealed. Remedy: unseal it",
    ] == rows


def test_an_unforeseen_error_shows_where_it_happened(shown):
    rows = shown(Event.CRASHED, exception=_failing())

    assert ["crit  process.crashed", "               ValueError: outer"] == rows[:2]
    assert rows[2].startswith("                 observe/test_observe_console.py:")
    assert rows[2].endswith(":_failing")
    assert "               KeyError: inner" == rows[3]


def test_what_libraries_say_follows_the_name_of_the_logger(shown):
    assert ["debug library.log  httpcore: connected"] == shown(
        Event.LIBRARY, logger="httpcore", message="connected"
    )


def test_the_words_of_others_cannot_move_the_cursor_or_end_the_line(shown):
    (row,) = shown(Event.LIBRARY, logger="x", message="a\x1b[2Jb\nc\td\u202ee")

    assert r"debug library.log  x: a\x1b[2Jb c d\u202ee" == row


def test_a_rotation_of_which_little_is_known_is_shown(shown):
    assert ["info  rotation.completed    ci  rotation ? → an unknown key"] == shown(
        Event.ROTATION_COMPLETED, policy="ci"
    )


def test_a_name_too_long_for_the_row_has_one_of_its_own(shown):
    name = "platform." + "a-very-long-name-" * 3 + "of-a-key"

    assert [
        "info  rotation.started",
        f"               {name}",
        "               refresh of ak-def...uvw, key_near_expiry, grace 1h",
    ] == shown(Event.ROTATION_STARTED, **ROTATION | {"policy": name, "grace_seconds": 3600})


def test_the_level_has_its_colour_and_the_time_is_dim(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    observer = configure("console", "debug", stream)
    observer(Event.RETIRE_FAILED, policy="ci", error="no")
    observer.close()

    first, second = stream.getvalue().splitlines()
    assert "\x1b[0m\x1b[31merror\x1b[0m \x1b[1mrotation.retire_failed\x1b[0m ci" in first
    assert "\x1b[2m               no\x1b[0m" == second


def _failing() -> BaseException:
    try:
        try:
            {}["inner"]
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        (
            Event.CONFIG_RELOADED,
            {"policies": 3, "added": ("a", "b"), "removed": (), "changed": ("c",)},
            "info  config.reloaded  3 policies; added a, b; changed c",
        ),
        (
            Event.CONFIG_RELOADED,
            {"policies": 3, "added": (), "removed": (), "changed": ()},
            "info  config.reloaded  3 policies",
        ),
        (
            Event.CONFIG_RESTART_NEEDED,
            {"sections": ["run", "log"], "policies_taken": True},
            "warn  config.restart_needed  run, log changed; the policies are taken all the same",
        ),
        (
            Event.CONFIG_RESTART_NEEDED,
            {"sections": ["vault"], "policies_taken": False},
            "warn  config.restart_needed  vault changed; the policies wait for it as well",
        ),
        (
            Event.CONFIG_REFUSED,
            {"problem": "rotator.yaml:3: arize: is missing; add it"},
            "error config.refused  rotator.yaml:3: arize: is missing; add it",
        ),
    ],
)
def test_a_configuration_that_is_read_again_says_what_that_changes(shown, event, fields, expected):
    assert [expected] == shown(event, columns=140, **fields)

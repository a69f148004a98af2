"""Windows and a rate of requests, as the real program keeps to them."""

from datetime import timedelta

import pytest
from e2e_stage import staged


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        key = stage.arize.seed_user_key("ci", created_at=stage.now - timedelta(days=40))
        stage.add_policy("ci", key, max_age="30d")
        stage.put("ci", api_key=key[1])
        yield stage


def test_a_pass_leaves_to_another_what_waits_for_its_window(stage):
    later = stage.now + timedelta(hours=2)
    stage.policies[0]["windows"] = {"cron": f"{later:%M %H} * * *", "duration": "1h"}
    run = stage.run("--once")

    (planned,) = run.named("policy.planned")
    assert (0, "window_is_closed") == (run.code, planned["reason"])
    assert f"{later:%Y-%m-%dT%H:%M:00Z}" == planned["next_at"]
    assert stage.raws["ci"] == stage.held("ci")


def test_a_person_does_not_wait_for_a_window(stage):
    later = stage.now + timedelta(hours=2)
    stage.policies[0]["windows"] = {"cron": f"{later:%M %H} * * *", "duration": "1h"}

    assert 1 == len(stage.run("--rotate", "ci").named("rotation.completed"))


def test_a_rotation_waits_for_its_turn_before_it_begins_and_not_after(stage):
    stage.sections["arize"] = {
        "base_url": stage.urls["arize"],
        "api_key": {"env": "ARIZE_API_KEY"},
        "timeout": "500ms",
        "rate_limit": {"per_second": 1, "burst": 1},
    }
    run = stage.run("--once")

    (login,), (started,) = run.named("vault.login"), run.named("rotation.started")
    (done,) = run.named("rotation.completed")
    assert 0 == run.code
    assert _seconds(login, started) > 1
    assert _seconds(started, done) < 1


def _seconds(sooner, later):
    moments = (float(event["timestamp"][17:23]) for event in (sooner, later))
    first, second = moments
    return (second - first) % 60

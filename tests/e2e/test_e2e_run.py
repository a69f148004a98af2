"""The program as it is started by people, by cron and by Kubernetes."""

import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)


@pytest.fixture
def stage(request, tmp_path):
    with staged(tmp_path, refresh_keeps_id=getattr(request, "param", False)) as stage:
        yield stage


new_or_same_id = pytest.mark.parametrize(
    "stage", [False, True], ids=["new id", "same id"], indirect=True
)


def unbounded(stage, name="ci", **rotate):
    key = stage.arize.seed_user_key(name, created_at=stage.now - 40 * DAY)
    stage.add_policy(name, key, max_age="30d", **rotate)
    stage.put(name, api_key=key[1], owner="platform")


def near_expiry(stage, name="reports", **rotate):
    key = stage.arize.seed_user_key(
        name, created_at=stage.now - 88 * DAY, expires_at=stage.now + 2 * DAY
    )
    stage.add_policy(name, key, before_expiry="7d", **rotate)
    stage.put(name, api_key=key[1], owner="platform")


@new_or_same_id
def test_a_pass_rotates_what_is_due_and_keeps_what_belongs_to_others(stage):
    unbounded(stage, grace_period="1h")
    near_expiry(stage, grace_period="1h")

    run = stage.run("--once")

    assert (0, "") == (run.code, run.err)
    assert {"ci": "refresh", "reports": "reissue"} == {
        event["policy"]: event["strategy"] for event in run.named("rotation.completed")
    }
    for name in ("ci", "reports"):
        assert stage.held(name) != stage.raws[name]
        assert stage.arize.accepts(stage.held(name))
        assert stage.arize.accepts(stage.raws[name]), "the old key works through its grace"
        fields = stage.ask_vault("GET", f"data/apps/{name}")["data"]["data"]
        assert "platform" == fields["owner"]


def test_two_fields_of_one_secret_without_check_and_set_both_get_the_key(stage):
    stage.vault.ask("POST", "sys/mounts/kv", {"type": "kv"})
    names = [f"both-{number}" for number in range(20)]
    for name in names:
        unbounded(stage, name, grace_period="1h")
        place = {"path": name, "mount": "kv"}
        stage.policies[-1]["deliver"] = [{**place, "field": field} for field in ("one", "two")]
        stage.vault.ask("POST", f"kv/{name}", dict.fromkeys(("one", "two"), stage.raws[name]))

    run = stage.run("--once")

    assert 20 == len(run.named("rotation.completed"))
    for name in names:
        held = stage.vault.ask("GET", f"kv/{name}")["data"]
        assert held["one"] == held["two"] != stage.raws[name]


def test_a_bounded_key_really_gets_a_longer_life(stage):
    near_expiry(stage)

    stage.run("--once")

    (new,) = [key for key in stage.arize.keys if key.raw == stage.held("reports")]
    assert new.expires_at - stage.now > 89 * DAY


@new_or_same_id
def test_a_second_pass_finds_nothing_due(stage):
    unbounded(stage)
    stage.run("--once")
    held = stage.held("ci")

    run = stage.run("--once")

    assert 0 == run.code
    assert held == stage.held("ci")
    assert [] == run.named("rotation.started")


def test_whoever_comes_after_the_grace_retires_the_old_key(stage):
    near_expiry(stage)
    stage.run("--once")
    time.sleep(2.1)  # The grace is the provider's, in real time.

    run = stage.run("--once")

    assert ["reports"] == [event["policy"] for event in run.named("rotation.retired")]
    assert [stage.held("reports")] == stage.live("reports")


def test_a_rotation_by_hand_does_not_wait_until_it_is_due(stage):
    key = stage.arize.seed_user_key("fresh")
    stage.add_policy("fresh", key, max_age="30d")

    run = stage.run("--rotate", "fresh")

    assert 0 == run.code
    assert ["rotation_was_demanded"] == [
        event["reason"] for event in run.named("rotation.completed")
    ]
    assert stage.arize.accepts(stage.held("fresh"))


def test_a_pass_gives_up_on_a_sealed_vault_without_having_minted(stage):
    unbounded(stage)
    minted = len(stage.arize.keys)
    stage.vault.ask("PUT", "sys/seal")

    run = stage.run("--once", "--patience", "1s")

    assert 1 == run.code
    assert "out_of_patience" == run.named("policy.failed")[0]["error_code"]
    assert minted == len(stage.arize.keys)


def test_a_policy_that_fails_does_not_stop_another(stage):
    unbounded(stage)
    stage.add_policy("gone", ("QXBpS2V5OjQwNA==", ""), max_age="30d")

    run = stage.run("--once")

    assert 1 == run.code
    assert ["ci"] == [event["policy"] for event in run.named("rotation.completed")]
    assert ["key_not_found"] == [event["error_code"] for event in run.named("policy.failed")]


def test_another_process_at_it_is_no_failure(stage):
    unbounded(stage)
    until = (stage.now + DAY).isoformat()
    lease = {"owner": "somebody", "taken_at": stage.now.isoformat(), "until": until}
    body = {"data": {"version": 1, "lease": lease}}
    stage.ask_vault("POST", "data/rotator/ci", body)

    run = stage.run("--once")

    assert 0 == run.code
    assert ["somebody"] == [event["owner"] for event in run.named("policy.skipped_locked")]
    assert stage.raws["ci"] == stage.held("ci")


@new_or_same_id
def test_the_daemon_rotates_retires_and_stops_at_sigterm(stage):
    unbounded(stage)
    near_expiry(stage)
    process = stage.start("run", "--config", str(stage.config))

    for name in ("ci", "reports"):
        wait_until(lambda name=name: stage.held(name) != stage.raws[name])
        wait_until(lambda name=name: [stage.held(name)] == stage.live(name))

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)

    assert (0, "") == (process.returncode, err)
    assert '"daemon.stopped"' in out.splitlines()[-1]


#: Sends itself SIGHUP all the time, from when it loads what a run is made of until it can tell.
HAILED = """
import os, signal, sys, threading, time
def hail():
    while "rotator.commands.run" not in sys.modules:
        time.sleep(0.001)
    while "rotator.daemon" not in sys.modules:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.001)
threading.Thread(target=hail, daemon=True).start()
from rotator.cli import main
sys.exit(main())
"""
#: As ``nohup`` starts it.
DEAF = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from rotator.cli import main
sys.exit(main())
"""


def test_a_daemon_that_is_told_to_reload_while_it_starts_starts(stage):
    unbounded(stage)
    process = stage.start("run", "--config", str(stage.config), program=("-c", HAILED))

    told = iter(process.stdout.readline, "")
    assert any('"rotation.completed"' in line for line in told)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)

    assert (0, "") == (process.returncode, err)


def holding(stage, **how):
    """A pass with a new key that Vault does not take as long as the trap is set."""
    unbounded(stage, grace_period="1h")
    stage.trap.set("POST .*/apps/ci", after=False, kill=False, times=10**6)
    process = stage.start("run", "--config", str(stage.config), "--once", **how)
    wait_until(lambda: stage.trap.asked.count("POST /v1/secret/data/apps/ci") > 1)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_pass_that_is_to_end_delivers_what_it_holds_first(stage, number):
    process = holding(stage)
    process.send_signal(number)
    told = iter(process.stdout.readline, "")
    assert any(f'"signal": "{number.name}"' in line for line in told)
    stage.trap.disarm()
    _, err = process.communicate(timeout=30)

    assert (1, "") == (process.returncode, err)
    assert [stage.raws["ci"], stage.held("ci")] == stage.live("ci")


def test_a_pass_that_nobody_is_to_hang_up_on_goes_on(stage):
    process = holding(stage, program=("-c", DEAF))
    process.send_signal(signal.SIGHUP)
    stage.trap.disarm()
    out, err = process.communicate(timeout=30)

    assert (0, "") == (process.returncode, err)
    assert '"daemon.stopping"' not in out
    assert [stage.raws["ci"], stage.held("ci")] == stage.live("ci")


def test_the_management_key_may_be_one_of_the_keys(stage):
    key = (stage.arize.management_key_id, stage.arize.management_key)
    stage.add_policy("management", key, max_age="1ms", strategy="reissue")
    stage.put("management", api_key=key[1])
    source = {"vault": {"path": "apps/management", "field": "api_key"}}
    base_url, timeout = stage.urls["arize"], stage.timeout
    stage.sections["arize"] = {"base_url": base_url, "api_key": source, "timeout": timeout}
    process = stage.start("run", "--config", str(stage.config))
    try:
        wait_until(lambda: stage.held("management") != key[1])
        wait_until(lambda: [stage.held("management")] == stage.live("management"))
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
    assert "management_key.changed" in out
    assert '"level": "error"' not in out


def test_the_management_key_is_not_revoked_while_its_variable_still_has_it(stage):
    key = (stage.arize.management_key_id, stage.arize.management_key)
    stage.add_policy("management", key, max_age="1ms", strategy="reissue")
    process = stage.start("run", "--config", str(stage.config))
    try:
        wait_until(lambda: stage.held("management") is not None)
        told = iter(process.stdout.readline, "")
        assert any('"rotation.retire_failed"' in line for line in told), "the grace is over"
        assert [key[1], stage.held("management")] == stage.live("management")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    run = stage.run("--once")
    assert run.named("pass.completed"), "the next start works with it"
    stage.variables["ARIZE_API_KEY"] = stage.held("management")
    assert 0 == stage.run("--once").code


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_key_and_no_credential_is_ever_shown(stage, level):
    unbounded(stage)
    near_expiry(stage)

    run = stage.run("--once", "--log-level", level)

    assert 0 == run.code
    secrets = [key.raw for key in stage.arize.keys]
    assert [] == [raw for raw in secrets if raw[3:15] in run.out + run.err]


def wait_until(condition, seconds=15):
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def test_closed_standard_streams_keep_nobody_from_rotating(stage):
    near_expiry(stage)
    before = stage.live("reports")
    shell = 'exec "$0" -m rotator run --once --config "$1" >&- 2>&-'

    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, stage.config],
        env=stage.environ,
        cwd=stage.folder,
        check=False,
    )

    assert 0 == done.returncode
    assert before != stage.live("reports")

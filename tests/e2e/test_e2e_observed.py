"""The program, looked on by a browser, by Prometheus and by a container's health check."""

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from datetime import timedelta

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)
PROMTOOL = shutil.which("promtool")
PATHS = ("/livez", "/readyz", "/metrics", "/")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        key = stage.arize.seed_user_key("ci", created_at=stage.now - 40 * DAY)
        stage.add_policy("ci", key, max_age="30d", grace_period="1h")
        stage.put("ci", api_key=key[1])
        stage.sections["http"] = {"listen": f"127.0.0.1:{free_port()}"}
        yield stage


@pytest.fixture
def daemon(stage):
    process = stage.start("run", "--config", str(stage.config))
    try:
        wait_until(lambda: stage.held("ci") != stage.raws["ci"])
        wait_until(lambda: is_well(stage))
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def is_well(stage):
    status, told = ask(stage, "/readyz")
    return status == 200 and json.loads(told)["policies"]["ci"]["state"] == "well"


def ask(stage, path, **headers):
    address, _, port = stage.sections["http"]["listen"].rpartition(":")
    connection = http.client.HTTPConnection(address, int(port), timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return None, ""
    finally:
        connection.close()


def health(stage):
    return stage.rotator("health", "--config", str(stage.folder / "rotator.yaml"))


def wait_until(condition, seconds=20):
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.mark.usefixtures("daemon")
def test_all_pages_are_there_and_tell_of_the_rotation(stage):
    pages = {path: ask(stage, path) for path in PATHS}

    assert {200} == {status for status, _ in pages.values()}
    assert json.loads(pages["/livez"][1])["alive"] is True
    assert "well" == json.loads(pages["/readyz"][1])["policies"]["ci"]["state"]
    ended = 'rotator_rotations_total{outcome="completed",policy="ci",strategy="refresh"} 1.0'
    assert ended in pages["/metrics"][1]
    assert "refresh" in pages["/"][1]


@pytest.mark.skipif(PROMTOOL is None, reason="NO PROMTOOL: it is not on PATH")
@pytest.mark.usefixtures("daemon")
def test_promtool_has_nothing_to_say_of_what_is_served_or_written(stage):
    file = stage.folder / "rotator.prom"
    stage.run("--once", "--metrics-file", str(file))

    for text in (ask(stage, "/metrics")[1], file.read_text()):
        told = subprocess.run(
            [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (0, "", "") == (told.returncode, told.stdout, told.stderr)


@pytest.mark.usefixtures("daemon")
def test_no_page_shows_a_secret(stage):
    secrets = [key.raw for key in stage.arize.keys] + [stage.arize.management_key]
    for path in PATHS:
        _, text = ask(stage, path)
        assert [] == [raw for raw in secrets if raw[3:15] in text]


@pytest.mark.usefixtures("daemon")
def test_a_sealed_vault_makes_it_not_ready_and_no_less_alive(stage):
    stage.vault.sealed = True
    # The store is asked on its own account as well, and may be the first to tell.
    wait_until(lambda: "ci: " in ask(stage, "/readyz")[1])

    code, answer = ask(stage, "/readyz")
    reasons = json.loads(answer)["reasons"]
    assert 503 == code
    assert ["vault: answers that it cannot do its work now", "ci: Vault is sealed"] == reasons
    assert 200 == ask(stage, "/livez")[0]
    failing = "rotator_policy_failing_since_timestamp_seconds{"
    assert failing in ask(stage, "/metrics")[1]

    stage.vault.sealed = False
    wait_until(lambda: ask(stage, "/readyz")[0] == 200)
    assert failing not in ask(stage, "/metrics")[1]


def test_whoever_asks_for_health_gets_its_exit_code(stage, daemon):
    assert (0, "alive\n", "") == unpacked(health(stage))

    daemon.send_signal(signal.SIGSTOP)
    frozen = health(stage)
    daemon.send_signal(signal.SIGCONT)

    url = f"http://{stage.sections['http']['listen']}/livez"
    assert (1, "", f"{url}: no answer in time\n") == unpacked(frozen)
    wait_until(lambda: health(stage).code == 0)


def unpacked(run):
    return run.code, run.out, run.err


def test_health_without_a_daemon_or_without_a_page_is_bad(stage):
    url = f"http://{stage.sections['http']['listen']}/livez"
    assert stage.config
    assert (1, "", f"{url}: Connection refused\n") == unpacked(health(stage))

    del stage.sections["http"]
    assert stage.config
    words = "there is no `http` section, and so nothing to ask; add `http: {}`\n"
    assert (1, "", words) == unpacked(health(stage))


def test_a_port_that_is_taken_ends_the_start_with_one_line(stage):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        stage.sections["http"] = {"listen": place}
        run = stage.run()

    words = f"http.listen: {place}: Address already in use; choose another address or port\n"
    assert (2, words) == (run.code, run.err)


def test_a_pass_serves_nothing_and_writes_its_metrics_into_a_file(stage):
    file = stage.folder / "rotator.prom"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # That the port is taken does not matter to it.
        stage.sections["http"] = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        run = stage.run("--once", "--metrics-file", str(file))

    assert (0, "") == (run.code, run.err)
    text = file.read_text()
    assert re.search(r'^rotator_next_rotation_timestamp_seconds\{policy="ci"\}', text, re.MULTILINE)
    assert "_total" not in text
    ended, well = sample(text, "run_completed_timestamp"), sample(text, "run_success_timestamp")
    assert ended == well == pytest.approx(stage.now.timestamp(), abs=60)
    assert 0 < sample(text, "run_duration") < 60


def test_a_pass_that_fails_writes_its_metrics_too(stage):
    file = stage.folder / "rotator.prom"
    stage.vault.sealed = True
    run = stage.run("--rotate", "ci", "--patience", "1s", "--metrics-file", str(file))

    assert 1 == run.code
    assert 'rotator_policy_failing_since_timestamp_seconds{policy="ci"}' in file.read_text()


def sample(text, name):
    """What the file says of the pass; None where it says nothing."""
    found = re.search(rf"^rotator_{name}_seconds (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def test_when_a_pass_ended_well_is_known_also_after_one_that_failed(stage):
    file = stage.folder / "rotator.prom"
    asked = ("--once", "--patience", "1s", "--metrics-file", str(file))
    stage.vault.sealed = True
    stage.run(*asked)
    assert sample(file.read_text(), "run_completed_timestamp") is not None
    assert sample(file.read_text(), "run_success_timestamp") is None
    stage.vault.sealed = False
    stage.run(*asked)
    well = sample(file.read_text(), "run_success_timestamp")
    stage.vault.sealed = True
    stage.run(*asked)

    text = file.read_text()
    assert well == sample(text, "run_success_timestamp")
    assert well < sample(text, "run_completed_timestamp")
    assert 'rotator_run_policies{outcome="failed"} 1.0' in text


def test_metrics_that_cannot_be_written_are_no_secret_and_no_failure_of_the_pass(stage):
    file = stage.folder / "rotator.prom"
    file.mkdir()
    run = stage.run("--once", "--metrics-file", str(file))

    (event,) = run.named("metrics.not_written")
    assert (0, f"{file}: Is a directory") == (run.code, event["error"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics-file", "x.prom"], "goes with --once or --rotate; the daemon has `http`"),
        (
            ["--once", "--metrics-file", "nowhere/x.prom"],
            "nowhere is not a directory that can be written to; create it, or name another",
        ),
        (
            ["--once", "--metrics-file", "rotator.txt"],
            "--metrics-file: node_exporter reads no file but *.prom; name it rotator.txt.prom",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_before_the_start(stage, arguments, words):
    run = stage.run(*arguments)

    assert 2 == run.code
    assert run.err.rstrip().endswith(words)

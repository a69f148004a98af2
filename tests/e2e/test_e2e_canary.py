"""No raw key can be seen of the real program, from anywhere; and who looks would see it."""

import hashlib
import json
import signal
import socket
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from canary_leaks import LEAKS
from canary_search import Search
from canary_watch import Watch, Wire, files
from e2e_stage import staged

DAY = timedelta(days=1)
LEAKING = str(Path(__file__).with_name("canary_leaks.py"))
HEAP = str(Path(__file__).with_name("canary_heap.py"))
COMMANDS = (
    ("plan",),
    ("plan", "--json"),
    ("status",),
    ("status", "--json"),
    ("history", "ci", "--json"),
    ("check", "--online"),
)
GIVEN = ("ARIZE_API_KEY", "VAULT_TOKEN")


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def stage(tmp_path, wire):
    with staged(tmp_path, around=wire.around) as stage:
        yield stage


def unbounded(stage, name="ci"):
    key = stage.arize.seed_user_key(name, created_at=stage.now - 40 * DAY)
    stage.add_policy(name, key, max_age="30d")
    stage.put(name, api_key=key[1])


def bounded(stage, name="reports"):
    times = {"created_at": stage.now - 88 * DAY, "expires_at": stage.now + 2 * DAY}
    key = stage.arize.seed_user_key(name, **times)
    stage.add_policy(name, key, before_expiry="7d")
    stage.put(name, api_key=key[1])


def watched(stage, wire, *arguments, program=("-m", "rotator"), stop=None):
    """Run the program; all that could be seen of it, by the place where it was seen."""
    process = stage.start(*arguments, program=program)
    with Watch(process.pid, GIVEN) as watch:
        if stop is not None:
            stop(process)
        out, err = process.communicate(timeout=60)
    seen = {"stdout": out, "stderr": err}
    return process.returncode, seen | watch.seen | wire.seen | files(stage.folder) | stored(stage)


def stored(stage):
    """Everything in Vault but the fields where keys belong."""
    seen = {}
    for policy in stage.policies:
        name = policy["name"]
        held = stage.ask_vault("GET", f"data/apps/{name}")["data"]["data"]
        seen[f"fields beside {name}"] = json.dumps({**held, "api_key": ""})
        journal = stage.ask_vault("GET", f"data/rotator/{name}")
        seen[f"journal of {name}"] = json.dumps(journal)
    return seen


def assert_unseen(stage, seen):
    secrets = [key.raw for key in stage.arize.keys]
    assert [] == Search(secrets).found(seen)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for_rest(stage):
    """Until all is rotated and the old keys are revoked."""
    give_up_at = time.monotonic() + 30
    while not all(at_rest(stage.journal(policy["name"])) for policy in stage.policies):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def at_rest(journal):
    return journal and journal["history"] and not journal["retiring"]


def in_memory(process):
    """Hashes of the raw keys that ``process``, which is a HEAP, has now."""
    process.stdin.write("look\n")
    process.stdin.flush()
    return set(iter(lambda: process.stderr.readline().strip(), ""))


# --- nothing to see ---


def test_a_pass_at_debug_shows_no_key(stage, wire):
    unbounded(stage)
    bounded(stage)
    stage.sections = {"spool": {"directory": str(stage.folder / "spool")}}
    metrics = str(stage.folder / "rotator.prom")

    arguments = ("run", "--once", "--log-level", "debug", "--config", str(stage.config))
    code, seen = watched(stage, wire, *arguments, "--metrics-file", metrics)

    assert 0 == code, seen["stdout"]
    assert {"own argv", "own environment", "own thread name", "request to vault"} <= set(seen)
    assert "rotator_rotation" in seen["file .prom"].decode()
    assert_unseen(stage, seen)


def test_a_daemon_at_debug_and_its_pages_show_no_key(stage, wire):
    unbounded(stage)
    bounded(stage)
    address, pages = f"127.0.0.1:{free_port()}", {}
    stage.sections = {"http": {"listen": address}}

    def stop(process):
        wait_for_rest(stage)
        for path in ("/", "/metrics", "/livez", "/readyz"):
            pages[f"page {path}"] = httpx.get(f"http://{address}{path}", trust_env=False).text
        process.terminate()

    arguments = ("run", "--log-level", "debug", "--config", str(stage.config))
    code, seen = watched(stage, wire, *arguments, stop=stop)

    assert 0 == code
    assert "ak-" in pages["page /"], "redacted keys are shown"
    assert_unseen(stage, seen | pages)


def test_no_command_shows_a_key(stage, wire):
    unbounded(stage)
    bounded(stage)
    stage.run("--once")

    for command in COMMANDS:
        code, seen = watched(stage, wire, *command, "--config", str(stage.config))

        assert 0 == code
        assert_unseen(stage, seen)


def test_an_outage_at_the_worst_moment_shows_no_key(stage, wire):
    unbounded(stage)
    stage.trap.set(r"(PUT|POST) /v1/secret/data/apps/", after=False, kill=False, times=3)

    arguments = ("run", "--once", "--log-level", "debug", "--config", str(stage.config))
    code, seen = watched(stage, wire, *arguments)

    assert 0 == code
    assert "rotation.delivery_failed" in seen["stdout"]
    assert_unseen(stage, seen)


def test_an_aborted_process_leaves_no_core(stage):
    unbounded(stage)
    process = stage.start("run", "--config", str(stage.config))
    assert "daemon.started" in process.stdout.readline()
    limits = Path("/proc", str(process.pid), "limits").read_text(encoding="utf-8")

    process.send_signal(signal.SIGABRT)
    process.communicate(timeout=30)

    assert ["Max", "core", "file", "size", "0", "0", "bytes"] in map(str.split, limits.splitlines())
    assert -signal.SIGABRT == process.returncode
    assert [] == list(stage.folder.glob("core*"))


def test_a_daemon_at_rest_has_no_key_in_its_memory(stage):
    unbounded(stage)
    bounded(stage)
    process = stage.start("run", "--config", str(stage.config), program=(HEAP,), ask=True)
    wait_for_rest(stage)

    raws = {hashlib.sha256(key.raw.encode()).hexdigest() for key in stage.arize.keys}
    own = hashlib.sha256(stage.arize.management_key.encode()).hexdigest()
    found, give_up_at = raws, time.monotonic() + 20
    while found & raws != {own} and time.monotonic() < give_up_at:
        # The last write is seen before the process that made it has let go of the key.
        found = in_memory(process)
    process.terminate()
    process.communicate(timeout=30)

    assert {own} == found & raws, "the variable that the management key came in, and no other"


# --- who looks would see it ---


def test_there_are_thirty_ways_to_leak_at_least():
    assert len(LEAKS) >= 30


def test_each_planted_leak_is_seen(stage, wire):
    for leak in LEAKS:
        unbounded(stage, leak)

    arguments = ("run", "--once", "--log-level", "debug", "--config", str(stage.config))
    _, seen = watched(stage, wire, *arguments, program=(LEAKING,))

    raws = {leak: [key.raw for key in stage.arize.keys if key.name == leak] for leak in LEAKS}
    assert all(len(both) > 1 for both in raws.values()), "all were rotated"
    assert [] == [leak for leak, both in raws.items() if not Search(both).found(seen)]

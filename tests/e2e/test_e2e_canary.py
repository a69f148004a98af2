"""No raw key can be seen of the real program, from anywhere; and who looks would see it."""

import hashlib
import json
import signal
import socket
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from canary_leaks import LEAKS, SHOWN
from canary_search import Search
from canary_watch import Watch, Wire
from e2e_stage import staged

DAY = timedelta(days=1)
LEAKING = str(Path(__file__).with_name("canary_leaks.py"))
HEAP = str(Path(__file__).with_name("canary_heap.py"))
PAGES = ("/", "/metrics", "/livez", "/readyz")
HISTORY = "a_piece_in_the_history"
WRITES = r"(PUT|POST) /v1/secret/data/apps/"
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
    process = stage.trap.process = stage.start(*arguments, program=program)
    with Watch(process.pid, GIVEN, stage.folder) as watch:
        if stop is not None:
            stop(process)
        out, err = process.communicate(timeout=60)
    seen = {"stdout": out, "stderr": err}
    return process.returncode, seen | watch.seen | wire.seen | stored(stage)


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
    half = stage.ask_vault("GET", "data/rotator/_spool_private")
    if half is not None:
        # Whoever has the disk has what is sealed: what opens it must not be there either.
        secrets.append(half["data"]["data"]["key"])
    assert [] == Search(secrets).found(seen)


def with_spool(stage):
    stage.sections["spool"] = {"directory": str(stage.folder / "spool")}


def assert_spooled(seen):
    assert b"rotator spool 1" in seen["file .sealed"], "a key lay there, and was looked at"


def with_pages(stage):
    """The address of the pages that a daemon has from now on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    stage.sections["http"] = {"listen": address}
    return address


def pages_at(address):
    texts = {path: httpx.get(f"http://{address}{path}", trust_env=False).text for path in PAGES}
    return {f"page {path}": text for path, text in texts.items()}


def commands(policy="ci"):
    """All that only look."""
    for command in (["plan"], ["status"], ["history", policy]):
        yield from (command, [*command, "--json"])
    yield ["check", "--online"]


def wait_for_rest(stage):
    """Until all is rotated and the old keys are revoked."""
    names = [policy["name"] for policy in stage.policies]
    wait_until(lambda: all(at_rest(stage.journal(name)) for name in names))


def wait_until(true):
    give_up_at = time.monotonic() + 30
    while not true():
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
    with_spool(stage)
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
    address, pages = with_pages(stage), {}

    def stop(process):
        wait_for_rest(stage)
        pages.update(pages_at(address))
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

    for command in commands():
        code, seen = watched(stage, wire, *command, "--config", str(stage.config))

        assert 0 == code
        assert_unseen(stage, seen)


def test_a_key_that_waits_for_its_store_is_shown_by_nothing(stage, wire):
    unbounded(stage)
    with_spool(stage)
    address, pages = with_pages(stage), {}
    stage.trap.set(WRITES, after=False, kill=False, times=5)

    def undelivered():
        with suppress(httpx.TransportError):
            pages.update(pages_at(address))
        return ">undelivered<" in pages.get("page /", "")

    def stop(process):
        wait_until(undelivered)
        wait_for_rest(stage)
        process.terminate()

    arguments = ("run", "--log-level", "debug", "--config", str(stage.config))
    code, seen = watched(stage, wire, *arguments, stop=stop)

    assert 0 == code
    assert "rotation.delivery_failed" in seen["stdout"]
    assert_spooled(seen)
    assert_unseen(stage, seen | pages)


def test_a_key_that_outlives_its_process_is_shown_by_nothing(stage, wire):
    unbounded(stage)
    with_spool(stage)
    stage.trap.set(WRITES, after=False)
    arguments = ("run", "--once", "--log-level", "debug", "--config", str(stage.config))

    code, seen = watched(stage, wire, *arguments)
    assert -signal.SIGKILL == code
    assert_spooled(seen)
    assert_unseen(stage, seen)
    for command in commands():
        _, seen = watched(stage, wire, *command, "--config", str(stage.config))
        assert_spooled(seen)
        assert_unseen(stage, seen)
    # The lease of the dead is over: seven programs have been started since.
    code, seen = watched(stage, wire, *arguments)

    assert 0 == code
    assert "rotation.restored" in seen["stdout"]
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
    with_spool(stage)

    arguments = ("run", "--once", "--log-level", "debug", "--config", str(stage.config))
    _, seen = watched(stage, wire, *arguments, program=(LEAKING,))

    raws = {leak: raws_of(stage, leak) for leak in LEAKS}
    assert all(len(both) > 1 for both in raws.values()), "all were rotated"
    assert [] == [leak for leak, both in raws.items() if not Search(both).found(seen)]


def test_each_leak_in_what_is_shown_is_seen_there(stage, wire):
    for leak in SHOWN:
        unbounded(stage, leak)
    address, shown = with_pages(stage), {}

    def stop(process):
        wait_for_rest(stage)
        shown.update(pages_at(address))
        process.terminate()

    options = ("--config", str(stage.config))
    watched(stage, wire, "run", *options, program=(LEAKING,), stop=stop)
    for command in commands(HISTORY):
        _, seen = watched(stage, wire, *command, *options, program=(LEAKING,))
        shown[" ".join(command)] = seen["stdout"]

    for leak, places in {
        "a_piece_for_a_redacted_key": {"plan", "plan --json", "status", "status --json", "page /"},
        "a_piece_in_the_history": {f"history {HISTORY}", f"history {HISTORY} --json"},
        "a_piece_in_a_label": {"page /metrics"},
    }.items():
        found = {place for place, _ in Search(raws_of(stage, leak)).found(shown)}
        assert set() == places - found, leak


def raws_of(stage, name):
    return [key.raw for key in stage.arize.keys if key.name == name]

"""Hooks of the real program: told after a rotation, and told no secret, in any form."""

import base64
import json
import stat
import subprocess
import sys
import threading
import urllib.parse
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)
TOKEN = "CANARYhookqwertzuiopasdfghjklyxcvbnm"
#: Writes all that a child can see of what it was given: arguments, environment, open files.
DUMP = """
import os, sys
out = open("child", "ab")
for name in ("cmdline", "environ"):
    out.write(open(f"/proc/self/{name}", "rb").read())
out.write("\\n".join(os.listdir("/proc/self/fd")).encode())
out.write(sys.stdin.read().encode())
"""


class Taking(BaseHTTPRequestHandler):
    """Takes down what comes, whole, and answers as it is told to."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((f"{self.path}\n{self.headers}", body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def taking():
    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        server.taken, server.answers = [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage, taking() as server:
        key = stage.arize.seed_user_key("ci", created_at=stage.now - 40 * DAY)
        stage.add_policy("ci", key, max_age="30d")
        stage.put("ci", api_key=key[1])
        (tmp_path / "secret").write_text("s3cr3t-CANARY-for-signatures", encoding="utf-8")
        (tmp_path / "secret").chmod(0o600)
        url = f"http://127.0.0.1:{server.server_port}/rotated/{TOKEN}?t={TOKEN}"
        stage.policies[0]["notify"] = [
            {"http": {"url": url, "secret": {"file": str(tmp_path / "secret")}}},
            {"command": [sys.executable, "-c", DUMP]},
        ]
        stage.server = server
        yield stage


def forms(raw):
    """A secret in the forms in which it could be passed on."""
    data = raw.encode()
    yield from (raw, data.hex(), urllib.parse.quote(raw, safe=""), raw[8:24])
    for before in (b"", b"x", b"xy"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(before + data).decode().rstrip("=")[4:-2]


def test_hooks_hear_of_a_rotation(stage):
    run = stage.run("--once")

    assert (0, "") == (run.code, run.err)
    assert {"http", "command"} == {event["hook"] for event in run.named("notify.sent")}
    ((_, body),) = stage.server.taken
    done = run.named("rotation.completed")[0]
    event = json.loads(body)
    assert f"{done['rotation_id']}:http" == event["id"]
    assert done["key_id"] == event["data"]["key_id"] == event["subject"]
    child = (stage.folder / "child").read_text(encoding="utf-8")
    assert f"ROTATOR_KEY_ID={done['key_id']}\0" in child
    assert [] == stage.journal("ci")["notices"]


def test_no_secret_is_in_what_they_hear_nor_in_what_is_said_of_it(stage):
    stage.server.answers += [500, 403]
    run = stage.run("--once", "--log-level", "debug")

    assert 3 == len(stage.server.taken)
    heard = [text for head, body in stage.server.taken for text in (head, body.decode())]
    child = (stage.folder / "child").read_text(encoding="utf-8")
    journal = json.dumps(stage.journal("ci"))
    everywhere = "\n".join((*heard, child, run.out, run.err, journal))
    raws = [stage.held("ci"), stage.raws["ci"], stage.arize.management_key]
    raws += [(stage.folder / "secret").read_text(encoding="utf-8")]
    assert [] == [form for raw in raws for form in forms(raw) if form in everywhere]
    assert "VAULT_TOKEN" not in child
    assert [] == [form for form in forms(TOKEN) if form in f"{run.out}\n{run.err}\n{journal}"]


def test_one_that_fails_ends_a_pass_with_1_and_the_next_pass_tells(stage):
    stage.server.answers += [503] * 50

    first = stage.run("--once", "--patience", "2s")
    assert 1 == first.code
    assert 1 == first.named("pass.completed")[0]["behind"] == len(first.named("rotation.completed"))
    assert stage.held("ci") != stage.raws["ci"]
    stage.server.answers.clear()
    second = stage.run("--once")

    assert (0, []) == (second.code, second.named("rotation.completed"))
    assert ["http"] == [event["hook"] for event in second.named("notify.sent")]
    ids = {json.loads(body)["id"] for _, body in stage.server.taken}
    assert 1 == len(ids)


WAITING = """
import signal, sys, time
signal.signal(signal.SIGHUP, lambda *_: open("heard", "a").write("x"))
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def neighbour(tmp_path):
    arguments = [sys.executable, "-c", WAITING]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (tmp_path / "app.pid").write_text(str(process.pid), encoding="utf-8")
        yield process
        process.kill()


def test_a_file_is_kept_at_what_the_store_holds_and_its_reader_hears(stage, neighbour):
    assert neighbour.poll() is None
    env, pid_file = stage.folder / "arize.env", stage.folder / "app.pid"
    del stage.policies[0]["notify"]
    signalling = {"signal": {"pid_file": str(pid_file)}}
    stage.policies[0]["write"] = {
        "file": str(env),
        "mode": "0640",
        "format": "dotenv",
        "names": {"key": "ARIZE_API_KEY", "key_id": "ARIZE_KEY_ID"},
        "then": signalling,
    }

    first, second = stage.run("--once"), stage.run("--once")

    done = first.named("rotation.completed")[0]
    assert f"ARIZE_API_KEY={stage.held('ci')}\nARIZE_KEY_ID={done['key_id']}\n" == (
        env.read_text(encoding="utf-8")
    )
    assert 0o640 == stat.S_IMODE(env.stat().st_mode)
    assert ([1, 1], [0, 0]) == tuple(
        [len(run.named(name)) for name in ("file.written", "notify.sent")]
        for run in (first, second)
    )
    assert "x" == (stage.folder / "heard").read_text(encoding="utf-8")
    assert stage.held("ci") not in first.out + second.out


def test_a_sidecar_has_its_file_also_while_the_provider_is_down(stage):
    file = stage.folder / "key"
    del stage.policies[0]["notify"]
    stage.policies[0]["write"] = {"file": str(file)}
    stage.urls["arize"] = "http://127.0.0.1:9"

    run = stage.run("--once", "--patience", "1s")

    assert (1, stage.raws["ci"]) == (run.code, file.read_text(encoding="utf-8"))

"""``rotator adopt`` and ``rotator rollback`` as a person uses them."""

import json
import os
import pty
import subprocess
import sys
from datetime import timedelta

import pytest
from e2e_stage import staged

from rotator.secrets import Secret

DAY = timedelta(days=1)


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        yield stage


def add(stage, name="ci"):
    key = stage.arize.seed_user_key(name, created_at=stage.now - 10 * DAY)
    stage.add_policy(name, key, max_age="30d", grace_period="1h")
    return key[1]


def ask(stage, command, given="", name="ci"):
    process = subprocess.run(
        [sys.executable, "-m", "rotator", command, name, "--config", str(stage.config)],
        input=given,
        capture_output=True,
        env=stage.environ,
        cwd=stage.folder,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


def test_a_key_is_adopted_once(stage):
    raw = add(stage)
    stage.put("ci", owner="platform")
    shown = Secret(raw).redacted

    code, out, err = ask(stage, "adopt", f"{raw}\n")

    first, second = out.splitlines()
    assert (0, f"ci: apps/ci#api_key holds {shown}") == (code, first)
    assert second.startswith("ci: adopted, and nothing was minted; next rotation: ")
    fields = stage.ask_vault("GET", "data/apps/ci")["data"]["data"]
    assert {"api_key": raw, "owner": "platform"} == fields
    event = json.loads(err)
    assert ("policy.key_adopted", "ci", str(shown), None) == tuple(
        event[name] for name in ("event", "policy", "redacted_key", "old_redacted_key")
    )
    assert ("apps/ci#api_key", 2) == (event["target"], event["target_version"])
    assert raw[8:-5] not in err
    assert (0, f"ci: nothing to do, {shown} is adopted already\n", "") == ask(stage, "adopt", raw)
    assert 2 == stage.ask_vault("GET", "data/apps/ci")["data"]["metadata"]["version"]


def test_a_key_that_is_typed_is_not_shown(stage):
    raw = add(stage)
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rotator", "adopt", "ci", "--config", str(stage.config)],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=stage.environ,
        cwd=stage.folder,
        start_new_session=True,
        text=True,
    )
    os.close(terminal)
    prompt = os.read(main, 1024)
    while b"not shown" not in prompt:
        prompt += os.read(main, 1024)
    os.write(main, f"{raw}\n".encode())

    out, _ = process.communicate(timeout=60)
    os.close(main)

    assert 0 == process.returncode
    assert raw not in out
    assert raw == stage.held("ci")


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("", 2, "stdin: holds no key; give the raw key, and nothing else\n"),
        ("two words", 2, "stdin: holds no key; give the raw key, and nothing else\n"),
        ("ak-\N{SNOWMAN}", 2, "stdin: holds no key; give the raw key, and nothing else\n"),
        ("x" * 5000, 2, "stdin: holds no key; give the raw key, and nothing else\n"),
        ("ak-CANARY0123456789abcdefghij", 1, "ci: this is not ak-"),
    ],
)
def test_what_is_no_key_or_another_one_is_refused_and_not_repeated(stage, given, code, words):
    add(stage)

    answer, out, err = ask(stage, "adopt", given)

    assert (code, "") == (answer, out)
    assert err.startswith(words)
    assert "CANARY" not in err
    assert stage.held("ci") is None


def test_the_former_key_is_put_back_and_the_next_pass_leaves_it(stage):
    raw = add(stage)
    ask(stage, "adopt", raw)
    assert 0 == stage.run("--rotate", "ci").code
    new = stage.held("ci")

    code, out, err = ask(stage, "rollback")

    lines, event = out.splitlines(), json.loads(err)
    assert (0, f"ci: apps/ci#api_key holds {Secret(raw).redacted} again") == (code, lines[0])
    told = [event[name] for name in ("event", "redacted_key", "old_redacted_key")]
    shown = [str(Secret(key).redacted) for key in (raw, new)]
    assert ["policy.key_put_back", *shown] == told
    assert not any(key[8:-5] in err for key in (raw, new))
    assert lines[1].startswith("ci: it works for 59m")
    assert lines[2].startswith("ci: it is replaced before that, by whoever looks first after: 20")
    assert f"ci: {Secret(new).redacted} goes on until then, and for a grace period" == lines[3]
    assert raw == stage.held("ci")
    run = stage.run("--once")
    assert (0, []) == (run.code, run.named("rotation.started"))
    assert {raw, new} == set(stage.live("ci"))
    code, out, _ = ask(stage, "rollback")
    assert (0, f"ci: nothing to do, {Secret(raw).redacted} is back already") == (
        code,
        out.splitlines()[0],
    )


def test_without_a_rotation_there_is_nothing_to_put_back(stage):
    add(stage)

    assert (
        1,
        "",
        ("ci: no rotation of the policy's key is on record\n  remedy: see `rotator plan`\n"),
    ) == ask(stage, "rollback")


@pytest.mark.parametrize("command", ["adopt", "rollback"])
def test_a_policy_that_is_not_there_is_a_mistake(stage, command):
    add(stage)

    assert (2, "", "no policy is named 'ic'; there are: ci\n") == ask(stage, command, name="ic")


@pytest.mark.parametrize("command", ["adopt", "rollback"])
def test_a_service_that_is_down_is_told_with_the_remedy(stage, command):
    raw = add(stage)
    environ = stage.environ | {"ROTATOR_VAULT__ADDRESS": "http://127.0.0.1:9"}
    process = subprocess.run(
        [sys.executable, "-m", "rotator", command, "ci", "--config", str(stage.config)],
        input=raw,
        capture_output=True,
        env=environ,
        cwd=stage.folder,
        text=True,
        check=False,
    )

    assert (1, "") == (process.returncode, process.stdout)
    assert process.stderr.startswith("ci: ")
    assert "Vault at http://127.0.0.1:9 cannot be reached" in process.stderr

"""The configuration changes under the real program, and so do its secrets."""

import json
import signal
from datetime import timedelta

import pytest
from e2e_stage import staged


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as one:
        yield one


class Daemon:
    """The program as it runs: its lines are read as they come."""

    def __init__(self, stage):
        self.process = stage.start("run", "--config", str(stage.config))

    def until(self, event):
        """The next event of this name."""
        for line in self.process.stdout:
            told = json.loads(line)
            if told["event"] == event:
                return told
        raise AssertionError(f"it ended without {event}: {self.process.stderr.read()}")

    def end(self):
        self.process.terminate()
        self.process.communicate(timeout=30)
        return self.process.returncode


def endless(stage, name, **rotate):
    key = stage.arize.seed_user_key(name)
    stage.add_policy(name, key, max_age="30d", **rotate)
    stage.put(name, api_key=key[1])
    return key


def test_a_configuration_is_read_again_when_it_changes_and_on_sighup(stage):
    endless(stage, "ci")
    daemon = Daemon(stage)
    daemon.until("policy.planned")

    endless(stage, "added")
    stage.config.touch()
    assert ["added"] == daemon.until("config.reloaded")["added"]
    assert "added" == daemon.until("policy.planned")["policy"]

    daemon.process.send_signal(signal.SIGHUP)
    assert 2 == daemon.until("config.reloaded")["policies"]

    stage.policies[1]["rotate"]["max_age"] = "soon"
    assert "policies[1].rotate.max_age: not a length of time" in (
        stage.config and daemon.until("config.refused")["problem"]
    )
    assert 0 == daemon.end()


def test_a_policy_that_is_resumed_rotates(stage):
    key = endless(stage, "ci")
    stage.arize.find(key[0]).created_at = stage.now - timedelta(days=40)
    stage.policies[0]["suspend"] = True
    daemon = Daemon(stage)
    assert "policy_is_suspended" == daemon.until("policy.planned")["reason"]

    stage.policies[0]["suspend"] = False
    stage.config.touch()
    assert "key_reached_max_age" == daemon.until("rotation.completed")["reason"]
    assert 0 == daemon.end()


def test_secrets_in_files_may_be_replaced_while_it_runs(stage):
    endless(stage, "ci")
    files = {name: stage.folder / name for name in ("management", "token")}
    files["management"].write_text(stage.arize.management_key)
    files["token"].write_text(stage.vault.token)
    stage.sections["arize"] = {
        "base_url": stage.urls["arize"],
        "api_key": {"file": str(files["management"])},
        "timeout": "500ms",
    }
    daemon = Daemon(stage)
    daemon.until("policy.planned")

    _, other = stage.arize.seed_user_key("other management key")
    files["management"].write_text(other)
    assert "arize.api_key" == daemon.until("management_key.changed")["source"]
    assert 0 == daemon.end()

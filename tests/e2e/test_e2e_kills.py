"""SIGKILL at the requests of a rotation, and then somebody else comes by."""

import time
from datetime import datetime, timedelta

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)
MINTS = {"refresh": r"POST /v2/api-keys/.+/refresh", "reissue": r"POST /v2/api-keys$"}
WRITES = r"(PUT|POST) /v1/secret/data/apps/"
REVOKES = r"PUT /v2/api-keys/.+/revoke"


def near_expiry(stage, strategy):
    expires_at = stage.now + 2 * DAY if strategy == "reissue" else None
    key = stage.arize.seed_user_key("ci", created_at=stage.now - 88 * DAY, expires_at=expires_at)
    stage.add_policy("ci", key, before_expiry="7d", max_age="30d", min_interval="1ms")
    stage.put("ci", api_key=key[1])


def come_by(stage):
    """Passes as a CronJob makes them, until the journal rests; all the time Vault's key works."""
    give_up_at = time.monotonic() + 20
    while True:
        run = stage.run("--once")
        assert (0, "") == (run.code, run.err), run.out
        assert stage.arize.accepts(stage.held("ci"))
        journal = stage.journal("ci")
        moments = [old["at"] for old in journal["retiring"]]
        if journal["rotation"] is not None:
            moments = [(journal["lease"] or {}).get("until", stage.now.isoformat())]
        if not moments:
            return journal
        assert time.monotonic() < give_up_at, journal
        wait = datetime.fromisoformat(min(moments)) - stage.now
        time.sleep(max(wait.total_seconds(), 0) + 0.1)


def assert_no_key_is_left_behind(stage):
    """After a refresh that keeps the id, the end of the grace is the provider's to bring about."""
    give_up_at = time.monotonic() + 5
    while [stage.held("ci")] != stage.live("ci"):
        assert time.monotonic() < give_up_at, stage.live("ci")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("strategy", "same_id"),
    [("refresh", False), ("refresh", True), ("reissue", False)],
    ids=["refresh, new id", "refresh, same id", "reissue"],
)
@pytest.mark.parametrize(
    ("request_", "after"),
    [
        # `make kills` has every request, both ways.
        ("mint", True),
        ("write", False),
    ],
)
def test_a_killed_rotation_is_carried_on(tmp_path, same_id, strategy, request_, after):
    pattern = {"mint": MINTS[strategy], "write": WRITES}[request_]
    with staged(tmp_path, refresh_keeps_id=same_id) as stage:
        near_expiry(stage, strategy)
        stage.policies[0]["rotate"]["min_interval"] = "1h"
        stage.trap.set(pattern, after=after)

        killed = stage.run_until_killed("--once")
        assert (-9, True) == (killed.code, stage.trap.sprung)
        assert stage.arize.accepts(stage.held("ci"))
        journal = come_by(stage)

        assert stage.held("ci") != stage.raws["ci"]
        assert_no_key_is_left_behind(stage)
        assert 1 == len(journal["history"]), "one trigger, one rotation"


@pytest.mark.parametrize("strategy", ["refresh", "reissue"])
def test_with_a_spool_the_key_itself_survives_the_kill(tmp_path, strategy):
    spool = tmp_path / "spool"
    with staged(tmp_path) as stage:
        stage.sections["spool"] = {"directory": str(spool)}
        near_expiry(stage, strategy)
        stage.policies[0]["rotate"]["min_interval"] = "1h"
        stage.trap.set(WRITES, after=False)

        stage.run_until_killed("--once")
        [sealed] = spool.iterdir()
        minted = stage.arize.keys[-1].raw
        assert minted.encode() not in sealed.read_bytes()
        journal = come_by(stage)

        assert minted == stage.held("ci"), "no second key was minted"
        assert ["completed"] == [record["outcome"] for record in journal["history"]]
        assert [] == list(spool.iterdir())
        assert_no_key_is_left_behind(stage)

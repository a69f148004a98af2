"""``plan``, ``status`` and what they print: for a person, for a pipe, for a program."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        yield stage


def add(stage, name, *, born=10, left=80, **rotate):
    """A key with these days of age and of life left; the store holds it."""
    key = stage.arize.seed_user_key(
        name, created_at=stage.now - born * DAY, expires_at=stage.now + left * DAY
    )
    stage.add_policy(name, key, **{"before_expiry": "14d", "grace_period": "1h"} | rotate)
    stage.put(name, api_key=key[1])


def add_gone(stage, name="gone"):
    stage.add_policy(name, ("QXBpS2V5OjQwNA==", ""), max_age="30d")


def look(stage, command, *arguments):
    return stage.rotator(command, "--config", str(stage.config), *arguments)


def rows_of(run):
    return {row["policy"]: row for row in json.loads(run.out)["policies"]}


def test_a_row_a_policy_what_needs_a_person_on_top(stage):
    add(stage, "well")
    add_gone(stage)
    add(stage, "due", left=5)

    run = look(stage, "status")

    lines = run.out.splitlines()
    assert (1, "") == (run.code, run.err)
    assert ["policy", "gone", "due", "well"] == [line.split()[0] for line in lines[:4]]
    assert "gone: the provider lists no active key QXBpS2V5OjQwNA==" == lines[5]
    assert "3 policies: 1 needs a person, 1 is due, 1 is well" == lines[-1]


def test_where_all_is_well_the_exit_code_says_so(stage):
    add(stage, "well")
    add(stage, "due", left=5)

    assert 0 == look(stage, "status").code


def test_names_select(stage):
    add(stage, "well")
    add_gone(stage)

    run = look(stage, "status", "--json", "well")

    assert (0, {"well"}) == (run.code, rows_of(run).keys())


def test_a_rotated_policy_tells_its_grace_its_last_result_and_what_is_ahead(stage):
    add(stage, "due", left=5)
    stage.run("--once")

    row = rows_of(look(stage, "status", "--json"))["due"]

    assert ("well", "reissue") == (row["state"], row["ahead"]["action"])
    assert row["step"]["at"] < row["old_keys"][0]["until"] < row["ahead"]["at"]
    (old,) = row["old_keys"]
    assert (old["redacted_key"], old["until"]) == (
        row["last"]["old_redacted_key"],
        row["last"]["old_valid_until"],
    )
    assert ("completed", "key_near_expiry") == (row["last"]["outcome"], row["last"]["reason"])


def test_whoever_holds_the_lease_is_shown(stage):
    add(stage, "due", left=5)
    until = (stage.now + DAY).isoformat()
    lease = {"owner": "somebody\x1b[2J", "taken_at": stage.now.isoformat(), "until": until}
    stage.ask_vault("POST", "data/rotator/due", {"data": {"version": 1, "lease": lease}})

    run = look(stage, "status")

    assert 0 == run.code
    assert "rotating" in run.out
    assert "\x1b" not in run.out
    assert "somebody" in run.out


def test_a_policy_that_cannot_be_looked_at_hides_no_other(stage):
    add(stage, "well")
    add(stage, "broken")
    stage.ask_vault("POST", "data/rotator/broken", {"data": {"version": 99}})

    run = look(stage, "status", "--json")

    assert 1 == run.code
    assert ["failed", "well"] == [row["state"] for row in rows_of(run).values()]
    assert "upgrade this rotator" == rows_of(run)["broken"]["step"]["remedy"]


@pytest.mark.parametrize("command", ["plan", "status"])
def test_looking_writes_nothing_and_lists_once(stage, command):
    for name in ("one", "two", "three"):
        add(stage, name, left=5)
        rotation = {"id": "r", "reason": "key_near_expiry", "started_at": stage.now.isoformat()}
        rotation |= {"selector": "", "key_id": "k", "key_name": name, "redacted": "ak-abc...xyz"}
        mint = {"owner": "o", "at": stage.now.isoformat(), "strategy": "refresh", "source_id": "k"}
        rotation["mints"] = [mint]
        body = {"data": {"version": 1, "rotation": rotation}}
        stage.ask_vault("POST", f"data/rotator/{name}", body)
    assert [] == stage.trap.asked

    look(stage, command)

    assert 2 == stage.trap.asked.count("GET /v2/api-keys"), "user keys, service keys"
    assert {"GET"} == {label.split()[0] for label in stage.trap.asked}


def test_a_plan_tells_what_will_be_written_where(stage):
    add(stage, "due", left=5)
    stage.policies[0]["deliver"]["metadata"] = {"key_id": "arize_key_id"}

    run = look(stage, "plan", "--json")
    row = rows_of(run)["due"]

    assert ("reissue", 3600, False) == (row["action"], row["grace"], row["own"])
    assert [{"secret": "apps/due", "fields": ["api_key", "arize_key_id"]}] == row["writes"]
    assert "writes apps/due: api_key, arize_key_id" in look(stage, "plan").out


def test_a_plan_tells_what_fills_an_empty_place_where_anything_does(stage):
    add(stage, "due", left=5)
    stage.put("due", other="field")
    add_gone(stage)

    out = look(stage, "plan").out

    assert "apps/due#api_key holds no key; the next rotation puts one there" in out
    assert "apps/gone#api_key" not in out


def test_a_plan_warns_of_the_key_that_rotator_works_with(stage):
    key = (stage.arize.management_key_id, stage.arize.management_key)
    stage.add_policy("management", key, max_age="1ms")

    assert "this is the key that rotator itself works with" in look(stage, "plan").out


def test_what_two_policies_are_about_is_told_before_it_is_due(stage):
    key = stage.arize.seed_user_key("ci", created_at=stage.now - DAY)
    for name in ("one", "two"):
        stage.add_policy(name, key, max_age="30d")
        stage.put(name, api_key=key[1])
    stage.policies[1]["key"] = {"name": "ci"}

    run, plan = look(stage, "status", "--json"), look(stage, "plan")

    assert (1, 1) == (run.code, plan.code)
    assert {"person"} == {row["state"] for row in rows_of(run).values()}
    assert "is the key of policy two too, whose consumers use it" in plan.out
    assert 2 == plan.out.count("remedy: let one policy deliver it to both places")


# --- history ---


def test_history_tells_of_each_rotation_the_latest_first(stage):
    add(stage, "due", left=5, min_interval="1ms")
    stage.run("--once")
    stage.run("--rotate", "due")

    run = look(stage, "history", "due", "--json")
    latest, first = json.loads(run.out)["history"]

    assert (0, "") == (run.code, run.err)
    assert ["rotation_was_demanded", "key_near_expiry"] == [latest["reason"], first["reason"]]
    assert latest["old_redacted_key"] == first["redacted_key"]
    assert 0 < latest["danger_seconds"] <= latest["duration_seconds"] < 60
    told = look(stage, "history", "due").out
    assert "due: 2 completed" == told.splitlines()[-1]
    assert re.search(r"\d m?s\b", told), "as somebody searches for it"


def test_history_tells_of_what_arize_refused_once_however_often(stage):
    add(stage, "greedy", left=5, lifetime="400d")
    stage.arize.options = replace(stage.arize.options, max_lifetime=90 * DAY)
    for _ in range(2):
        assert 1 == stage.run("--once").code

    (failed,) = json.loads(look(stage, "history", "greedy", "--json").out)["history"]
    row = rows_of(look(stage, "status", "--json"))["greedy"]

    assert ("failed", 2, "") == (failed["outcome"], failed["tries"], failed["redacted_key"])
    assert failed["error"].startswith("Arize answered 4")
    assert ("warning", failed) == (row["state"], row["last"])


def test_a_policy_without_history_says_so(stage):
    add(stage, "well")

    assert "well has not been rotated yet\n" == look(stage, "history", "well").out


def test_a_store_that_does_not_answer_is_a_line_and_a_remedy(stage):
    add(stage, "well")
    stage.ask_vault("POST", "data/rotator/well", {"data": {"version": 99}})

    run = look(stage, "history", "well")

    assert (1, "", "  remedy: upgrade this rotator") == (
        run.code,
        run.out,
        run.err.splitlines()[-1],
    )

"""``rotator check --online``: everything that is missing, at once, and nothing written."""

import json
from datetime import timedelta

import pytest
from e2e_stage import staged

DAY = timedelta(days=1)
ALL = '{ capabilities = ["create", "read", "update"] }'


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        yield stage


def add(stage, name):
    key = stage.arize.seed_user_key(name, created_at=stage.now - DAY)
    stage.add_policy(name, key, max_age="30d", grace_period="1h")
    stage.put(name, api_key=key[1])


def check(stage, *arguments):
    return stage.rotator("check", "--online", "--config", str(stage.config), *arguments)


def limited(stage, *rules, **token):
    """Log in with a token that may do no more than ``rules``."""
    ask = stage.vault.ask
    stage.admin = stage.vault.token = getattr(stage, "admin", stage.vault.token)
    ask("PUT", "sys/policies/acl/limited", {"policy": "\n".join(rules)})
    answer = ask("POST", "auth/token/create", {"policies": ["limited"], **token})
    stage.vault.token = answer["auth"]["client_token"]


def parts(run):
    document = json.loads(run.out)
    return {part["name"]: part for part in (*document["services"], *document["policies"])}


def test_where_nothing_is_missing_each_is_ok(stage):
    add(stage, "ci")

    run = check(stage)

    assert (0, "") == (run.code, run.err)
    lines = run.out.splitlines()
    assert "ok: the configuration, with 1 policy" == lines[0]
    assert f"ok: Arize at {stage.urls['arize']}" == lines[1]
    assert "ok: policy ci" == lines[-1]
    assert "whether the management key may create and revoke keys is seen only when" in run.out


def test_one_policy_hides_nothing_of_another(stage):
    add(stage, "well")
    stage.add_policy("gone", ("QXBpS2V5OjQwNA==", ""), max_age="30d")
    stage.add_policy("lost", ("QXBpS2V5OjQwNQ==", ""), max_age="30d")

    run = check(stage, "--json")

    found = parts(run)
    assert 1 == run.code
    assert [[], ["key_not_found"], ["key_not_found"]] == [
        [problem["code"] for problem in found[name]["problems"]]
        for name in ("well", "gone", "lost")
    ]


def test_a_key_that_one_policy_names_and_another_means_is_told_to_both(stage):
    key = stage.arize.seed_user_key("ci", created_at=stage.now - DAY)
    for name in ("one", "two"):
        stage.add_policy(name, key, max_age="30d")
        stage.put(name, api_key=key[1])
    add(stage, "three")
    stage.policies[1]["key"] = {"name": "ci"}

    run = check(stage, "--json")

    found = parts(run)
    assert 1 == run.code
    assert [["key_is_shared"], ["key_is_shared"], []] == [
        [problem["code"] for problem in found[name]["problems"]] for name in ("one", "two", "three")
    ]


def test_a_service_that_is_down_is_one_line_and_the_other_is_looked_at(stage):
    for name in ("one", "two"):
        add(stage, name)
    stage.arize.management_key = "ak-CANARY0123456789abcdefghij"

    run = check(stage)

    assert 1 == run.code
    assert 1 == run.out.count("FAILED: ")
    assert "Arize answered 401" in run.out
    assert "ok: the store at " in run.out
    assert "not looked at, for that: one, two" in run.out
    assert "CANARY" not in run.out


def test_each_line_that_the_vault_policy_lacks_is_said_once(stage):
    for name in ("one", "two", "three"):
        add(stage, name)
    stage.add_policy("gone", ("QXBpS2V5OjQwNA==", ""), max_age="30d")
    limited(
        stage,
        'path "secret/data/apps/one" { capabilities = ["create", "read", "update"] }',
        'path "secret/data/apps/two" { capabilities = ["read"] }',
        ttl="10m",
        renewable=False,
    )

    run = check(stage)

    assert 1 == run.code
    assert "FAILED: policy one: no create, read, update on secret/data/rotator/one" in run.out
    assert "FAILED: policy two: no create, update on secret/data/apps/two" in run.out
    assert "FAILED: policy three: no create, read, update on secret/data/apps/three" in run.out
    assert "FAILED: policy gone: the provider lists no active key QXBpS2V5OjQwNA==" in run.out
    assert "note: the Vault token ends in 9m" in run.out
    _, rules = run.out.split("To add to the Vault policy of rotator's token:\n")
    assert [f'  path "secret/data/apps/{name}" {ALL}' for name in ("gone", "three", "two")] + [
        f'  path "secret/data/rotator/*" {ALL}'
    ] == sorted(rules.splitlines())
    limited(stage, *rules.splitlines(), f'path "secret/data/apps/one" {ALL}')
    found = parts(check(stage, "--json"))
    assert [True, True, True, False] == [
        found[name]["ready"] for name in ("one", "two", "three", "gone")
    ]


@pytest.mark.parametrize(
    ("most", "said"), [("30m", ", however often it is renewed; the longest"), ("2h", None)]
)
def test_a_token_that_renewals_do_not_keep_through_a_grace_is_noted(stage, most, said):
    add(stage, "ci")
    limited(stage, f'path "secret/*" {ALL}', ttl="10m", explicit_max_ttl=most)

    run = check(stage)

    assert (0, said is not None) == (run.code, "note: the Vault token" in run.out)
    assert (said or "") in run.out


def test_json_goes_with_online_only(stage):
    add(stage, "ci")

    run = stage.rotator("check", "--json", "--config", str(stage.config))

    assert (2, "--json goes with --online; mistakes in a configuration are lines\n") == (
        run.code,
        run.err,
    )


def test_what_this_machine_lacks_is_told_for_each_policy(stage):
    add(stage, "ci")
    hooks = [
        {"command": ["no-such-program"]},
        {"signal": {"pid_file": "nowhere/app.pid"}},
        {"signal": {"pid_file": "app.pid"}, "name": "later"},
    ]
    stage.policies[0]["notify"] = hooks
    stage.policies[0]["write"] = [
        {"file": "nowhere/arize.key", "then": [{"command": ["none"], "name": "reload"}]},
        {"file": "arize.key"},
    ]

    found = parts(check(stage, "--json"))["ci"]

    assert [
        "hook command: there is no such program; check its path",
        "hook signal: there is no directory nowhere",
        "file nowhere/arize.key: there is no directory nowhere",
        "file nowhere/arize.key, hook reload: there is no such program; check its path",
    ] == [problem["text"] for problem in found["problems"]]
    assert ["hook later: there is no app.pid; its process may not run"] == [
        note["text"] for note in found["notes"]
    ]
    assert 0 == stage.rotator("check", "--config", str(stage.config)).code


def test_the_spool_is_a_part_of_its_own_and_is_not_made_by_looking(stage):
    add(stage, "ci")
    stage.sections["spool"] = {"directory": "state/spool"}

    run = check(stage)

    assert (0, True) == (run.code, "ok: the spool at state/spool" in run.out)
    assert not (stage.folder / "state").exists()
    assert stage.ask_vault("GET", "data/rotator/_spool_public") is None
    (stage.folder / "state").write_text("a file")
    limited(stage, f'path "secret/data/apps/ci" {ALL}', f'path "secret/data/rotator/ci" {ALL}')
    run = check(stage)
    assert 1 == run.code
    for words in (
        "no create, read, update on secret/data/rotator/_spool_private",
        "no create, read, update on secret/data/rotator/_spool_public",
        "state/spool: Not a directory",
    ):
        assert f"FAILED: the spool at state/spool: {words}" in run.out
    assert 'path "secret/data/rotator/*"' in run.out
    stage.vault.sealed = True
    assert "not looked at, for that: the spool at state/spool, ci" in check(stage).out


def test_nothing_is_written(stage):
    add(stage, "ci")
    before = stage.ask_vault("GET", "data/apps/ci")

    check(stage)

    assert before == stage.ask_vault("GET", "data/apps/ci")
    assert stage.ask_vault("GET", "data/rotator/ci") is None

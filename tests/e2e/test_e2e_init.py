"""``rotator init``: a first configuration from what Arize lists."""

import os
import pty
import subprocess
import sys
from datetime import timedelta

import pytest
import yaml
from e2e_stage import Run, staged

DAY = timedelta(days=1)


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        stage.arize.seed_user_key("ci", created_at=stage.now - DAY)
        stage.arize.seed_service_key(
            "ingest", created_at=stage.now, expires_at=stage.now + 90 * DAY
        )
        yield stage


def init(stage, *arguments, environ=None):
    process = subprocess.run(
        [sys.executable, "-m", "rotator", "init", "--base-url", stage.urls["arize"], *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=stage.environ | {"VAULT_ADDR": stage.urls["vault"]} | (environ or {}),
        cwd=stage.folder,
        text=True,
        check=False,
    )
    return Run(process.returncode, process.stdout, process.stderr)


def written(stage, name="rotator.yaml"):
    return yaml.safe_load((stage.folder / name).read_text(encoding="utf-8"))


def test_all_keys_but_our_own_get_a_policy_and_the_check_is_content(stage):
    run = init(stage, "--all")

    assert (0, "rotator.yaml: 2 policies\nnext: rotator check --online\n", "") == (
        run.code,
        run.out,
        run.err,
    )
    assert ["ci", "ingest"] == [one["name"] for one in written(stage)["policies"]]
    assert stage.arize.management_key not in (stage.folder / "rotator.yaml").read_text()
    check = stage.rotator("check", "--online", "--config", "rotator.yaml")
    assert 0 == check.code


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("{nope}/x", "has a place for {name}, and for nothing else"),
        ("apps/name}", "has a place for {name}, and for nothing else"),
        ("apps/x", "2 keys would go there; write {name} into it"),
    ],
)
def test_each_key_needs_a_place_of_its_own(stage, path, words):
    run = init(stage, "--all", "--path", path, "--output", "-")

    assert (2, "", f"--path {path}: {words}\n") == (run.code, run.out, run.err)


def test_what_is_there_is_not_written_over(stage):
    (stage.folder / "rotator.yaml").write_text("mine")

    run = init(stage, "--all")

    assert (2, "rotator.yaml: is there already; name another one with --output\n") == (
        run.code,
        run.err,
    )
    assert "mine" == (stage.folder / "rotator.yaml").read_text()


def test_keys_are_named_by_id_or_name_and_printed_on_demand(stage):
    run = init(stage, "--key", "ingest", "--output", "-")

    assert ["ingest"] == [one["name"] for one in yaml.safe_load(run.out)["policies"]]
    assert not (stage.folder / "rotator.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "words"),
    [
        ((), {}, 2, "no keys: name them with --key, or give --all\n"),
        (("--key", "x"), {}, 2, "--key x: Arize lists no such key\n"),
        (("--all",), {"VAULT_ADDR": ""}, 2, "no store: give --vault-address or --files, or"),
        (("--all",), {"ARIZE_API_KEY": "ak-no"}, 1, "Arize answered 401"),
        (("--all", "--api-key-env", "NONE"), {}, 2, "arize.api_key: the variable NONE is not set"),
    ],
)
def test_what_is_missing_is_one_line(stage, arguments, environ, code, words):
    run = init(stage, *arguments, environ=environ)

    assert (code, "") == (run.code, run.out)
    assert run.err.startswith(words)
    assert not (stage.folder / "rotator.yaml").exists()


def test_names_that_several_keys_have_are_no_names(stage):
    stage.arize.seed_user_key("ci")

    run = init(stage, "--key", "ci")

    assert 2 == run.code
    assert run.err.startswith("--key ci: several keys have that name; give an id: ")


def test_what_is_still_to_be_done_is_said(stage):
    environ = {"VAULT_TOKEN": ""}

    run = init(stage, "--all", environ=environ)

    assert 0 == run.code
    assert "to do: rotator.yaml:" in run.out


def test_a_person_picks_from_a_list(stage):
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rotator", "init", "--base-url", stage.urls["arize"]],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=stage.environ | {"VAULT_ADDR": stage.urls["vault"], "NO_COLOR": "1", "TERM": "dumb"},
        cwd=stage.folder,
    )
    os.close(terminal)
    seen = _until(main, b"or all: ")
    os.write(main, b"9\n")
    seen += _until(main, b"or all: ")
    os.write(main, b"1\n")
    process.wait(timeout=60)
    os.close(main)

    assert b"management key" in seen
    assert b"Not understood; there are 1 to 3." in seen
    assert ["ci"] == [one["name"] for one in written(stage)["policies"]]


def _until(main, words):
    seen = b""
    while words not in seen:
        seen += os.read(main, 4096)
    return seen

"""What a rotator of an older version left behind is carried on by this one."""

import json
from pathlib import Path

import pytest
from e2e_stage import staged

from rotator.journal import VERSION

SAMPLES = Path(__file__).parents[1] / "pure/journals"


@pytest.fixture
def stage(tmp_path):
    with staged(tmp_path) as stage:
        yield stage


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_rotation_that_was_killed_before_an_upgrade_ends_after_it(stage, version):
    key = stage.arize.seed_user_key("lost")
    stage.add_policy("lost", key, max_age="30d")
    stage.put("lost", api_key=stage.raws["lost"])
    text = (SAMPLES / f"{version}-killed-after-the-mint.json").read_text()
    left = json.loads(text.replace(json.loads(text)["rotation"]["key_id"], key[0]))
    stage.ask_vault("POST", "data/rotator/lost", {"data": left})

    run = stage.run("--once")

    journal = stage.journal("lost")
    assert (0, VERSION, None) == (run.code, journal["version"], journal["rotation"])
    assert [left["rotation"]["id"]] == [record["rotation"] for record in journal["history"]]
    assert stage.held("lost") in stage.live("lost")

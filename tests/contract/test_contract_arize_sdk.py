"""The official SDK judges the Arize stand-in: one release of it for each era of the wire format.

The stand-in is served on a loopback port, the SDK runs in a process of its own, and what is
compared is what the SDK read and validated with its own models.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from rotator.sandbox.arize import arize_app
from rotator.sandbox.arize_model import ArizeOptions
from rotator.sandbox.arize_state import ORGANIZATION, SPACE, ArizeState
from rotator.sandbox.server import serving_in_thread

ROOT = Path(__file__).parents[2]
VERSIONS = {"A": "8.32.0", "B": "8.36.0", "C": "8.61.0"}
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class _Port:
    """The one port that all tests share; each puts an account of its own there."""

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


class _Sdk:
    """One release of the SDK, in its process, and the port that it calls."""

    def __init__(self, era: str, process: subprocess.Popen[str], port: _Port, url: str) -> None:
        self.era = era
        self.port = port
        self._process = process
        self._host = url.removeprefix("http://")

    @property
    def remove(self) -> str:
        return "delete" if self.era == "A" else "revoke"

    @property
    def gone(self) -> str:
        return {"A": "deleted", "B": "revoked", "C": "REVOKED"}[self.era]

    def spelled(self, word: str) -> str:
        return word.upper() if self.era == "C" else word

    def call(self, key: str, call: str, **arguments):
        order = {"host": self._host, "key": key, "call": call, "arguments": arguments}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the SDK's process ended: its traceback is above"
        return json.loads(answer)


@pytest.fixture(scope="module", params=list(VERSIONS))
def sdk(request, tmp_path_factory):
    version = VERSIONS[request.param]
    place = ROOT / ".sdk" / version
    if not (place / "arize").is_dir():
        pytest.fail(f"the judge is missing: run `make .sdk/{version}/.done`", pytrace=False)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(place),
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("arize_sdk_driver.py"))]
    port = _Port()
    with (
        serving_in_thread(port) as url,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        yield _Sdk(request.param, process, port, url)
        process.stdin.close()


class _Account:
    """The stand-in of an era, its clock, and the SDK that talks to it with the management key."""

    def __init__(self, sdk: _Sdk, **options) -> None:
        self.now = START
        options = ArizeOptions(era=sdk.era, **options)
        chance = Random(7)
        self.state = ArizeState(options, clock=lambda: self.now, random=chance)
        self._sdk = sdk
        sdk.port.app = arize_app(self.state)

    def ask(self, call: str, *, key: str | None = None, **arguments):
        key = key or self.state.management_key
        return self._sdk.call(key, call, **arguments)

    def value(self, call: str, **arguments):
        answer = self.ask(call, **arguments)
        assert "value" in answer, answer
        return answer["value"]

    def create_service_key(self):
        if self._sdk.era == "C":
            orgs = [{"org_id": ORGANIZATION, "role": "MEMBER", "spaces": {SPACE: "ADMIN"}}]
            return self.value("create_service_key", name="robot", orgs=orgs)
        return self.value("create_service_key", name="robot", space=SPACE, space_role="admin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def names(keys) -> list[str]:
    return [key["name"] for key in keys]


def test_a_listing_comes_in_pages_that_the_sdk_can_follow(sdk):
    arize = _Account(sdk)
    for number in range(4):
        arize.state.seed_user_key(f"key {number}", expires_at=START + DAY * (number + 1))
    first = arize.value("list", limit=2)
    second = arize.value("list", limit=2, cursor=first["next_cursor"])
    last = arize.value("list", limit=2, cursor=second["next_cursor"])

    assert ["key 3", "key 2"] == names(first["keys"])
    assert ["key 1", "key 0"] == names(second["keys"])
    assert ["management"] == names(last["keys"])
    assert [True, True, False] == [page["has_more"] for page in (first, second, last)]
    assert last["next_cursor"] is None
    assert START + DAY * 4 == at(first["keys"][0]["expires_at"])
    assert {sdk.spelled("active")} == {key["status"] for key in first["keys"]}


def test_a_created_key_shows_its_raw_key_once_and_works(sdk):
    arize = _Account(sdk)
    expires_at = START + 30 * DAY
    made = arize.value(
        "create", name="ci", description="of the pipeline", expires_at=expires_at.isoformat()
    )
    listed = arize.value("list", key=made["key"])["keys"][0]

    assert arize.state.accepts(made["key"])
    assert f"{made['key'][:6]}...{made['key'][-3:]}" == made["redacted_key"]
    assert ("ci", "of the pipeline") == (made["name"], made["description"])
    assert sdk.spelled("user") == made["key_type"]
    assert expires_at == at(made["expires_at"])
    assert made["id"] == listed["id"]
    assert made["redacted_key"] == listed["redacted_key"]
    assert START == at(listed["last_used_at"])
    assert "key" not in listed


def test_a_key_without_expiry_has_none(sdk):
    arize = _Account(sdk)
    made = arize.value("create", name="ci")

    assert made.get("expires_at") is None
    assert arize.state.find(made["id"]).expires_at is None


def test_a_service_key_is_created_and_listed_by_space_and_by_type(sdk):
    arize = _Account(sdk)
    made = arize.create_service_key()
    in_space = arize.value("list", space=SPACE)["keys"]
    by_type = arize.value("list", key_type=sdk.spelled("service"))["keys"]
    users = arize.value("list")["keys"]

    assert arize.state.accepts(made["key"])
    assert sdk.spelled("service") == made["key_type"]
    assert [made["id"]] == [key["id"] for key in in_space]
    assert [made["id"]] == [key["id"] for key in by_type]
    assert ["management"] == names(users)
    if sdk.era == "C":
        bot = made["bot_user"]
        assert "ADMIN" == bot["organizations"][0]["spaces"][0]["role"]["name"]
        assert "MEMBER" == bot["organizations"][0]["role"]["name"]
        assert bot == by_type[0]["bot_user"]
        assert bot | {"organizations": []} == in_space[0]["bot_user"]
    else:
        assert "bot_user" not in by_type[0]
        assert "admin" == arize.state.find(made["id"]).bindings.space_role


@pytest.mark.parametrize("keeps_id", [False, True])
def test_after_a_refresh_the_old_key_lives_through_its_grace_and_no_longer(sdk, keeps_id):
    arize = _Account(sdk, refresh_keeps_id=keeps_id)
    old_id, old = arize.state.seed_user_key("ci", created_at=START - DAY)
    new = arize.value("refresh", api_key_id=old_id, grace_period_seconds=60)
    arize.now = START + timedelta(seconds=59)
    in_grace = arize.ask("list", key=old)
    arize.now = START + timedelta(seconds=60)
    afterwards = arize.ask("list", key=old)
    with_new = arize.ask("list", key=new["key"])

    assert keeps_id == (old_id == new["id"])
    assert "ci" == new["name"]
    assert new.get("expires_at") is None
    assert "value" in in_grace
    assert (401, "UnauthorizedException") == (afterwards["status"], afterwards["refused"])
    assert "value" in with_new


def test_without_grace_the_old_key_dies_at_once(sdk):
    arize = _Account(sdk)
    old_id, old = arize.state.seed_user_key("ci")
    arize.value("refresh", api_key_id=old_id)
    answer = arize.ask("list", key=old)

    assert 401 == answer["status"]
    assert {"title", "status", "type", "detail", "instance"} == set(answer["problem"])


def test_a_refreshed_service_key_keeps_its_bot_user(sdk):
    arize = _Account(sdk)
    made = arize.create_service_key()
    new = arize.value("refresh", api_key_id=made["id"])
    listed = arize.value("list", key_type=sdk.spelled("service"))["keys"]

    assert [new["id"]] == [key["id"] for key in listed]
    assert made.get("bot_user") == listed[0].get("bot_user")
    assert "bot_user" not in new


def test_a_refresh_may_give_a_longer_life_except_today(sdk):
    arize = _Account(sdk)
    old_id, _ = arize.state.seed_user_key("ci", expires_at=START + DAY)
    longer = arize.ask("refresh", api_key_id=old_id, expires_at=(START + 2 * DAY).isoformat())

    if sdk.era == "C":
        assert (422, "UnprocessableEntityException") == (longer["status"], longer["refused"])
        assert ["ci", "management"] == sorted(key.name for key in arize.state.active(START))
    else:
        assert START + 2 * DAY == at(longer["value"]["expires_at"])


def test_leaving_the_expiry_out_makes_it_endless_except_today(sdk):
    arize = _Account(sdk)
    old_id, _ = arize.state.seed_user_key("ci", expires_at=START + DAY)
    endless = arize.ask("refresh", api_key_id=old_id)

    if sdk.era == "C":
        assert 422 == endless["status"]
    else:
        assert endless["value"].get("expires_at") is None


def test_a_removed_key_is_refused_and_listed_as_gone(sdk):
    arize = _Account(sdk)
    key_id, raw = arize.state.seed_user_key("ci")
    first = arize.ask(sdk.remove, api_key_id=key_id)
    again = arize.ask(sdk.remove, api_key_id=key_id)
    used = arize.ask("list", key=raw)
    gone = arize.value("list", status=sdk.gone)["keys"]
    alive = arize.value("list", status=sdk.spelled("active"))["keys"]

    assert {"value": None} == first
    assert (404 if sdk.era == "A" else None) == again.get("status")
    assert 401 == used["status"]
    assert [("ci", sdk.gone)] == [(key["name"], key["status"]) for key in gone]
    assert ["management"] == names(alive)


def test_a_key_that_is_not_there_is_not_found(sdk):
    arize = _Account(sdk)
    answers = [
        arize.ask("refresh", api_key_id="bm90OnRoZXJl"),
        arize.ask(sdk.remove, api_key_id="bm90OnRoZXJl"),
    ]

    assert ["NotFoundException"] * 2 == [answer["refused"] for answer in answers]

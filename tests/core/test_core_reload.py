"""Files that change while the daemon runs: taken, refused, or left for a restart."""

import asyncio
import os

import pytest

from rotator.events import Event
from rotator.reload import Reloader
from rotator.roster import Change, Roster
from rotator.settings import Source

ENVIRON = {"ARIZE_API_KEY": "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789"}
TEXT = """\
arize:
  api_key: {env: ARIZE_API_KEY}
files: {directory: keys}
policies:
  - name: ci
    key: {id: k1}
    rotate: {before_expiry: 7d}
    deliver: {path: apps/ci/arize, field: api_key}
"""
OTHER = TEXT.partition("policies:\n")[2].replace("ci", "other").replace("k1", "k2")


class Stage:
    """A reloader over real files, looked through by hand."""

    def __init__(self, path):
        self.path = path
        self.events = []
        self.write(TEXT)
        self.begin()

    def begin(self, kind=Source):
        source = kind([self.path], ENVIRON)
        settings = source.load()
        self.roster = Roster(settings.policies)
        self.reloader = Reloader(
            settings,
            source,
            take=lambda new: self.roster.configure(new.policies),
            emit=lambda event, **fields: self.events.append((event, fields)),
        )

    def write(self, text):
        self.path.write_text(text, encoding="utf-8")

    async def look(self, times=2):
        """As often as it takes to notice a change, and to see that it rests."""
        for _ in range(times):
            await self.reloader.look()
        told, self.events = self.events, []
        return told


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path / "rotator.yaml")


def reloaded(policies=1, **names):
    return (
        Event.CONFIG_RELOADED,
        {"policies": policies, "added": (), "removed": (), "changed": (), **names},
    )


async def test_nothing_is_read_as_long_as_nothing_changes(stage):
    assert [] == await stage.look(5)


async def test_a_change_is_taken_when_it_rests(stage):
    stage.write(TEXT + OTHER)

    assert [] == await stage.look(1)
    assert [reloaded(2, added=("other",))] == await stage.look(1)
    assert [] == await stage.look(5)


async def test_a_file_that_is_being_written_is_left_alone(stage):
    for end in range(40, len(TEXT), 40):
        stage.write(TEXT[:end])
        assert [] == await stage.look(1)


async def test_each_change_is_told(stage):
    stage.write(TEXT.replace("7d", "8d"))
    assert [reloaded(changed=("ci",))] == await stage.look()
    stage.write(TEXT.replace("name: ci", "name: cd"))
    assert [reloaded(added=("cd",), removed=("ci",))] == await stage.look()


async def test_what_says_the_same_in_other_words_is_no_news(stage):
    stage.write(f"# a comment\n{TEXT}")

    assert [] == await stage.look()


async def test_whoever_asks_gets_an_answer_at_once(stage):
    stage.reloader.ask()

    assert [reloaded()] == await stage.look(1)
    assert [] == await stage.look(5)


async def test_a_mistake_is_told_once_in_the_usual_words_and_the_old_one_stays(stage):
    stage.write(TEXT.replace("before_expiry", "befor_expiry").replace("k1", "''"))
    told = await stage.look(5)

    assert [
        (
            Event.CONFIG_REFUSED,
            {"problem": f"{stage.path}:6: policies[0].key.id: must not be empty; fill it in"},
        ),
        (
            Event.CONFIG_REFUSED,
            {
                "problem": f"{stage.path}:7: policies[0].rotate.befor_expiry: unknown key; did you"
                " mean `before_expiry`?"
            },
        ),
    ] == told
    assert ["ci"] == [policy.name for policy in stage.roster]


async def test_after_a_mistake_the_next_change_is_taken(stage):
    stage.write("nonsense: [")
    await stage.look()
    stage.write(TEXT.replace("7d", "8d"))

    assert [reloaded(changed=("ci",))] == await stage.look()


async def test_a_mistake_that_is_taken_back_is_told_to_be_over(stage):
    stage.write("nonsense: [")
    await stage.look()
    stage.write(TEXT)

    assert [reloaded()] == await stage.look()
    stage.write(f"# a comment\n{TEXT}")
    assert [] == await stage.look(), "and is told once"


async def test_a_file_that_is_gone_is_a_mistake_and_one_that_is_back_is_a_change(stage):
    stage.path.unlink()
    ((event, _),) = await stage.look()
    assert Event.CONFIG_REFUSED == event
    stage.write(TEXT.replace("7d", "8d"))

    assert [reloaded(changed=("ci",))] == await stage.look()


async def test_what_changed_before_the_first_look_is_noticed(tmp_path):
    stage = Stage(tmp_path / "rotator.yaml")
    stage.write(TEXT.replace("7d", "8d"))

    assert [reloaded(changed=("ci",))] == await stage.look(2)


async def test_a_warning_comes_with_the_change_that_brings_it(stage):
    stage.write(TEXT.replace("before_expiry: 7d", "before_expiry: 10m, grace_period: 1h"))
    told = await stage.look()

    assert [Event.CONFIG_WARNING, Event.CONFIG_RELOADED] == [event for event, _ in told]


async def test_a_warning_is_not_repeated_with_every_change(stage):
    brief = TEXT.replace("before_expiry: 7d", "before_expiry: 10m, grace_period: 1h")
    brief_too = OTHER.replace("before_expiry: 7d", "before_expiry: 20m, grace_period: 1h")
    told = []
    for text in (brief, brief + OTHER, "# A line more.\n" + brief, brief + brief_too):
        stage.write(text)
        told.append(await stage.look())

    warned = [[f["problem"] for e, f in one if e is Event.CONFIG_WARNING] for one in told]
    assert [1, 0, 0, 1] == list(map(len, warned))
    assert "policies[1]" in warned[-1][0]


async def test_a_hook_with_another_address_is_a_change(stage):
    hooked = TEXT + "    notify: [{http: {url: 'https://a.test'}}]\n"
    stage.write(hooked)
    assert [reloaded(changed=("ci",))] == await stage.look()
    stage.write(hooked.replace("a.test", "b.test"))
    assert [reloaded(changed=("ci",))] == await stage.look()


# --- what a daemon keeps ---


async def test_with_another_provider_or_store_nothing_is_taken(stage):
    stage.write(TEXT.replace("keys}", "elsewhere}") + OTHER)

    assert [
        (Event.CONFIG_RESTART_NEEDED, {"sections": ["files"], "policies_taken": False})
    ] == await stage.look()
    assert ["ci"] == [policy.name for policy in stage.roster]


async def test_how_the_work_is_done_waits_for_a_restart_and_the_policies_do_not(stage):
    stage.write(f"{TEXT}{OTHER}run: {{relist: 1m}}\nlog: {{level: debug}}\n")

    assert [
        (Event.CONFIG_RESTART_NEEDED, {"sections": ["run", "log"], "policies_taken": True}),
        reloaded(2, added=("other",)),
    ] == await stage.look()


# --- as Kubernetes does it ---


async def test_a_config_map_that_is_swapped_is_noticed(tmp_path):
    for version, text in (("1", TEXT), ("2", TEXT.replace("7d", "8d"))):
        (tmp_path / version).mkdir()
        (tmp_path / version / "rotator.yaml").write_text(text, encoding="utf-8")
        # As old, and as long, as the other.
        os.utime(tmp_path / version / "rotator.yaml", (0, 0))
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "rotator.yaml").symlink_to("..data/rotator.yaml")
    stage = Stage.__new__(Stage)
    stage.path, stage.events = tmp_path, []
    stage.begin()
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").rename(tmp_path / "..data")

    assert [reloaded(changed=("ci",))] == await stage.look()


async def test_a_file_that_comes_into_a_directory_is_noticed(tmp_path):
    stage = Stage(tmp_path / "a.yaml")
    stage.path = tmp_path
    stage.begin()
    (tmp_path / "b.yaml").write_text(f"policies:\n{OTHER}", encoding="utf-8")

    assert [reloaded(2, added=("other",))] == await stage.look()


# --- for as long as it runs ---


class Broken(Source):
    """Fails when it is read for the second time, in a way that nobody foresaw."""

    count = 0

    def load(self):
        self.count += 1
        settings = super().load()
        if self.count == 2:
            raise RecursionError
        return settings


async def test_a_fault_of_our_own_is_told_and_the_next_change_is_taken(stage):
    stage.begin(Broken)
    stage.reloader.ask()
    ((event, fields),) = await stage.look(1)
    assert (Event.CRASHED, RecursionError) == (event, type(fields["exception"]))

    stage.write(TEXT.replace("7d", "8d"))
    assert [reloaded(changed=("ci",))] == await stage.look()


async def test_it_watches_until_it_is_cancelled(stage):
    watching = asyncio.create_task(stage.reloader.watch())
    stage.reloader.ask()
    while not stage.events:  # noqa: ASYNC110 - files are read in a thread
        await asyncio.sleep(0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert [reloaded()] == stage.events


def test_a_change_of_nothing_is_none():
    assert not Change((), (), ())

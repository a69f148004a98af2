from rotator.model import Spooled
from rotator.ports import Conflict, NoSpool
from rotator.secrets import Secret


def test_one_lost_race_is_like_another():
    assert Conflict() == Conflict()


async def test_without_a_spool_nothing_is_kept():
    spool, entry = NoSpool(), Spooled("ci", "0123456789abcdef", 1, Secret("ak-canary"))
    await spool.put(entry)

    assert () == await spool.find("ci")
    assert entry == await spool.opened(entry)
    assert ((), ()) == (await spool.places(), await spool.obstacles())

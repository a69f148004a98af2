"""The key pair of the spool, on the stand-in and on a real server."""

import pytest
from vault_servers import available, started, unique

from rotator.adapters.spool import SealedSpool
from rotator.adapters.spool_keys import KeyPair
from rotator.adapters.vault import TokenAuth, VaultOptions, VaultStore
from rotator.errors import NotPermitted
from rotator.model import Spooled
from rotator.secrets import Secret

ENTRY = Spooled("ci", "0123456789abcdef", 1, Secret("ak-CANARYabcdefghijklmnopqrstuvwxyz"))
BARE = Spooled("ci", "0123456789abcdef", 1)


def quiet(_, **__):
    pass


@pytest.fixture(scope="module", params=available())
def server(request):
    with started(request.param) as running:
        yield running


@pytest.fixture
async def spools(server, tmp_path):
    """Spools in one directory, each of a process with a token of its own."""
    stores, prefix = [], unique("journal")

    def spool(token=None):
        auth = TokenAuth(lambda: token or Secret(server.token))
        options = {"namespace": server.namespace, "journal_prefix": prefix}
        stores.append(VaultStore(VaultOptions(server.address, auth, **options), quiet))
        return SealedSpool(tmp_path, KeyPair(stores[-1]), quiet)

    spool.prefix = prefix
    yield spool
    for store in stores:
        await store.close()


async def test_what_one_process_seals_the_next_one_opens(spools):
    first, second = spools(), spools()
    assert None is await first.prepare()
    assert None is await first.put(ENTRY)

    assert (BARE,) == await second.find("ci")
    assert ENTRY == await second.opened(BARE)


async def test_the_capabilities_of_the_journal_are_enough(server, spools):
    rules = {f"secret/data/{spools.prefix}/*": ["create", "read", "update"]}
    spool = spools(server.token_with(policies=[server.policy(**rules)]))

    assert None is await spool.prepare()
    assert None is await spool.put(ENTRY)
    assert ENTRY == await spool.opened(BARE)


async def test_who_may_not_read_the_private_half_opens_nothing(server, spools):
    assert None is await spools().prepare()
    rules = {
        f"secret/data/{spools.prefix}/*": ["create", "read", "update"],
        f"secret/data/{spools.prefix}/_spool_private": ["deny"],
    }
    spool = spools(server.token_with(policies=[server.policy(**rules)]))

    assert None is await spool.prepare()
    assert None is await spool.put(ENTRY)
    assert BARE == await spool.opened(BARE)


async def test_who_may_read_nothing_seals_nothing(server, spools):
    token = server.token_with(policies=[server.policy(**{"secret/data/other": ["read"]})])

    assert isinstance(await spools(token).prepare(), NotPermitted)

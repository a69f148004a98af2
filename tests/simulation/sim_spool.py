"""The disk of a machine, on which several processes may run one after the other."""

import asyncio
from dataclasses import replace

from sim_network import Fault

from rotator.errors import Permanent, RotatorError, Temporary

#: How long the adapter waits for a slow disk.
PATIENCE = 0.5


class Disk:
    """What survives the processes of one machine."""

    def __init__(self):
        self.entries = {}
        #: Entries that were destroyed: a slow write of one does not bring it back.
        self.unwanted = set()

    def put(self, entry):
        if _name(entry) not in self.unwanted:
            self.entries[_name(entry)] = entry

    def remove(self, entry):
        self.unwanted.add(_name(entry))
        self.entries.pop(_name(entry), None)


class SimSpool:
    """The spool as one process sees it. What is sealed needs the store to be opened."""

    def __init__(self, actor, network, disk):
        self._actor, self._network, self._disk = actor, network, disk

    async def prepare(self):
        return None

    async def put(self, entry):
        def work(fault):
            if fault is Fault.SLOW:
                delay = self._actor.random.uniform(1, 30)
                asyncio.get_running_loop().call_later(delay, self._disk.put, entry)
                return Temporary("the disk is slow")
            if fault is Fault.FULL:
                return Temporary("the disk is full")
            return self._disk.put(entry)

        return await self._ask("spool", "spool", work)

    async def find(self, policy):
        return tuple(
            replace(entry, secret=None)
            for entry in self._disk.entries.values()
            if entry.policy == policy
        )

    async def opened(self, entry):
        found = await self._ask("read", "open", lambda _: self._disk.entries.get(_name(entry)))
        if isinstance(found, Temporary):
            raise found
        return found if found and not isinstance(found, RotatorError) else entry

    async def destroy(self, entry):
        def work(fault):
            if fault is Fault.FULL:
                return Temporary("the disk is read-only")
            return self._disk.remove(entry)

        return await self._ask("spool", "destroy", work)

    async def _ask(self, kind, label, work):
        try:
            return await self._network.request(self._actor, kind, label, work)
        except RotatorError as error:
            return error
        except RuntimeError:
            return Permanent("a fault in the adapter")


def _name(entry):
    return entry.policy, entry.rotation, entry.mint

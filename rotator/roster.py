"""Which policies a daemon looks after, while its configuration changes under it. Pure.

A rotation ends under the rules that it began with: as long as the journal shows one in flight, the
old policy stays. One that is configured no more stays, begins nothing, and goes when its last old
key has gone and its hooks have heard. A new one that is about the same key, or delivers to the same
place, waits for that: two must not be at one key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rotator.journal import Journal
    from rotator.model import Policy


class Change(NamedTuple):
    """Names of policies, by what a new configuration does to them."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    @classmethod
    def between(cls, old: Mapping[str, object], new: Mapping[str, object]) -> Change:
        """What makes ``new`` of ``old``, both by their names."""
        return cls(
            added=tuple(name for name in new if name not in old),
            removed=tuple(name for name in old if name not in new),
            changed=tuple(name for name in new if name in old and new[name] != old[name]),
        )

    def __bool__(self) -> bool:
        return any(self[:])


class Roster:
    """Policies by their names: those that are looked after, and those that are configured."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._configured = {policy.name: policy for policy in policies}
        self._present = dict(self._configured)

    def __iter__(self) -> Iterator[Policy]:
        """All that are looked after, also while some come and go."""
        return iter(tuple(self._present.values()))

    def get(self, name: str) -> Policy | None:
        """The policy that is looked after under this name; None when there is none."""
        return self._present.get(name)

    def configure(self, policies: Iterable[Policy]) -> Change:
        """Take note of a new configuration. What it changes shows in :meth:`is_unsettled`."""
        old, new = self._configured, {policy.name: policy for policy in policies}
        self._configured = new
        return Change.between(old, new)

    def is_unsettled(self, name: str) -> bool:
        """Whether another policy is configured under this name than is looked after."""
        return self._present.get(name) != self._configured.get(name)

    def settle(self, name: str, journal: Journal) -> bool:
        """Take up what is configured, unless ``journal`` forbids it; whether that changed a thing.

        Relies on a policy of this name that is looked after.
        """
        old, new = self._present[name], self._configured.get(name)
        if old == new:
            return False
        if new is None:
            return self._leave(old, journal)
        if journal.rotation is not None:
            return False
        self._present[name] = new
        return True

    def drop(self, name: str) -> None:
        """Look after it no more."""
        del self._present[name]

    def join(self) -> tuple[str, ...]:
        """Begin to look after those that are new, and in nobody's way; their names."""
        taken = {
            claim
            for policy in self._present.values()
            if policy.name not in self._configured
            for claim in _claims(policy)
        }
        new = [
            policy
            for name, policy in self._configured.items()
            if name not in self._present and taken.isdisjoint(_claims(policy))
        ]
        self._present |= {policy.name: policy for policy in new}
        return tuple(policy.name for policy in new)

    def _leave(self, old: Policy, journal: Journal) -> bool:
        if journal.rotation is None and not _has_to_end(old, journal):
            self.drop(old.name)
            return True
        self._present[old.name] = replace(old, leaving=True)
        return not old.leaving


def _has_to_end(policy: Policy, journal: Journal) -> bool:
    """Whether old keys are to be revoked, or hooks to be told."""
    revokes = bool(journal.retiring) and not policy.suspend
    return revokes or any(notice.hook in policy.hooks for notice in journal.notices)


def _claims(policy: Policy) -> set[str]:
    return {str(policy.selector), *(str(target) for target in policy.targets)}

"""Which policies have a key of which name, as far as that takes no request."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING

from rotator.errors import RotatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rotator.listings import Listings
    from rotator.model import Policy, Selector


class Namesakes:
    """Policies by what they name, by what a look at them has shown, or by a listing that is here.

    Indexed, since thousands of policies may ask at once.
    """

    def __init__(self, listings: Listings) -> None:
        self._listings = listings
        self._policies: Iterable[Policy] = ()
        self._called: dict[str, Policy] = {}
        #: By the id that they give.
        self._giving: dict[str, list[Policy]] = {}
        #: By policy: what it gave, and the name of that key.
        self._known: dict[str, tuple[Selector, str]] = {}
        #: By the name of their key: what they are called.
        self._bearing: dict[str, set[str]] = defaultdict(set)
        self._unknown: dict[str, Policy] = {}

    def note(self, policy: Policy, name: str) -> None:
        """The key of ``policy`` has this ``name``."""
        known = self._known.get(policy.name)
        if known == (policy.selector, name):
            return
        if known is not None:
            self._bearing[known[1]].discard(policy.name)
        self._known[policy.name] = policy.selector, name
        self._bearing[name].add(policy.name)
        self._unknown.pop(policy.name, None)

    def giving(self, policies: Iterable[Policy], key_id: str) -> Sequence[Policy]:
        """Those of ``policies`` that give this id."""
        self._sort(policies)
        return self._giving.get(key_id, ())

    async def bearing(
        self, policies: Iterable[Policy], names: Iterable[str]
    ) -> list[tuple[Policy, str | None]]:
        """Those of ``policies`` whose key has one of ``names``, which one, and None: nobody knows.

        Those are the last. They are the ones whose key was replaced by another since, and of which
        no look has told.
        """
        self._sort(policies)
        for policy in tuple(self._unknown.values()):
            if name := await self._listed(policy):
                self.note(policy, name)
        named = ((self._called.get(one), name) for name in names for one in self._bearing[name])
        known: list[tuple[Policy, str | None]] = [(one, name) for one, name in named if one]
        return known + [(one, None) for one in self._unknown.values()]

    def _sort(self, policies: Iterable[Policy]) -> None:
        if policies is self._policies:
            return
        self._policies, self._unknown, self._giving = policies, {}, {}
        self._called = {policy.name: policy for policy in policies}
        for policy in policies:
            given = policy.selector
            if given.id is not None:
                self._giving.setdefault(given.id, []).append(policy)
            if given.name is not None:
                self.note(policy, given.name)
            elif policy.name not in self._known or self._known[policy.name][0] != given:
                self._unknown[policy.name] = policy

    async def _listed(self, policy: Policy) -> str | None:
        for scope in policy.selector.scopes:
            if self._listings.has(scope):
                with contextlib.suppress(RotatorError):
                    key = (await self._listings.get(scope)).by_id.get(policy.selector.id or "")
                    if key is not None:
                        return key.name
        return None

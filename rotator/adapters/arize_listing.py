"""The pages of one listing, added up. Pure.

A listing decides what is rotated, repaired and revoked, so it is whole or it is an error: a page
left out would look like keys that are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.errors import Temporary
from rotator.keys import Listing

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.adapters.arize_wire import Page
    from rotator.keys import Key

#: At 100 keys a page, far more than any account holds.
_MOST_PAGES = 10_000
#: Pages in a row that bring no new key, after which a listing counts as endless. Some are fair: a
#: service may filter after it has cut the pages.
_MOST_BARREN = 10


class Pages:
    """Adds up pages; ``doing`` names the listing in errors."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._keys: dict[str, Key] = {}
        self._cursors: set[str] = set()
        self._barren = 0
        #: Items that could not even be named.
        self.skipped = 0

    def add(self, page: Page) -> str | None:
        """Take a page; answers the cursor of the next one, None after the last.

        Raises:
            Temporary: The listing cannot be trusted: it does not end, says that it goes on without
                saying where, or has a key whose expiry cannot be read. Taken as "never", that one
                would be left to die; taken as now, it would be rotated by mistake; left out, it
                would look revoked. No guess is safe, so nothing is decided from such a listing.
        """
        if page.unclear:
            keys = ", ".join(key.key_id for key in page.unclear[:3])
            raise Temporary(
                f"{self._doing}: the expiry of {keys} cannot be read",
                remedy="see whether a newer rotator knows this spelling of a time",
            )
        known = len(self._keys)
        self._keys |= {key.id: key for key in page.keys}
        self.skipped += page.skipped
        self._barren = self._barren + 1 if len(self._keys) == known else 0
        return self._next(page) if page.more else None

    def listing(self, taken_at: datetime) -> Listing:
        """All keys, each once, as its last page showed it."""
        return Listing(tuple(self._keys.values()), taken_at)

    def _next(self, page: Page) -> str:
        if page.cursor is None:
            raise Temporary(f"{self._doing}: there are more pages, and no cursor to the next")
        if page.cursor in self._cursors:
            raise Temporary(f"{self._doing}: the pages go round in a circle")
        if self._barren >= _MOST_BARREN or len(self._cursors) >= _MOST_PAGES:
            raise Temporary(f"{self._doing}: the pages do not end")
        self._cursors.add(page.cursor)
        return page.cursor

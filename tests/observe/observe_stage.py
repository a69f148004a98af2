"""A board that has seen what a test wants it to have seen."""

from dataclasses import replace

from pure_builders import (
    HOUR,
    MINUTE,
    NOW,
    key,
    lineage,
    policy,
    record,
    retiring,
    snapshot,
)

from rotator.decide import decide
from rotator.observe.board import Board
from rotator.observe.health import liveness
from rotator.observe.web import page
from rotator.observe.web.site import Access, Answer, Site

#: Anything that could end a tag, an attribute or a script.
EVIL = """<script>alert("x")</script>'"&<b>"""


class Clocks:
    """Both clocks, which stand still but for a test's word."""

    def __init__(self):
        self.at = NOW
        self.seconds = 0.0

    def now(self):
        return self.at

    def monotonic(self):
        return self.seconds


def board(*names, **options):
    clocks = Clocks()
    made = Board(names or ("ci-key",), now=clocks.now, monotonic=clocks.monotonic, **options)
    made.clocks = clocks
    return made


def well(name="ci-key", **changes):
    """A policy whose key was rotated ten days ago, and lives for eighty more."""
    return snapshot(
        key(), policy=policy(name=name), journal=lineage(history=(record(),)), **changes
    )


def drifted(name="ci-key"):
    return replace(well(name), held=snapshot(holding=("two",)).held)


def leaving(name="ci-key", **changes):
    """An old key's grace runs for an hour."""
    entry = retiring(**{"at": NOW + HOUR} | changes)
    journal = lineage(retiring=(entry,), history=(record(finished_at=NOW - MINUTE),))
    return snapshot(key(), policy=policy(name=name), journal=journal)


def look(board, s):
    board.seen(s, decide(s))
    return board


def page_site(board, access=None):
    """The page and one check, for a browser."""
    headers = {"Content-Security-Policy": page.security_policy()}
    return Site(
        access or Access(is_local=True),
        {"/livez": lambda: liveness(board)},
        {"/": lambda _: Answer(200, "text/html; charset=utf-8", page.render(board), headers)},
    )


FAILED = {"error": "Vault is sealed", "error_code": "unavailable", "remedy": "unseal it"}
ROTATED = {
    "policy": "ci-key",
    "strategy": "reissue",
    "danger_seconds": 0.003,
    "duration_seconds": 0.2,
}
SOON = NOW + MINUTE

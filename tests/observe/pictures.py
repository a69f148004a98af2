"""The pictures of the page in docs/images: ``make pictures``.

The page is what the program makes of these policies, in a real browser; only they are made up.
"""

import io
from datetime import timedelta
from pathlib import Path

from browser import PHONE, browsing
from observe_stage import board, look, page_site
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    TARGETS,
    current,
    key,
    policy,
    record,
    retiring,
    secret,
    snapshot,
)

from rotator.events import Event
from rotator.journal import Journal
from rotator.model import Held, Selector
from rotator.observe.web.port import serving

_TO = Path(__file__).parents[2] / "docs" / "images"
_WIDTH = 1120


def aged(  # noqa: PLR0913 - a story
    name, *, every, since, life=None, failed=(), repaired=(), holding=None, grace=HOUR
):
    """A policy whose key was rotated ``since`` ago, and each ``every`` before that."""
    ends = [NOW - since - every * at for at in range(1 + int((100 * DAY - since) / every))]
    label = f"{name[:1]}Xb7"
    here = key(label, name=name, created_at=ends[0], expires_at=ends[0] + life if life else None)
    history = []
    for at, end in enumerate(ends):
        outcome = "failed" if at in failed else "repaired" if at in repaired else "completed"
        history.append(
            record(
                strategy="reissue" if life else "refresh",
                outcome=outcome,
                started_at=end - timedelta(milliseconds=214),
                finished_at=end,
                old_redacted=f"ak-{name[:1]}Q{at}...{at}kz",
                redacted=str(here.redacted),
                old_valid_until=None if outcome == "failed" else end + grace,
                danger_seconds=None if outcome == "failed" else 0.0031 + at / 1000,
            )
        )
    journal = Journal(
        selector=f"id {here.id}",
        current=current(label, since=ends[0], lifetime=life),
        history=tuple(history),
        retiring=(retiring(redacted=f"ak-{name[:1]}Q0...0kz", at=ends[0] + grace),)
        if since < grace
        else (),
    )
    rules = {"before_expiry": every / 5} if life else {"before_expiry": None, "max_age": every}
    made = policy(name=name, selector=Selector(id=here.id), grace=grace, **rules)
    value = secret(holding or label)
    return snapshot(here, policy=made, journal=journal, held=(Held(TARGETS[0], value, 7),))


def story():
    """Six policies of a team, two of which want a look."""
    known = board("ci-pipeline", "reports", "ingest", "batch", "evals", "management")
    for s in (
        aged("ci-pipeline", every=20 * DAY, since=9 * DAY, life=25 * DAY),
        aged("reports", every=30 * DAY, since=22 * MINUTE, life=90 * DAY, repaired=(1,)),
        aged("ingest", every=25 * DAY, since=24 * DAY, life=30 * DAY, failed=(1,)),
        aged("batch", every=40 * DAY, since=12 * DAY, holding="two"),
        aged("evals", every=15 * DAY, since=4 * DAY, grace=2 * DAY),
        aged("management", every=35 * DAY, since=18 * DAY, life=60 * DAY),
    ):
        look(known, s)
    known.called("arize", "list", 200, 0.1)
    known.called("vault", "read", 200, 0.1)
    known.heard(Event.VAULT_LOGIN, ttl_seconds=2700)
    known.clocks.at -= 17 * MINUTE
    known.heard(
        Event.POLICY_FAILED,
        policy="ingest",
        retry_at=NOW,
        error="POST secret/data/apps/ingest/arize: permission denied, also right after a login",
        error_code="notpermitted",
        remedy="Grant the path in the policy of the token.",
    )
    known.clocks.at = NOW
    return known


def main():
    """Write them all."""
    _TO.mkdir(exist_ok=True)
    with serving(page_site(story()), "127.0.0.1", 0) as port, browsing() as browser:
        url = f"http://127.0.0.1:{port}/"
        for name, size, dark in (
            ("status-light", (_WIDTH, 800), False),
            ("status-dark", (_WIDTH, 800), True),
            ("status-phone", PHONE, False),
        ):
            browser.open(url, size=size, dark=dark)
            (_TO / f"{name}.png").write_bytes(_small(browser.picture()))


def _small(picture):
    """In as many colours as the page has, which takes a quarter of the bytes."""
    from PIL import Image  # noqa: PLC0415 - the story is for tests as well, which need no pictures

    made = io.BytesIO()
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    few = whole.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(made, "PNG", optimize=True)
    return made.getvalue()


if __name__ == "__main__":
    main()

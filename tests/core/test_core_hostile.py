"""Whatever lies in the store and whatever the provider lists: no rotation by mistake, no crash."""

import asyncio
import json
import tempfile
from datetime import timedelta
from pathlib import Path

from adapter_arize_stage import NOW, Stage, listed, ok
from hypothesis import given, strategies as st

from rotator.adapters.files import FileStore
from rotator.events import Event
from rotator.journal import Current, Journal, Lease, Record, Retiring, encode
from rotator.listings import Listings
from rotator.model import Limits, OnDrift, Policy, Selector, Target
from rotator.ports import World
from rotator.reconcile import Reconciler
from rotator.runner import Runner

DAY = timedelta(days=1)
RAW = "ak-Canary1Held1Raw1Key1that1is1in1the1store1987654321"
REDACTED = f"{RAW[:6]}...{RAW[-3:]}"
POLICY = Policy(
    name="ci",
    selector=Selector(id="K1"),
    targets=(Target("apps/ci", "api_key"),),
    grace=timedelta(hours=1),
    before_expiry=7 * DAY,
    max_age=30 * DAY,
    on_drift=OnDrift.ALARM,
)
#: A key that is not due: a day old, with 80 days to live.
KEY = listed(
    "K1",
    redacted_key=REDACTED,
    created_at=(NOW - DAY).isoformat(),
    expires_at=(NOW + 80 * DAY).isoformat(),
)
JOURNAL = Journal(
    selector=str(POLICY.selector),
    changed_at=NOW - DAY,
    lease=Lease(owner="other", taken_at=NOW - DAY, until=NOW - DAY),
    current=Current(
        key_id="K1",
        redacted=REDACTED,
        fingerprint="sha256:0123456789abcdef",
        since=NOW - DAY,
        expires_at=NOW + 80 * DAY,
        lifetime=81 * DAY,
    ),
    retiring=(Retiring(key_id="K0", redacted="ak-old...old", at=NOW + DAY, rotation="r"),),
    history=(
        Record(
            rotation="r",
            reason="key_near_expiry",
            strategy="reissue",
            outcome="completed",
            started_at=NOW - DAY,
            finished_at=NOW - DAY,
            old_key_id="K0",
            old_redacted="ak-old...old",
            key_id="K1",
            redacted=REDACTED,
        ),
    ),
)
odd = st.sampled_from([None, True, -1, 1e300, "", "x", "\x00", "9999-12-31T23:59:59Z", [], {}])


def places(value, where=()):
    """The path of everything in a document."""
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for name, inner in inside:
        yield (*where, name)
        yield from places(inner, (*where, name))


@st.composite
def damaged(draw, document):
    """``document`` as a file: cut, or with something odd somewhere in it, or neither."""
    document = json.loads(json.dumps(document))
    for where in draw(st.lists(st.sampled_from(sorted(places(document), key=str)), max_size=2)):
        inner = document
        for part in where[:-1]:
            inner = inner[part] if _has(inner, part) else None
        if _has(inner, where[-1]):
            inner[where[-1]] = draw(odd)
    data = json.dumps(document).encode()
    return data[: draw(st.just(len(data)) | st.integers(0, len(data)))]


def _has(inner, part):
    if isinstance(inner, dict):
        return part in inner
    return isinstance(inner, list) and isinstance(part, int) and part < len(inner)


def looked(journal, secret, key):
    """A pass over the policy; the requests that changed something, and the events."""
    events = []
    stage = Stage(lambda _: ok({"api_keys": [key], "pagination": {"has_more": False}}))

    async def run(folder):
        world = World(
            issuer=stage.issuer,
            store=FileStore(folder),
            clock=stage.clock,
            emit=lambda event, /, **fields: events.append((event, fields)),
            limits=Limits(),
            me="we",
            new_id=lambda: "new",
            jitter=lambda: 0.5,
        )
        reconciler = Reconciler(world, Listings(stage.issuer, stage.clock))
        runner = Runner(world, reconciler, concurrency=1)
        await runner.once([POLICY], demanded=False, patience=timedelta(0))

    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("journal/ci", journal), ("secrets/apps/ci", secret)):
            file = Path(folder, f"{name}.json")
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
        asyncio.run(run(Path(folder)))
    return [one for one in stage.asked if not one.startswith("GET")], events


def stored(document):
    return {"version": 3, "data": document}


@given(
    journal=damaged(stored(encode(JOURNAL))),
    secret=damaged(stored({"api_key": RAW, "theirs": "x"})),
)
def test_no_damage_in_the_store_leads_to_a_rotation_or_a_crash(journal, secret):
    changes, events = looked(journal, secret, KEY)

    assert [] == [one for one in changes if "refresh" in one or one.endswith("/v2/api-keys")]
    assert [] == [one for one in changes if "K1" in one], "the key in use is never revoked"
    assert "internal" not in {fields.get("error_code") for _, fields in events}
    assert RAW not in str(events)


@given(data=st.data(), member=st.sampled_from(sorted(KEY)))
def test_no_oddity_of_a_listed_key_leads_to_a_rotation_or_a_crash(data, member):
    key = {**KEY, member: data.draw(odd)}

    whole = json.dumps(stored(encode(JOURNAL))).encode()
    held = json.dumps(stored({"api_key": RAW})).encode()
    changes, events = looked(whole, held, key)

    assert [] == changes
    assert "internal" not in {fields.get("error_code") for _, fields in events}
    assert Event.PASS_COMPLETED in {event for event, _ in events}

"""Any snapshot of well-formed parts, for properties: few names and moments, so that they meet."""

from dataclasses import replace

from hypothesis import strategies as st
from pure_builders import (
    BINDINGS,
    DAY,
    HOUR,
    ME,
    MINUTE,
    NOTHING,
    NOW,
    OTHER,
    SECOND,
    TARGETS,
    TICK,
    Every,
    Never,
    held,
    secret,
    shown,
    unseen,
)

from rotator.journal import (
    Current,
    Journal,
    Lease,
    Mint,
    Notice,
    PutBack,
    Record,
    Retiring,
    Rotation,
)
from rotator.keys import Key, KeyStatus, KeyType
from rotator.model import Choice, Limits, OnDrift, Policy, Selector, Snapshot, Spooled

LABELS = ("old", "new", "two", "ret")
SPANS = (NOTHING, TICK, SECOND, 20 * SECOND, 35 * SECOND, MINUTE, HOUR, DAY, 14 * DAY, 90 * DAY)

labels = st.sampled_from(LABELS)
ids = labels.map("id-{}".format)
names = st.sampled_from(["ci", "x", ""])
looks = labels.map(shown) | st.builds(unseen)
texts = looks.map(str)
spans = st.sampled_from(SPANS)
moments = st.sampled_from([NOW + sign * span for sign in (-1, 1) for span in SPANS])
perhaps = st.none() | moments
lengths = st.none() | spans.filter(bool)


def keys_of(label):
    return st.builds(
        Key,
        id=st.just(f"id-{label}"),
        name=names,
        redacted=st.just(shown(label)) | looks,
        type=st.sampled_from(KeyType),
        status=st.sampled_from(KeyStatus),
        created_at=perhaps,
        expires_at=perhaps,
        created_by=st.none() | names,
        bindings=st.none() | st.just(BINDINGS),
    )


#: At most one of each id, in any order.
keys = st.lists(labels, unique=True).flatmap(
    lambda found: st.tuples(*(keys_of(label) for label in found))
)
mints = st.builds(
    Mint,
    owner=st.sampled_from([ME, OTHER]),
    at=moments,
    strategy=st.sampled_from(["refresh", "reissue"]),
    source_id=ids,
    expires_at=perhaps,
    lifetime=lengths,
)
rotations = st.builds(
    Rotation,
    id=names,
    reason=names,
    started_at=moments,
    selector=names,
    key_id=ids,
    key_name=names,
    redacted=texts,
    fingerprint=st.none() | labels.map(lambda label: secret(label).fingerprint),
    expires_at=perhaps,
    siblings=st.lists(ids, max_size=2).map(tuple),
    grace_deadline=perhaps,
    mints=st.lists(mints, min_size=1, max_size=3).map(tuple),
)
put_backs = st.builds(
    PutBack,
    key_id=ids,
    redacted=texts,
    fingerprint=labels.map(lambda label: secret(label).fingerprint),
    at=moments,
    ends_at=moments,
)
records = st.builds(
    Record,
    rotation=names,
    reason=names,
    strategy=st.sampled_from(["refresh", "reissue"]),
    outcome=st.sampled_from(["completed", "repaired", "failed", "rolled_back"]),
    started_at=moments,
    finished_at=moments,
    old_key_id=ids,
    old_redacted=texts,
    key_id=ids,
    redacted=texts,
)
journals = st.builds(
    Journal,
    selector=st.sampled_from(["", "id id-old", "name 'ci'"]),
    changed_at=perhaps,
    lease=st.none()
    | st.builds(Lease, owner=st.sampled_from([ME, OTHER]), taken_at=moments, until=moments),
    current=st.none()
    | st.builds(
        Current,
        key_id=ids,
        redacted=texts,
        fingerprint=labels.map(lambda label: secret(label).fingerprint),
        since=moments,
        expires_at=perhaps,
        lifetime=lengths,
        put_back=st.none() | put_backs,
    ),
    rotation=st.none() | rotations,
    retiring=st.lists(
        st.builds(Retiring, key_id=ids, redacted=texts, at=moments, rotation=names), max_size=2
    ).map(tuple),
    doubted=st.none().map(lambda _: ()) | rotations.map(lambda one: (one,)),
    notices=st.lists(
        st.builds(
            Notice,
            rotation=names,
            hook=st.sampled_from(["web", "gone"]),
            at=moments,
            until=moments,
            failures=st.integers(0, 9),
        ),
        max_size=2,
    ).map(tuple),
    history=st.lists(records, max_size=1).map(tuple),
)
windows = st.builds(
    Every, spans.filter(lambda span: span >= MINUTE), spans.filter(bool), moments
) | st.builds(Never)
policies = st.builds(
    Policy,
    name=st.just("ci-key"),
    selector=st.builds(
        Selector, id=st.none() | ids, name=names, type=st.none() | st.sampled_from(KeyType)
    ),
    targets=st.just(TARGETS),
    grace=spans,
    before_expiry=lengths,
    max_age=lengths,
    lifetime=lengths,
    strategy=st.sampled_from(Choice),
    min_interval=spans,
    on_drift=st.sampled_from(OnDrift),
    hooks=st.sampled_from([(), ("web",)]),
    bindings=st.none() | st.just(BINDINGS),
    jitter=spans,
    windows=st.lists(windows, max_size=2).map(tuple),
    suspend=st.booleans(),
    leaving=st.booleans(),
)
spooled = st.builds(
    Spooled,
    policy=st.just("ci-key"),
    rotation=names,
    mint=st.integers(1, 3),
    secret=st.none() | labels.map(secret),
)
snapshots = st.builds(
    Snapshot,
    policy=policies,
    keys=keys,
    journal=journals,
    journal_version=st.integers(0, 9),
    held=st.lists(st.none() | labels, min_size=1, max_size=3).map(lambda found: held(*found)),
    now=st.just(NOW),
    me=st.just(ME),
    limits=st.builds(Limits, mints=st.integers(1, 4)),
    demanded=st.booleans(),
    spooled=st.lists(spooled, max_size=2).map(tuple),
)
#: A rotation in flight hides the rest.
resting = snapshots.map(
    lambda s: replace(s, journal=s.journal.model_copy(update={"rotation": None}))
)

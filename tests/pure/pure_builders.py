"""Parts of snapshots with sensible defaults: each test states only what it is about.

The key of every story is ``old``: named ``ci``, 10 days into its 90, held at one target. What a
rotation makes of it is ``new``. Three letters are all it takes to tell secrets apart.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from rotator.journal import Current, Journal, Lease, Mint, Notice, Record, Retiring, Rotation
from rotator.keys import Bindings, Key, KeyType, OrgBinding, Role
from rotator.model import Held, Limits, Policy, Selector, Snapshot, Target
from rotator.pacing import Opening
from rotator.secrets import Redacted, Secret

NOW = datetime(2026, 11, 23, 8, 31, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=each) for each in (1, 60, 3600, 86400))
NOTHING = timedelta(0)
#: Expiries are asked for as from here: a little less than what is wanted.
ASKED = NOW - 5 * SECOND
ME, OTHER = "me", "another"
TARGETS = tuple(Target(f"app/{place}", "key") for place in ("one", "two", "three"))
BINDINGS = Bindings((OrgBinding("org-1", Role(name="member")),))


@dataclass(frozen=True)
class Every:
    """A window that opens every ``period``, also at ``first``, for ``length``."""

    period: timedelta
    length: timedelta
    first: datetime = NOW

    def opening(self, moment):
        count = (moment - self.length - self.first) // self.period + 1
        opens = self.first + count * self.period
        return Opening(opens, opens + self.length)


class Never:
    """A window that opens no more."""

    def opening(self, _):
        return None


def secret(label="old"):
    return Secret(f"ak-{label}{'0' * 30}{label}")


def shown(label="old"):
    return secret(label).redacted


def key(label="old", **changes):
    default = Key(
        id=f"id-{label}",
        name="ci",
        redacted=shown(label),
        created_at=NOW - 10 * DAY,
        expires_at=NOW + 80 * DAY,
    )
    return replace(default, **changes)


def endless(label="old", **changes):
    return key(label, **{"expires_at": None} | changes)


def service(label="old", **changes):
    return key(label, **{"type": KeyType.SERVICE} | changes)


def new(label="new", **changes):
    """What the mint of :func:`rotation` made."""
    return key(label, **{"created_at": NOW - MINUTE, "expires_at": NOW + 90 * DAY} | changes)


def policy(**changes):
    default = Policy(
        name="ci-key",
        selector=Selector(id="id-old"),
        targets=TARGETS[:1],
        grace=HOUR,
        before_expiry=14 * DAY,
    )
    return replace(default, **changes)


def by_name(**changes):
    return policy(**{"selector": Selector(name="ci")} | changes)


def held(*labels):
    """What the targets hold: a secret each, None for nothing."""
    return tuple(
        Held(target, secret(label) if label else None, version)
        for version, (target, label) in enumerate(zip(TARGETS, labels, strict=False))
    )


def snapshot(*keys, holding=("old",), **changes):
    default = Snapshot(
        policy=policy(),
        keys=keys,
        journal=Journal(),
        journal_version=7,
        held=held(*holding),
        now=NOW,
        me=ME,
        limits=Limits(),
    )
    return replace(default, **changes)


def mint(**changes):
    default = Mint(
        owner=ME,
        at=NOW - MINUTE,
        strategy="reissue",
        source_id="id-old",
        expires_at=NOW + 90 * DAY,
        lifetime=90 * DAY,
    )
    return default.model_copy(update=changes)


def rotation(*mints, **changes):
    default = Rotation(
        id="r1",
        reason="key_near_expiry",
        started_at=NOW - MINUTE,
        selector="id id-old",
        key_id="id-old",
        key_name="ci",
        redacted=str(shown()),
        fingerprint=secret().fingerprint,
        expires_at=NOW + 80 * DAY,
        mints=mints or (mint(),),
    )
    return default.model_copy(update=changes)


def lease(owner=ME, **changes):
    default = Lease(owner=owner, taken_at=NOW - 10 * SECOND, until=NOW + 20 * SECOND)
    return default.model_copy(update=changes)


def retiring(label="ret", **changes):
    default = Retiring(key_id=f"id-{label}", redacted=str(shown(label)), at=NOW, rotation="r0")
    return default.model_copy(update=changes)


def notice(hook="web", **changes):
    default = Notice(rotation="r0", hook=hook, at=NOW, until=NOW + DAY)
    return default.model_copy(update=changes)


def current(label="old", **changes):
    default = Current(
        key_id=f"id-{label}",
        redacted=str(shown(label)),
        fingerprint=secret(label).fingerprint,
        since=NOW - 10 * DAY,
    )
    return default.model_copy(update=changes)


def record(**changes):
    default = Record(
        rotation="r0",
        reason="key_near_expiry",
        strategy="reissue",
        outcome="completed",
        started_at=NOW - 10 * DAY,
        finished_at=NOW - 10 * DAY,
        old_key_id="id-ret",
        old_redacted=str(shown("ret")),
        key_id="id-old",
        redacted=str(shown()),
    )
    return replace(default, **changes)


def lineage(label="old", selector="id id-old", **changes):
    """The journal of a policy whose key, after rotations, is ``label``."""
    return Journal(**{"selector": selector, "current": current(label)} | changes)


def in_flight(*mints, **changes):
    """The journal of a rotation in flight."""
    return Journal(rotation=rotation(*mints, **changes))


def unseen():
    """What a provider shows that shows nothing."""
    return Redacted()

"""What a decision is made from, and what it can be. Pure.

Times are aware datetimes in UTC, lengths are timedeltas.
"""

from __future__ import annotations

from dataclasses import dataclass, field as default
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.keys import KeyType, Scope
from rotator.secrets import Masked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.journal import Journal, Notice, Retiring, Strategy
    from rotator.keys import AnyBindings, Key
    from rotator.pacing import Window
    from rotator.secrets import Secret


class OnDrift(StrEnum):
    """``rotate.on_drift``: what to do when the store and the provider disagree, and not by us."""

    ALARM = "alarm"
    ROTATE = "rotate"


class RetireWhen(StrEnum):
    """``rotate.retire``: when an old key is revoked."""

    AT_GRACE_END = "at_grace_end"
    WHEN_IDLE = "when_idle"


class Choice(StrEnum):
    """``rotate.strategy`` of a policy; ``auto`` decides by what the key needs."""

    AUTO = "auto"
    REFRESH = "refresh"
    REISSUE = "reissue"


@dataclass(frozen=True, slots=True)
class Selector:
    """Which key a policy means: by ``id``, or by ``name`` (in a space, for service keys)."""

    id: str | None = None
    name: str | None = None
    space_id: str | None = None
    type: KeyType | None = None

    def __str__(self) -> str:
        what = f"id {self.id}" if self.id else f"name {self.name!r}"
        return f"{what} in space {self.space_id}" if self.space_id else what

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The listings that can show this key, the likeliest first."""
        if self.space_id:
            return (Scope(space_id=self.space_id),)
        if self.type is KeyType.SERVICE:
            return (Scope(type=KeyType.SERVICE),)
        if self.type is KeyType.USER:
            return (Scope(),)
        return (Scope(), Scope(type=KeyType.SERVICE))


@dataclass(frozen=True, slots=True)
class Target:
    """A field of a secret in the store.

    ``metadata`` maps facts about the key (``key_id``, ``expires_at``, ``rotated_at``,
    ``redacted_key``) to the sibling fields they are written to.
    """

    path: str
    field: str
    mount: str | None = None
    metadata: Mapping[str, str] = default(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.secret}#{self.field}"

    @property
    def secret(self) -> str:
        """The secret that the field is in."""
        return f"{self.mount}/{self.path}" if self.mount else self.path


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules for one key, as the pure half sees them."""

    name: str
    selector: Selector
    targets: tuple[Target, ...]
    grace: timedelta
    before_expiry: timedelta | None = None
    max_age: timedelta | None = None
    lifetime: timedelta | None = None
    strategy: Choice = Choice.AUTO
    min_interval: timedelta = timedelta(hours=1)
    on_drift: OnDrift = OnDrift.ALARM
    #: Names of the hooks that are told of each finished rotation.
    hooks: tuple[str, ...] = ()
    retire: RetireWhen = RetireWhen.AT_GRACE_END
    bindings: AnyBindings | None = None
    #: Each rotation is put off by its share of so much, lest all keys of a day be replaced at once.
    jitter: timedelta = timedelta(0)
    #: When rotations may be begun; none: whenever they are due.
    windows: tuple[Window, ...] = ()
    #: Nothing is begun by itself, and nothing revoked.
    suspend: bool = False
    #: The configuration has it no more: nothing is begun, and what was begun ends.
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that protect a key, the same for all policies."""

    #: Length of a lease on a policy.
    lease: timedelta = timedelta(seconds=30)
    #: Total time of one request. A lease is used only while more than this remains of it.
    timeout: timedelta = timedelta(seconds=10)
    #: A refresh is refused when it would leave less than this to deliver the new key.
    retry_budget: timedelta = timedelta(minutes=1)
    #: How long a mint may take to show in a listing before its absence is believed.
    settle: timedelta = timedelta(seconds=20)
    #: Before a lost key is replaced, its first owner, should it live, gets this long to deliver.
    handover: timedelta = timedelta(seconds=20)
    #: Mints in one rotation, repairs included, before a person is asked.
    mints: int = 5
    #: How long a hook is tried that does not work.
    notify_for: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Held:
    """What the store holds at a target.

    ``version`` is what a check-and-set must name: 0 where nothing ever was. ``document`` is the
    whole secret, whose other fields belong to others and survive every write.
    """

    target: Target
    value: Secret | None = None
    version: int = 0
    document: Masked[dict[str, object]] = default(default_factory=lambda: Masked({}))


@dataclass(frozen=True, slots=True)
class Spooled:
    """A minted key as it lies on this machine's disk, sealed.

    ``mint`` counts the mints of the ``rotation``, from 1. ``secret`` is None where the seal was not
    broken: its rotation is over, or it could not be.
    """

    policy: str
    rotation: str
    mint: int
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A key this process has minted and put into the store, in the rotation at hand."""

    #: From the provider's answer to the store's acknowledgement.
    danger_seconds: float
    #: The provider has accepted the key already.
    proved: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a decision may depend on, at one moment."""

    policy: Policy
    #: The provider's keys in the policy's scopes.
    keys: tuple[Key, ...]
    journal: Journal
    #: The journal's version in the store, for check-and-set; 0 before the first write.
    journal_version: int
    #: One for each of the policy's targets, in their order.
    held: tuple[Held, ...]
    now: datetime
    #: Who we are in leases.
    me: str
    limits: Limits
    #: The key is the one that rotator itself works with.
    own: bool = False
    #: A person asked for a rotation now.
    demanded: bool = False
    #: What this process knows of a delivery that it has just made itself.
    delivery: Delivery | None = None
    #: Minted keys of this policy that lie on this machine's disk.
    spooled: tuple[Spooled, ...] = ()
    #: Ids of keys that look like ours, and may be another policy's.
    others: frozenset[str] = frozenset()
    #: By how much the provider's clock is ahead of ``now``, where that is too much to be followed.
    astray: timedelta | None = None

    @property
    def stored(self) -> tuple[Secret, ...]:
        """What the targets hold, in their order, without those that hold nothing."""
        return tuple(held.value for held in self.held if held.value is not None)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: ``code`` is the name of the check that spoke, ``text`` a sentence for a person."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Plan:
    """How a key will be minted.

    ``grace`` is effective: how long the old key really goes on. ``expires_at`` None asks for a key
    without expiry (or the account's maximum).
    """

    strategy: Strategy
    source: Key
    expires_at: datetime | None
    grace: timedelta
    #: What the new key is given; its own successor gets as much. None: unbounded.
    lifetime: timedelta | None = None
    bindings: AnyBindings | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before ``until``; with ``soon``, in the middle of a rotation: stay for it."""

    reason: Reason
    until: datetime | None
    soon: bool = False


@dataclass(frozen=True, slots=True)
class Locked:
    """Another process holds the lease."""

    reason: Reason
    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Lock:
    """Take the lease and look again later: the owner before us may still have the lost key."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Mint:
    """Take the lease, write the intent, mint, deliver."""

    reason: Reason
    plan: Plan


@dataclass(frozen=True, slots=True)
class Deliver:
    """Copy the new key from a target that has it to those that do not."""

    reason: Reason
    key: Key
    secret: Secret


@dataclass(frozen=True, slots=True)
class Restore:
    """Deliver a minted key that was found on this machine's disk, if the provider accepts it."""

    reason: Reason
    key: Key
    secret: Secret
    entry: Spooled


@dataclass(frozen=True, slots=True)
class Destroy:
    """Destroy a key on this machine's disk that nobody waits for any more."""

    reason: Reason
    entry: Spooled


@dataclass(frozen=True, slots=True)
class Fail:
    """Record that the rotation in flight has failed, and wait for it no more."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Promote:
    """Use the delivered key against the provider, then record the rotation as done."""

    reason: Reason
    key: Key
    secret: Secret


@dataclass(frozen=True, slots=True)
class Retire:
    """Revoke a key whose time has come."""

    reason: Reason
    entry: Retiring


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell hooks of a rotation that is done."""

    reason: Reason
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    """A person is needed. ``until`` is when looking again makes sense."""

    reason: Reason
    remedy: str
    until: datetime | None = None


Step = (
    Wait
    | Locked
    | Lock
    | Mint
    | Restore
    | Deliver
    | Promote
    | Fail
    | Retire
    | Destroy
    | Notify
    | Refuse
)

"""How to mint: refresh or reissue, with which expiry and which grace. Pure.

The trap (``docs/arize-api.md``): on today's service a refresh cannot give a key a longer life. A
daemon that only refreshes replaces the secret faithfully and still lets the key die on its old
date. So ``auto`` refreshes what has no expiry, or what somebody will extend later, and reissues
the rest. A reissue is the safer of the two besides: it leaves the old key untouched until we
revoke it. The key that rotator itself works with is always reissued: were its new raw key lost in a
refresh, nobody could repair anything once its grace is over.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rotator import words
from rotator.keys import Bindings, Key, KeyStatus, KeyType
from rotator.model import Choice, Mint, Plan, Reason, Refuse
from rotator.secrets import Redacted

if TYPE_CHECKING:
    from rotator import journal
    from rotator.keys import AnyBindings
    from rotator.model import Policy, Snapshot, Spooled

#: So much less life is asked for than is wanted: an account may have a maximum, the old key may
#: have been given just that, and our clock may be a little ahead of the one that it is judged by.
_MODESTY = timedelta(seconds=5)
#: A refresh that was given up is carried out no later than this.
_LATE = timedelta(hours=1)
#: The provider's bound on ``grace_period_seconds``.
MAX_REFRESH_GRACE = timedelta(hours=24)
#: What is given on of a "never" that is spelled as a date in the year 9999.
_LONGEST = timedelta(days=36_500)


def expiry_margin(policy: Policy, retry_budget: timedelta) -> timedelta:
    """How long before its expiry a key is replaced.

    A policy that names no ``before_expiry`` (it rotates by age) still must not let a key die.
    """
    return policy.before_expiry or 2 * max(policy.grace, retry_budget)


def as_used(s: Snapshot, key: Key) -> Key:
    """``key`` as its consumers have it: in its place, perhaps, the former one that was put back."""
    back = s.journal.instead_of(key.id)
    if back is None:
        return key
    return replace(key, redacted=Redacted.parse(back.redacted), expires_at=back.ends_at)


def choose(s: Snapshot, key: Key, *, keep_date: bool = False) -> Plan | Refuse:
    """The plan for a new rotation of ``key``, or why there is none.

    While the former key is in the store, that is a reissue, and wherever else it can be while a
    former secret has its grace: refreshing the current one once more may cut that.

    A key that ends sooner than it did is reissued whatever the policy says: a refresh of somebody's
    has replaced it, and another one could not lengthen its grace.

    ``keep_date``: a refresh far from the expiry asks for no longer life, whatever the policy says:
    today's service would refuse it, and what is broken is to work again first.
    """
    lifetime = lifetime_of(s, key)
    if s.policy.strategy is Choice.REISSUE or key.status is KeyStatus.REVOKED:
        return _reissue(s, key, lifetime)
    if s.policy.strategy is Choice.REFRESH:
        reissued = _reissue(s, key, lifetime) if was_replaced(s, key) else None
        return reissued if isinstance(reissued, Plan) else _refresh(s, key, keep_date=keep_date)
    if s.journal.instead_of(key.id):
        return _reissue(s, key, lifetime)
    refreshable = key.expires_at is None or _keeps_its_date(s, key)
    if refreshable and not (s.own or _may_cut_a_grace(s, key)):
        plan = _refresh(s, key)
        return plan if isinstance(plan, Plan) else _reissue(s, key, lifetime)
    plan = _reissue(s, key, lifetime)
    if isinstance(plan, Refuse) and plan.reason.code == "bindings_unknown":
        # On the older eras a refresh may extend; on today's the provider refuses and nothing is
        # lost by having asked.
        refreshed = _refresh(s, key)
        return refreshed if isinstance(refreshed, Plan) else plan
    return plan


def _may_cut_a_grace(s: Snapshot, key: Key) -> bool:
    """Whether ``key`` is the replacement of a secret that consumers may still have.

    Be it that we have refreshed that, or somebody else, who has kept the id.
    """
    current = s.journal.current
    if current is not None and (current.key_id, current.redacted) == (key.id, str(key.redacted)):
        made = (one for one in s.journal.history if one.key_id == key.id)
        ends = (one.old_valid_until for one in made if one.strategy == "refresh")
        return any(end is not None and end > s.now for end in ends)
    return current is not None and current.key_id == key.id


def minting(reason: Reason, plan: Plan | Refuse) -> Mint | Refuse:
    """The step for ``plan``."""
    return Mint(reason, plan) if isinstance(plan, Plan) else plan


def choose_repair(s: Snapshot, old: Key, lost: Key, planned: journal.Mint) -> Plan | Refuse:
    """The plan to replace ``lost``, a key that was minted and whose raw key nobody has.

    A reissue is preferred: it cannot shorten what is left of the old key's life. Otherwise the
    *replacement* is refreshed, never the old key. Either way the lifetime is the one ``planned``:
    after a refresh the old key's own dates tell the end of its grace, not what it was given. Nor do
    those of ``lost``, where a listing hides what a refresh has made of it: see :func:`choose`.
    """
    if s.policy.strategy is not Choice.REFRESH or was_replaced(s, lost):
        reissued = _reissue(s, old, planned.lifetime)
        if isinstance(reissued, Plan):
            return replace(reissued, expires_at=reissued.expires_at or planned.expires_at)
    grace = max(min(s.policy.grace, MAX_REFRESH_GRACE, _left(s, lost)), timedelta(0))
    # One without an end where one was asked for is a person's, who was at the same key.
    until = _given_end(s, lost) or planned.expires_at
    return Plan("refresh", lost, until, grace, planned.lifetime)


def privileges_differ(plan: Plan, new: Key) -> str | None:
    """What a reissued key may do that the old one may not, or the reverse; None when nothing shows.

    A user key acts as its creator, so one that somebody else created cannot be reissued by us.
    """
    old = plan.source
    if new.type not in {old.type, KeyType.UNKNOWN}:
        return f"the old key is a {old.type} key, the new one a {new.type} key"
    if old.type is KeyType.USER and old.created_by and new.created_by not in {None, old.created_by}:
        return "the old key acts as another user than the one the management key belongs to"
    wanted = plan.bindings
    if isinstance(wanted, Bindings) and new.bindings and not wanted.same_as(new.bindings):
        return "the provider gave the new key other bindings than were asked for"
    return None


def spooled_key_differs(s: Snapshot, key: Key, entry: Spooled) -> bool:
    """Whether the spooled ``key`` was reissued and is not the same, or nobody can tell.

    Relies on the rotation of ``entry`` being in flight.
    """
    rotation = s.journal.rotation
    mints = rotation.mints[entry.mint - 1 : entry.mint] if rotation else ()
    if mints and mints[0].strategy == "refresh":
        return False
    old = next((one for one in s.keys if rotation and one.id == rotation.key_id), None)
    if old is None or not mints:
        return True
    bindings = old.bindings or s.policy.bindings
    asked = Plan("reissue", old, mints[0].expires_at, timedelta(0), bindings=bindings)
    return privileges_differ(asked, key) is not None


def _refresh(s: Snapshot, key: Key, *, keep_date: bool = False) -> Plan | Refuse:
    grace = min(s.policy.grace, MAX_REFRESH_GRACE, _left(s, key))
    if grace < s.limits.retry_budget:
        return Refuse(
            Reason(
                "grace_too_short",
                f"a refresh would leave the old key {words.length(grace)}, less than the"
                f" {words.length(s.limits.retry_budget)} that delivering the new one may take",
            ),
            remedy="use `strategy: auto` or `reissue`, or rotate earlier (`before_expiry`)",
        )
    lifetime = lifetime_of(s, key)
    if key.expires_at is None:
        until = _from_now(s, s.policy.lifetime)
    elif _far_from_expiry(s, key) and (keep_date or s.policy.lifetime is None):
        until = key.expires_at
    elif lifetime is None:
        return _lifetime_unknown(key)
    else:
        until = _from_now(s, lifetime)
    return Plan("refresh", key, until, grace, lifetime)


def _reissue(s: Snapshot, key: Key, lifetime: timedelta | None) -> Plan | Refuse:
    if key.type is KeyType.UNKNOWN:
        return Refuse(
            Reason("key_type_unknown", f"key {key.id} is of a type this version does not know"),
            remedy="use `strategy: refresh`, or upgrade rotator",
        )
    bindings: AnyBindings | None = None
    if key.type is KeyType.SERVICE:
        bindings = key.bindings or s.policy.bindings
        if bindings is None:
            return Refuse(
                Reason(
                    "bindings_unknown",
                    f"the provider does not show the privileges of service key {key.id}, and a"
                    " reissue must not guess them",
                ),
                remedy="write them under `key.bindings` of the policy, or give the management key"
                " the right to list service keys of the whole account",
            )
    if _given_end(s, key) is not None and lifetime is None and s.journal.rotation is None:
        return _lifetime_unknown(key)
    grace = max(min(s.policy.grace, _left(s, key)), timedelta(0))
    return Plan("reissue", key, _from_now(s, lifetime), grace, lifetime, bindings)


def _lifetime_unknown(key: Key) -> Refuse:
    """Asking for no expiry would turn a bounded key into an endless one."""
    return Refuse(
        Reason("lifetime_unknown", f"the provider does not tell when key {key.id} was created"),
        remedy="set `rotate.lifetime` of the policy",
    )


def lifetime_of(s: Snapshot, key: Key) -> timedelta | None:
    """What the new key is given: the policy's word, else as much as the old one was given."""
    if s.policy.lifetime is not None:
        return s.policy.lifetime
    current = s.journal.current
    if current is not None and current.key_id == key.id and current.lifetime is not None:
        return current.lifetime
    rotation = s.journal.rotation
    if rotation is not None and rotation.key_id == key.id and rotation.last_mint.lifetime:
        # As it was planned: what is listed by now may tell of a grace, or not tell.
        return rotation.last_mint.lifetime
    late = _late_refreshes(s, key)
    for mint in late:
        if mint.lifetime is not None and _is_near(mint.expires_at, key.expires_at):
            return mint.lifetime
    given_at, ends = _rotated_at(s, key) or key.created_at, _given_end(s, key)
    if ends is None or given_at is None:
        return None
    given = ends - given_at
    # One that had no end was given the account's maximum, of which this is not known to the hour.
    endless = [mint.at for mint in late if mint.expires_at is None]
    if current is not None and (current.key_id, current.expires_at) == (key.id, None):
        endless += [current.since] if current.redacted != str(key.redacted) else []
    if endless and max(endless) > given_at:
        given = ends - max(endless)
        given -= given % _LATE
    # Whoever tells that it ended before it began tells nothing.
    return min(given, _LONGEST) if given > timedelta(0) else None


def _rotated_at(s: Snapshot, key: Key) -> datetime | None:
    """When a rotation of ours gave ``key`` its expiry; where ids are kept, it is older than that.

    Had it no expiry before and has one now, the account has a maximum, which no longer life passes.
    """
    return next(
        (
            record.finished_at
            for record in s.journal.history
            if record.key_id == key.id and record.expires_at and record.outcome != "failed"
        ),
        None,
    )


def _is_near(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= _MODESTY


def _late_refreshes(s: Snapshot, key: Key) -> list[journal.Mint]:
    """The refreshes that a rotation had given up, one of which may have made ``key`` what it is.

    Ids are kept where it is: another secret was under that of ``key`` when the rotation began.
    """
    shown = str(key.redacted)
    former = [one for one in s.journal.doubted if one.key_id == key.id and one.redacted != shown]
    return [mint for one in former for mint in one.mints if mint.grace is not None]


def _given_end(s: Snapshot, key: Key) -> datetime | None:
    """The end that ``key`` was given: it shows a sooner one, once a refresh has replaced it."""
    if key.expires_at is None:
        return None
    journal, shown = s.journal, (key.id, str(key.redacted))
    ends = [one.expires_at for one in journal.begun if (one.key_id, one.redacted) == shown]
    # A refresh of ours asks for no other end than its source was given.
    mints = (mint for one in journal.begun for mint in one.mints if mint.source_id == key.id)
    ends += [
        mint.expires_at
        for mint in mints
        if mint.grace is not None and key.expires_at <= mint.at + mint.grace + _LATE
    ]
    current = journal.current
    if current and current.expires_at and (current.key_id, current.redacted) == shown:
        ends.append(current.expires_at)
    return None if None in ends else max([key.expires_at, *filter(None, ends)])


def was_replaced(s: Snapshot, key: Key) -> bool:
    """Whether ``key`` lives for no more than its grace, because somebody has refreshed it."""
    given = _given_end(s, key)
    return key.expires_at is not None and (given is None or key.expires_at < given - _MODESTY)


def _keeps_its_date(s: Snapshot, key: Key) -> bool:
    """Whether a refresh with the old date does: time is left, and a later rotation extends."""
    extends_later = s.policy.before_expiry is not None
    return extends_later and s.policy.lifetime is None and _far_from_expiry(s, key)


def _far_from_expiry(s: Snapshot, key: Key) -> bool:
    return _left(s, key) > expiry_margin(s.policy, s.limits.retry_budget)


def _left(s: Snapshot, key: Key) -> timedelta:
    expires_at = as_used(s, key).expires_at
    return timedelta.max if expires_at is None else expires_at - s.now


def _from_now(s: Snapshot, lifetime: timedelta | None) -> datetime | None:
    """Whole seconds: what goes over the wire is what the listing will show."""
    return None if lifetime is None else (s.now + lifetime - _MODESTY).replace(microsecond=0)

"""What would keep a policy from being rotated, seen before it is tried. Pure.

Not everything can be: Arize tells no rights and no limit of the account but by refusing, which
changes nothing. What only that can tell is said as a note, and never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import words
from rotator.decide import decide
from rotator.errors import Temporary
from rotator.keys import KeyType
from rotator.model import Choice, Deliver, Locked, Plan, Refuse
from rotator.notices import all_told
from rotator.strategy import choose
from rotator.views import current_keys, expiry_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rotator.errors import RotatorError
    from rotator.keys import Key
    from rotator.model import Policy, Snapshot
    from rotator.ports import Lack

#: A clock that is off by more is not corrected.
_FOLLOWED = timedelta(hours=1)
#: Less than what is wanted is asked for, and an hour is no difference that anybody cares for.
_ROUGHLY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know: a problem, or a note. ``rule`` is the line that a Vault policy lacks."""

    code: str
    text: str
    remedy: str = ""
    rule: str = ""
    note: bool = False


def of_error(error: RotatorError) -> Finding:
    """That a service could not be asked."""
    return Finding(error.code, error.message, error.remedy)


def of_obstacle(what: str, error: RotatorError) -> Finding:
    """That ``what`` is on this machine will not do its work; perhaps only not yet."""
    note = isinstance(error, Temporary)
    return Finding(error.code, f"{what}: {error.message}", error.remedy, note=note)


def of_lack(lack: Lack) -> Finding:
    """That a place in the store is closed to us."""
    return Finding("notpermitted", lack.text, lack.remedy, lack.rule)


def of_policy(s: Snapshot, manager: Key | None) -> Iterator[Finding]:
    """What a rotation of the policy would meet, now.

    Args:
        s: The policy as it is.
        manager: The key that rotator itself works with, if it is listed.
    """
    told = set()
    for look in (s, *_asked(s)):
        step = decide(all_told(look))
        if isinstance(step, Refuse) and step.reason.code not in told:
            told.add(step.reason.code)
            yield of_refusal(step)
        elif isinstance(step, Locked) and look is s:
            yield Finding(step.reason.code, step.reason.text, note=True)
    found = current_keys(s)
    if len(found) == 1:
        yield from _about(s, found[0], manager)
    for record in s.journal.history[:1]:
        if record.outcome == "failed":
            yield Finding(
                "last_rotation_failed",
                f"the last rotation failed: {record.error}",
                "it will again, unless what stood in its way has been put right",
                note=True,
            )
    copied = isinstance(decide(s), Deliver)
    for held in s.held:
        # Without a key, what to do about that comes first.
        if held.value is None and found and not copied:
            yield Finding(
                "target_is_empty",
                f"{held.target} holds no key; the next rotation puts one there",
                f"or give it the present one: rotator adopt {s.policy.name}",
                note=True,
            )


def of_refusal(refusal: Refuse) -> Finding:
    """What a rotation would be refused for."""
    return Finding(refusal.reason.code, refusal.reason.text, refusal.remedy)


def of_own(s: Snapshot, *, kept: bool) -> Iterator[Finding]:
    """That the key rotator works with is replaced where its next start does not look for it."""
    if s.own and not kept:
        yield Finding(
            "manager_not_followed",
            "this is the key that rotator itself works with, and the policy does not deliver it to"
            " where `arize.api_key` is read: the old one is not revoked, and the next start works"
            " with it until it expires",
            "read it from there, with `arize.api_key: {vault: …}`",
            note=True,
        )


def _asked(s: Snapshot) -> Iterator[Snapshot]:
    """``s`` as if a person wanted a rotation: now, and when the key nears its expiry.

    The two may be of another kind: what is far from its end can be refreshed.
    """
    found = current_keys(s)
    if s.journal.rotation is not None or len(found) != 1:
        return
    yield replace(s, demanded=True)
    due = expiry_due(s, found[0])
    if due is not None and due.at > s.now:
        yield replace(s, demanded=True, now=due.at)


def _about(s: Snapshot, key: Key, manager: Key | None) -> Iterator[Finding]:
    """What becomes of ``key`` when it is due by its expiry, or now."""
    due = expiry_due(s, key)
    plan = choose(replace(s, now=max(s.now, due.at)) if due else s, key)
    if not isinstance(plan, Plan):
        return
    ours = manager.created_by if manager else None
    if plan.strategy == "reissue":
        # A user key acts as its creator: what we create in its place would act as us.
        if key.type is KeyType.USER and ours and key.created_by not in {None, ours}:
            yield Finding(
                "key_acts_as_another",
                f"{key.redacted} acts as the user {key.created_by}, a reissue would act as {ours}",
                "work with a management key of that user, or make this one a service key",
            )
    elif s.policy.strategy is Choice.AUTO and _extends(plan, key):
        yield Finding(
            "bindings_unknown",
            f"Arize does not show the privileges of service key {key.id}, so that near its expiry"
            " it can only be refreshed; today's Arize extends no key by that",
            "write them under `key.bindings` of the policy, or give the management key the right to"
            " list service keys of the whole account",
        )


def _extends(plan: Plan, key: Key) -> bool:
    if plan.expires_at is None or key.expires_at is None:
        return False
    return plan.expires_at > key.expires_at


def of_manager(key: Key, *, kept: bool) -> Iterator[Finding]:
    """What is to be known of ``key``, with which rotator works; ``kept`` up to date by a policy."""
    if key.expires_at is not None and not kept:
        yield Finding(
            "manager_expires",
            f"the management key, {key.redacted}, expires {words.moment(key.expires_at)}, and no"
            " policy replaces it",
            "add a policy for it, delivered to where `arize.api_key` reads it",
            note=True,
        )
    yield Finding(
        "rights_unproven",
        "whether the management key may create and revoke keys is seen only when it does",
        "a refusal changes nothing",
        note=True,
    )


def unproven_lifetime(policy: Policy, longest: timedelta | None) -> Finding | None:
    """That nobody knows whether the account allows what the policy asks for.

    Args:
        policy: Asks for a lifetime, perhaps.
        longest: What any listed key was given; None for one without an end.
    """
    asked = policy.lifetime
    if asked is None or longest is None or asked <= longest + _ROUGHLY:
        return None
    text = f"lifetime {words.length(asked)}: no listed key was given more than"
    return Finding(
        "lifetime_unproven",
        f"{text} {words.length(longest)}",
        "whether the account allows more, only a mint tells; a refusal changes nothing",
        note=True,
    )


def longest_given(keys: Iterable[Key]) -> timedelta | None:
    """The longest life that a key was given; None when one has no end, or nothing is told."""
    lives = []
    for key in keys:
        if key.expires_at is None:
            return None
        if key.created_at is not None:
            lives.append(key.expires_at - key.created_at)
    return max(lives, default=None)


def of_skew(skew: timedelta) -> Finding:
    """That this machine's clock and Arize's differ."""
    ahead = "behind" if skew > timedelta(0) else "ahead of"
    text = f"this machine's clock is {words.length(abs(skew))} {ahead} Arize's"
    if abs(skew) > _FOLLOWED:
        return Finding("clock_skewed", f"{text}, too far to be followed", "set the clock (NTP)")
    return Finding("clock_skewed", f"{text}; decisions follow Arize's", "set it (NTP)", note=True)


def of_token(left: timedelta, grace: timedelta, *, renewable: bool) -> Finding | None:
    """That a Vault token ends within the longest grace period.

    Args:
        left: Its life, with all that renewals can add to it.
        grace: The longest grace period.
        renewable: It can be renewed, up to its ``explicit_max_ttl``.
    """
    if left >= grace:
        return None
    how, wanted = " and cannot be renewed", "that can be renewed"
    if renewable:
        how, wanted = ", however often it is renewed", "without `explicit_max_ttl`"
    return Finding(
        "token_ends_early",
        f"the Vault token ends in {words.length(left)}{how}; the longest grace period is"
        f" {words.length(grace)}",
        f"a daemon needs a token {wanted}, or a login of its own (approle, kubernetes)",
        note=True,
    )

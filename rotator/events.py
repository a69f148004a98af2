"""The catalogue of events: stable names, their levels and what they mean. Pure.

``docs/events.md`` is generated from here (``python -m rotator.observe.catalogue``) and a test
compares the two. Names are dotted, past tense where something happened; a name never changes its
meaning, it is retired.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

Level = Literal["debug", "info", "warning", "error", "critical"]


class Meaning(NamedTuple):
    """Level, meaning and the fields an event has beyond those that all events of a policy have."""

    level: Level
    text: str
    fields: tuple[str, ...] = ()


class Event(StrEnum):
    """Every event this program emits."""

    DAEMON_STARTED = "daemon.started"
    DAEMON_STOPPING = "daemon.stopping"
    DAEMON_STOPPED = "daemon.stopped"
    PASS_COMPLETED = "pass.completed"  # noqa: S105 - not a password: one pass over the policies
    CONFIG_WARNING = "config.warning"
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_REFUSED = "config.refused"
    CONFIG_RESTART_NEEDED = "config.restart_needed"
    CLOCK_SKEWED = "clock.skewed"
    POLICY_PLANNED = "policy.planned"
    POLICY_FAILED = "policy.failed"
    POLICY_RETRYING = "policy.retrying"
    POLICY_SKIPPED_LOCKED = "policy.skipped_locked"
    KEY_ADOPTED = "policy.key_adopted"
    KEY_PUT_BACK = "policy.key_put_back"
    ROTATION_STARTED = "rotation.started"
    ROTATION_RESUMED = "rotation.resumed"
    KEY_MINTED = "rotation.key_minted"
    KEY_REFUSED = "rotation.key_refused"
    MINT_AMBIGUOUS = "rotation.mint_ambiguous"
    DELIVERY_FAILED = "rotation.delivery_failed"
    KEY_DELIVERED = "rotation.delivered"
    KEY_RESTORED = "rotation.restored"
    SPOOL_FAILED = "rotation.spool_failed"
    SPOOLED_KEY_DESTROYED = "rotation.spooled_key_destroyed"
    KEY_VERIFIED = "rotation.verified"
    ROTATION_COMPLETED = "rotation.completed"
    ROTATION_REPAIRED = "rotation.repaired"
    ROTATION_SUPERSEDED = "rotation.superseded"
    ROTATION_FAILED = "rotation.failed"
    OLD_KEY_IN_USE = "rotation.old_key_in_use"
    KEY_RETIRED = "rotation.retired"
    RETIRE_FAILED = "rotation.retire_failed"
    FILE_WRITTEN = "file.written"
    FILE_FAILED = "file.failed"
    NOTIFY_SENT = "notify.sent"
    NOTIFY_FAILED = "notify.failed"
    NOTIFY_GIVEN_UP = "notify.given_up"
    MANAGEMENT_KEY_CHANGED = "management_key.changed"
    VAULT_LOGIN = "vault.login"
    VAULT_RENEWED = "vault.renewed"
    METRICS_NOT_WRITTEN = "metrics.not_written"
    LIBRARY = "library.log"
    CRASHED = "process.crashed"
    LINES_DROPPED = "log.dropped"


#: Fields of every event that concerns a policy; the others are in :data:`CATALOGUE`.
COMMON = ("policy", "reason", "key_id", "redacted_key", "expires_at")

_ROTATION = ("rotation_id", "strategy", "old_key_id", "old_redacted_key")
_ERROR = ("error", "error_code", "remedy")
_GRACE = ("grace_deadline", "grace_seconds_left")
_BY_HAND = ("target", "target_version", "old_redacted_key", "owner")
_HOOK = ("rotation_id", "file", "hook", "kind", "attempt")
#: Groups of events that concern a policy.
POLICY_GROUPS = frozenset({"policy", "rotation", "file", "notify"})

#: What a field means, the same in every event. Times are UTC, as in ``2026-11-23T08:31:02Z``.
FIELDS: dict[str, str] = {
    "policy": "Name of the policy.",
    "reason": "Why: the name of the check that decided.",
    "key_id": "The provider's id of the key that the event is about; the new one, once minted.",
    "redacted_key": "Head and tail of that key, as in `ak-abc...xyz`.",
    "expires_at": "When that key expires; null: never, or not known.",
    "rotation_id": "The same in all events of one rotation, also across restarts and replicas.",
    "strategy": "How the key is minted: `refresh` or `reissue`; null: not decided yet.",
    "old_key_id": "The id of the key that is replaced.",
    "old_redacted_key": "Head and tail of the key that is replaced.",
    "old_valid_until": "When the replaced key stops working; null: not before it is revoked.",
    "last_used_at": "When the provider last saw that key used, approximately.",
    "new_expires_at": "The expiry that is asked for; null: none.",
    "grace_seconds": "Seconds for which the replaced key goes on after the mint.",
    "grace_deadline": "When the grace period ends; null: nothing ends it.",
    "grace_seconds_left": "Seconds from the event to `grace_deadline`; negative when it is past.",
    "danger_seconds": "Seconds from the provider's answer to the store's acknowledgement; null: "
    "another process delivered.",
    "duration_seconds": "Seconds that what the event tells of took.",
    "target": "Where the key goes: path in the store, `#`, field.",
    "target_version": "Version of the secret after the write.",
    "file": "A file that holds the key, as the configuration names it.",
    "hook": "Name of the hook.",
    "kind": "What kind of hook: `http`, `command`, `signal` or `kubernetes`.",
    "attempt": "Which try in a row this was, from 1.",
    "retry_at": "When it is tried again; null: when keys are listed again, or by nobody.",
    "next_at": "When there will be something to do; null: nothing is foreseen.",
    "until": "When the other process's lease ends, unless it is prolonged.",
    "owner": "The process, as it names itself in leases.",
    "error": "What went wrong, as a sentence.",
    "error_code": "The kind of error: a stable name.",
    "remedy": "What to do about it; empty when there is nothing but waiting.",
    "exception": "Of an error nobody foresaw: `type`, `message`, `frames` (`file:line:function`, "
    "the outermost first) and, where there is one, its `cause`; never a value of a variable.",
    "problem": "What is questionable, and where.",
    "skew_seconds": "Seconds by which the provider's clock is ahead of this machine's.",
    "version": "Version of rotator.",
    "policies": "Number of policies.",
    "added": "Names of the policies that are new.",
    "removed": "Names of the policies that are there no more.",
    "changed": "Names of the policies that have other rules now.",
    "sections": "Names of the sections that differ from those in use.",
    "policies_taken": "Whether the policies are in use all the same.",
    "rotated": "Number of policies whose key was rotated.",
    "failed": "Number of policies that failed.",
    "skipped": "Number of policies that another process was at.",
    "behind": "Number of policies whose key is well, but a hook has not heard of it yet, or a file "
    "on this machine lacks it.",
    "in_flight": "Number of keys that are minted and not yet delivered.",
    "signal": "Name of the signal.",
    "source": "How it was noticed: by a `rotation` of ours, or in the place that the configuration "
    "names.",
    "method": "How rotator logged in.",
    "ttl_seconds": "Seconds for which the token is valid; null: without end.",
    "renewable": "Whether the token can be renewed.",
    "max_ttl_seconds": "Seconds after which no renewal keeps a token that was given to rotator "
    "(`explicit_max_ttl`); null: nothing is known of such an end.",
    "logger": "Name of the library's logger.",
    "message": "What the library said.",
    "dropped": "Number of lines.",
}

CATALOGUE: dict[Event, Meaning] = {
    Event.DAEMON_STARTED: Meaning("info", "The daemon runs.", ("version", "policies", "owner")),
    Event.DAEMON_STOPPING: Meaning(
        "info",
        "A signal asked the daemon to stop. Nothing new is begun; a key that is minted and not yet "
        "delivered is delivered first.",
        ("signal", "in_flight"),
    ),
    Event.DAEMON_STOPPED: Meaning("info", "The daemon has ended, with nothing left undone."),
    Event.PASS_COMPLETED: Meaning(
        "info",
        "All policies asked for were looked at once.",
        ("policies", "rotated", "failed", "skipped", "behind", "duration_seconds"),
    ),
    Event.CONFIG_WARNING: Meaning(
        "warning", "The configuration works, and has something one may regret.", ("problem",)
    ),
    Event.CONFIG_RELOADED: Meaning(
        "info",
        "The configuration was read again, because it has changed or on SIGHUP, and is in use. A "
        "rotation in flight ends by the rules that it began with.",
        ("policies", "added", "removed", "changed"),
    ),
    Event.CONFIG_REFUSED: Meaning(
        "error",
        "The configuration was read again and has a mistake; the old one stays in use. One event "
        "for each mistake.",
        ("problem",),
    ),
    Event.CONFIG_RESTART_NEEDED: Meaning(
        "warning",
        "Settings have changed that a running daemon keeps as they were. Where they are of the "
        "provider or the store, it keeps its policies too.",
        ("sections", "policies_taken"),
    ),
    Event.CLOCK_SKEWED: Meaning(
        "warning",
        "This machine's clock and the provider's differ. Up to an hour, decisions follow the "
        "provider's; beyond that nothing is begun. Told again when it is over.",
        ("skew_seconds",),
    ),
    Event.POLICY_PLANNED: Meaning(
        "info",
        "Nothing to do before `next_at`. Emitted when that changed since the last look.",
        ("next_at",),
    ),
    Event.POLICY_FAILED: Meaning(
        "error",
        "The policy could not be looked after. What Vault holds was not touched. Becomes critical "
        "when of the time between the moment in which the key is due and its expiry, a tenth is "
        "left.",
        (*_ERROR, "retry_at", "exception"),
    ),
    Event.POLICY_RETRYING: Meaning(
        "warning",
        "A service was not ready; tried again soon. Becomes an error when half of the time between "
        "the moment in which the key is due and its expiry is gone, critical in its last tenth.",
        (*_ERROR, "retry_at", "attempt"),
    ),
    Event.POLICY_SKIPPED_LOCKED: Meaning(
        "info",
        "Another process holds the lease and is at it. Becomes an error in the second half of the "
        "grace of an old key whose successor is not in the store yet, critical in the last tenth.",
        ("owner", "until"),
    ),
    Event.KEY_ADOPTED: Meaning(
        "info",
        "Somebody gave the raw key of the policy's key (`rotator adopt`), and the store has it. "
        "Nothing was minted.",
        _BY_HAND,
    ),
    Event.KEY_PUT_BACK: Meaning(
        "info",
        "Somebody wanted the former key back (`rotator rollback`), and the store has it again.",
        _BY_HAND,
    ),
    Event.ROTATION_STARTED: Meaning(
        "info",
        "Lock and intent are written; the mint comes next.",
        (*_ROTATION, "grace_seconds", "new_expires_at"),
    ),
    Event.ROTATION_RESUMED: Meaning(
        "warning",
        "A rotation that somebody began is carried on. Its level rises with the grace, as that of "
        "`rotation.delivery_failed` does.",
        (*_ROTATION, "grace_seconds", "new_expires_at", "attempt", *_GRACE),
    ),
    Event.KEY_MINTED: Meaning(
        "info",
        "The provider gave a new raw key. Emitted once it is delivered, so that logging never "
        "stands between the two; until then `rotation.delivery_failed` tells of it.",
        (*_ROTATION, "grace_deadline", "grace_seconds_left", "duration_seconds"),
    ),
    Event.KEY_REFUSED: Meaning(
        "error",
        "The reissued key was not usable or not the same in its privileges; it was not delivered "
        "and is revoked. The old key stays in place.",
        (*_ROTATION, *_ERROR),
    ),
    Event.MINT_AMBIGUOUS: Meaning(
        "warning",
        "The answer to a mint never came. The next look at the provider's keys tells whether it "
        "happened. Its level rises with the grace, as that of `rotation.delivery_failed` does.",
        (*_ROTATION, *_ERROR, "retry_at", *_GRACE),
    ),
    Event.DELIVERY_FAILED: Meaning(
        "warning",
        "The store did not take the new key; tried again with growing urgency. Becomes an error "
        "when half of the grace is gone, critical in its last tenth.",
        (*_ROTATION, *_ERROR, "target", "attempt", *_GRACE),
    ),
    Event.KEY_DELIVERED: Meaning(
        "info",
        "The store acknowledged the new key; without a `rotation_id`, a copy of the one in use.",
        (
            *_ROTATION,
            "target",
            "target_version",
            "danger_seconds",
            "grace_deadline",
            "grace_seconds_left",
        ),
    ),
    Event.KEY_RESTORED: Meaning(
        "warning",
        "As `rotation.delivered`, of a key that an earlier process had minted and left sealed on "
        "this machine's disk.",
        (*_ROTATION, "target", "target_version"),
    ),
    Event.SPOOL_FAILED: Meaning(
        "error",
        "A minted key could not be kept on this machine's disk, found there, or removed from it. "
        "Its delivery goes on regardless.",
        (*_ROTATION, *_ERROR),
    ),
    Event.SPOOLED_KEY_DESTROYED: Meaning(
        "info",
        "A sealed key was removed from this machine's disk because it is of no use: its rotation "
        "is over, or the provider does not accept it.",
        ("rotation_id",),
    ),
    Event.KEY_VERIFIED: Meaning(
        "info", "The provider accepted the new key.", (*_ROTATION, "duration_seconds")
    ),
    Event.ROTATION_COMPLETED: Meaning(
        "info",
        "The rotation is done and recorded.",
        (
            *_ROTATION,
            "old_valid_until",
            "danger_seconds",
            "duration_seconds",
            "grace_deadline",
            "grace_seconds_left",
        ),
    ),
    Event.ROTATION_REPAIRED: Meaning(
        "warning",
        "As `rotation.completed`, after a raw key was lost on the way and was replaced.",
        (
            *_ROTATION,
            "old_valid_until",
            "danger_seconds",
            "duration_seconds",
            "grace_deadline",
            "grace_seconds_left",
        ),
    ),
    Event.ROTATION_SUPERSEDED: Meaning(
        "warning",
        "While this process held an undelivered key, another one carried the rotation on. Ours is "
        "dropped and, where it has an id of its own, to be revoked.",
        _ROTATION,
    ),
    Event.ROTATION_FAILED: Meaning(
        "error",
        "The provider refused the mint, and nothing has changed; or the old key is gone, and no "
        "other came.",
        (*_ROTATION, *_ERROR),
    ),
    Event.OLD_KEY_IN_USE: Meaning(
        "warning",
        "Late in its grace period an old key is still used; whoever uses it will lose access at "
        "`old_valid_until`. Told from Arize's `last_used_at` in the last quarter of the grace.",
        ("rotation_id", "last_used_at", "old_valid_until", "remedy"),
    ),
    Event.KEY_RETIRED: Meaning(
        "info", "An old key was revoked after its grace period.", ("rotation_id",)
    ),
    Event.RETIRE_FAILED: Meaning(
        "error",
        "An old key could not be revoked and stays valid; tried again at `retry_at`.",
        ("rotation_id", *_ERROR, "retry_at"),
    ),
    Event.FILE_WRITTEN: Meaning(
        "info", "A file on this machine holds what the store holds, and did not before.", ("file",)
    ),
    Event.FILE_FAILED: Meaning(
        "error",
        "A file on this machine could not be brought up to what the store holds, and is as it was; "
        "tried again at `retry_at`.",
        ("file", *_ERROR, "attempt", "retry_at"),
    ),
    Event.NOTIFY_SENT: Meaning(
        "info",
        "A hook was told of a rotation, or of a file that changed.",
        (*_HOOK, "duration_seconds"),
    ),
    Event.NOTIFY_FAILED: Meaning(
        "warning",
        "A hook could not be told of what is done all the same; tried again at "
        "`retry_at`, by whichever process is there then.",
        (*_HOOK, "duration_seconds", *_ERROR, "retry_at"),
    ),
    Event.NOTIFY_GIVEN_UP: Meaning(
        "error",
        "A hook could not be told for as long as `run.notify_for` allows, and will not be.",
        (*_HOOK, "duration_seconds", *_ERROR),
    ),
    Event.MANAGEMENT_KEY_CHANGED: Meaning(
        "info",
        "The key that rotator itself works with was replaced, and the new one is in use.",
        ("policy", "reason", *_ROTATION, "source"),
    ),
    Event.VAULT_LOGIN: Meaning(
        "info", "Logged in to Vault.", ("method", "ttl_seconds", "renewable", "max_ttl_seconds")
    ),
    Event.VAULT_RENEWED: Meaning(
        "debug",
        "The Vault token was prolonged.",
        ("method", "ttl_seconds", "renewable", "max_ttl_seconds"),
    ),
    Event.METRICS_NOT_WRITTEN: Meaning(
        "error", "The file of `--metrics-file` could not be written.", _ERROR
    ),
    Event.LIBRARY: Meaning(
        "debug",
        "Something a library logged, masked. A library's warnings and errors keep their level and "
        "are shown at every level; the rest only at debug.",
        ("logger", "message", "exception"),
    ),
    Event.CRASHED: Meaning(
        "critical", "A fault in rotator itself ended a thread, or all of it.", ("exception",)
    ),
    Event.LINES_DROPPED: Meaning(
        "warning",
        "Whoever reads these lines was too slow, so that some were left out, the least important "
        "first.",
        ("dropped",),
    ),
}


def declared(event: Event) -> tuple[str, ...]:
    """The fields an event may have, in the order in which they are shown."""
    concerns_policy = event.partition(".")[0] in POLICY_GROUPS
    return (*COMMON, *CATALOGUE[event].fields) if concerns_policy else CATALOGUE[event].fields

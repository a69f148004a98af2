"""The journal: one small document a policy, which is its lock, its intent and its history. Pure.

It lives in the same store as the keys and is written with check-and-set only, so that whoever read
an older version loses the race instead of undoing somebody's work. It never holds a raw key:
fingerprints and redacted keys are enough to recognise one.

Documents carry a ``version``. A newer rotator reads older ones; an older one refuses a newer one
rather than drop what it does not know (:class:`rotator.errors.Unreadable`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from rotator.errors import Unreadable
from rotator.keys import KeyType

#: 2 added ``notices``, tells of rotations that the provider refused, and of keys put back.
VERSION = 2
#: Rotations kept for ``history``.
HISTORY = 20
#: Finished rotations kept because a mint of theirs may still come true. Many: what is forgotten is
#: a key that nobody revokes. The document stays within 100 kB.
DOUBTS = 50

#: What a clock that is kept is never ahead by, and one that is corrected even less.
FUTURE = timedelta(hours=1)
#: Years that a moment may lie in: what is computed from it stays within the calendar.
_FIRST_YEAR, _LAST_YEAR = 2000, 9000


def _sane(moment: datetime) -> datetime:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError("is no moment of our time")
    return moment.astimezone(UTC)


def _written(value: object) -> object:
    """Ours are texts. Pydantic would make sense of a number or a truth, which are damage."""
    if isinstance(value, int | float):
        raise ValueError("is no text")  # noqa: TRY004 - pydantic wants this one
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_sane)]
Length = Annotated[
    timedelta, BeforeValidator(_written), Field(ge=timedelta(0), le=timedelta(days=100_000))
]
Strategy = Literal["refresh", "reissue"]
Outcome = Literal["completed", "repaired", "failed", "rolled_back"]


#: Quiet about its input in errors: a foreign document might hold a secret. And not a number is not
#: JSON either: what was read must be writable again.
_QUIET = ConfigDict(hide_input_in_errors=True, allow_inf_nan=False)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, **_QUIET)


class Lease(_Document):
    """Who may mint for this policy, and until when. A lease that has run out binds nobody.

    Nor does one that was taken in the future: by a clock that nobody follows.
    """

    owner: str
    taken_at: Moment
    until: Moment

    def binds(self, now: datetime) -> bool:
        """Whether somebody holds it ``now``."""
        return self.until > now and self.taken_at <= now + FUTURE

    def is_anothers(self, me: str, now: datetime) -> bool:
        """Whether somebody else than ``me`` holds it ``now``."""
        return self.owner != me and self.binds(now)


class PutBack(_Document):
    """The former key, which somebody has put back into the store in the place of the current one.

    It keeps its end: a rollback gives time, not life.
    """

    key_id: str
    redacted: str
    fingerprint: str
    at: Moment
    ends_at: Moment


class Current(_Document):
    """The key that the last rotation delivered, which is where the lineage continues."""

    key_id: str
    name: str = ""
    redacted: str
    fingerprint: str
    since: Moment
    expires_at: Moment | None = None
    #: What it was given at the mint; the next one gets as much. None: unbounded, or not known.
    lifetime: Length | None = None
    #: What the store holds instead.
    put_back: PutBack | None = None
    #: What a replacement needs, should somebody revoke it. None: not known.
    type: KeyType | None = None
    description: str | None = None
    created_by: str | None = None


class Mint(_Document):
    """One try to mint, written before the request, so that a later look can see if it happened."""

    owner: str
    at: Moment
    strategy: Strategy
    #: The key the request names: refreshed, or copied by a reissue.
    source_id: str
    expires_at: Moment | None = None
    lifetime: Length | None = None
    #: Of a refresh: how long the source was to go on.
    grace: Length | None = None


class Rotation(_Document):
    """A rotation in flight, from its first intent to its record."""

    id: str
    reason: str
    started_at: Moment
    #: What the policy named when it began; it may name something else by the time this ends.
    selector: str
    #: The key as it was before: what consumers still use.
    key_id: str
    key_name: str
    #: None in the journals of older rotators.
    key_type: KeyType | None = None
    redacted: str
    fingerprint: str | None = None
    expires_at: Moment | None = None
    #: Ids that existed before the first mint, under the same name: they are not ours to touch.
    siblings: tuple[str, ...] = ()
    #: Ids of keys that were to leave, and that a target held then: somebody had put them back.
    held: tuple[str, ...] = ()
    #: When the old secret stops, if a refresh already went out; else None.
    grace_deadline: Moment | None = None
    #: At least one: the first is written with the rotation itself.
    mints: Annotated[tuple[Mint, ...], Field(min_length=1)]

    @property
    def last_mint(self) -> Mint:
        """The latest try."""
        return self.mints[-1]


class Retiring(_Document):
    """A key to be revoked at ``at``: an old one whose grace runs, or an orphan nobody ever got."""

    key_id: str
    redacted: str
    at: Moment
    rotation: str
    failures: NonNegativeInt = 0


class Notice(_Document):
    """A hook that is still to hear of a finished rotation, next at ``at``.

    ``failures`` counts tries from their beginning: one that ended with its process is one as well.
    """

    rotation: str
    hook: str
    at: Moment
    #: A try that fails from here on is the last.
    until: Moment
    failures: NonNegativeInt = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=_QUIET)
class Record:
    """One finished rotation, or one taken back: then the "old" key is the one that was new.

    ``key_id`` is empty where the provider refused to mint. The same refusal again is no new record:
    it counts as one of ``tries``, and ``finished_at`` is the last of them.

    A dataclass, since a journal has twenty of them: 0.8 kB each, as a model it would be 2 kB.
    """

    rotation: str
    reason: str
    strategy: Strategy
    outcome: Outcome
    started_at: Moment
    finished_at: Moment
    old_key_id: str
    old_redacted: str
    #: Of what the store held before; None in the records of version 1.
    old_fingerprint: str | None = None
    key_id: str
    redacted: str
    expires_at: Moment | None = None
    old_valid_until: Moment | None = None
    #: From the provider's answer to the store's acknowledgement, in seconds; None when it was not
    #: this process that delivered.
    danger_seconds: float | None = None
    #: Why it failed, in words without secrets.
    error: str = ""
    tries: PositiveInt = 1


class Journal(_Document):
    """The whole document. ``Journal()`` is what a policy starts with."""

    version: int = VERSION
    #: The selector the lineage began with: another one in the configuration begins a new lineage.
    selector: str = ""
    changed_at: Moment | None = None
    lease: Lease | None = None
    current: Current | None = None
    rotation: Rotation | None = None
    retiring: tuple[Retiring, ...] = ()
    #: Finished rotations that minted more than once: a request may have been slower than all of us,
    #: and its key appears when nobody waits for it any more.
    doubted: tuple[Rotation, ...] = ()
    #: Hooks still to be told, of whichever finished rotations.
    notices: tuple[Notice, ...] = ()
    history: tuple[Record, ...] = ()

    @property
    def begun(self) -> tuple[Rotation, ...]:
        """The rotations of which a key may yet appear: in flight, and over, the latest first."""
        return (*([self.rotation] if self.rotation else []), *self.doubted)

    @property
    def last_completed_at(self) -> datetime | None:
        """When the last rotation that minted a key ended, whatever started it."""
        ends = (entry.finished_at for entry in self.history if entry.key_id)
        return max(ends, default=None)

    @property
    def last_done(self) -> Record | None:
        """The latest rotation or rollback on record that did not fail; None without any."""
        return next((one for one in self.history if one.outcome != "failed"), None)

    def instead_of(self, key_id: str) -> PutBack | None:
        """The former key that was put back in the place of ``key_id``; else None."""
        current = self.current
        return current.put_back if current is not None and current.key_id == key_id else None

    def changed(self, now: datetime, **changes: object) -> Journal:
        """A copy with ``changes``, of our version, stamped ``now`` and trimmed."""
        new = self.model_copy(update={**changes, "changed_at": now, "version": VERSION})
        return new.model_copy(
            update={"history": new.history[:HISTORY], "doubted": new.doubted[:DOUBTS]}
        )


def encode(journal: Journal) -> dict[str, object]:
    """The document as JSON types."""
    return journal.model_dump(mode="json")


def decode(document: object, *, place: str) -> Journal:
    """Read a document found at ``place``, whatever it is.

    Raises:
        Unreadable: It is not a journal, is damaged, or comes from a newer version.
    """
    version = document.get("version") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Unreadable(
            f"{place} is not a journal of rotator: it has no version",
            remedy="choose another `journal` prefix, or move the foreign document away",
        )
    if version > VERSION:
        raise Unreadable(
            f"{place} was written by a newer rotator; this one reads up to version {VERSION}",
            remedy="upgrade this rotator",
        )
    try:
        return Journal.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unreadable(
            f"{place} is damaged at `{where}`: {first['msg']}",
            remedy="restore an earlier version of the document in the store",
        ) from None

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from rotator.errors import Unreadable
from rotator.journal import (
    HISTORY,
    VERSION,
    Current,
    Journal,
    Lease,
    Mint,
    Notice,
    Record,
    Retiring,
    Rotation,
    decode,
    encode,
)

NOW = datetime(2026, 11, 23, 8, 31, 2, 345678, tzinfo=UTC)
CANARY = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789"

texts = st.text(max_size=20)
moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(9000, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
lengths = st.timedeltas(timedelta(0), timedelta(days=4000))
mints = st.builds(
    Mint,
    owner=texts,
    at=moments,
    strategy=st.sampled_from(["refresh", "reissue"]),
    source_id=texts,
    expires_at=st.none() | moments,
    lifetime=st.none() | lengths,
)
rotations = st.builds(
    Rotation,
    id=texts,
    reason=texts,
    started_at=moments,
    selector=texts,
    key_id=texts,
    key_name=texts,
    redacted=texts,
    fingerprint=st.none() | texts,
    expires_at=st.none() | moments,
    siblings=st.lists(texts, max_size=2).map(tuple),
    grace_deadline=st.none() | moments,
    mints=st.lists(mints, min_size=1, max_size=2).map(tuple),
)
records = st.builds(
    Record,
    rotation=texts,
    reason=texts,
    strategy=st.sampled_from(["refresh", "reissue"]),
    outcome=st.sampled_from(["completed", "repaired", "failed"]),
    error=texts,
    tries=st.integers(1, 9),
    started_at=moments,
    finished_at=moments,
    old_key_id=texts,
    old_redacted=texts,
    key_id=texts,
    redacted=texts,
    danger_seconds=st.none() | st.floats(0, 1e6),
)
journals = st.builds(
    Journal,
    selector=texts,
    changed_at=st.none() | moments,
    lease=st.none() | st.builds(Lease, owner=texts, taken_at=moments, until=moments),
    current=st.none()
    | st.builds(
        Current,
        key_id=texts,
        redacted=texts,
        fingerprint=texts,
        since=moments,
        expires_at=st.none() | moments,
        lifetime=st.none() | lengths,
    ),
    rotation=st.none() | rotations,
    retiring=st.lists(
        st.builds(Retiring, key_id=texts, redacted=texts, at=moments, rotation=texts), max_size=2
    ).map(tuple),
    notices=st.lists(
        st.builds(Notice, rotation=texts, hook=texts, at=moments, until=moments), max_size=2
    ).map(tuple),
    history=st.lists(records, max_size=3).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


# --- round trip ---


@given(journal=journals)
def test_what_was_written_is_read_again(journal):
    written = json.loads(json.dumps(encode(journal)))

    assert journal == decode(written, place="p")


def test_a_new_journal_is_of_the_present_version_and_empty():
    journal = Journal()

    assert VERSION == journal.version
    assert (None, None, (), ()) == (
        journal.lease,
        journal.rotation,
        journal.retiring,
        journal.history,
    )


def test_times_are_written_with_their_zone():
    lease = Lease(owner="me", taken_at=NOW, until=NOW)

    assert "2026-11-23T08:31:02.345678Z" == encode(Journal(lease=lease))["lease"]["until"]


def test_a_field_that_a_newer_rotator_might_add_does_not_hinder_reading():
    assert Journal(version=1, selector="id k") == decode(
        {"version": 1, "selector": "id k", "unheard_of": 1}, place="p"
    )


def test_a_record_of_version_1_is_read():
    record = encode(Journal(history=(_record("r"),)))["history"][0]
    former = {name: value for name, value in record.items() if name not in {"error", "tries"}}

    assert (_record("r"),) == decode({"version": 1, "history": [former]}, place="p").history


def test_a_document_of_an_older_version_is_read_and_becomes_one_of_this():
    read = decode({"version": 1, "selector": "id k"}, place="p")

    assert Journal(version=1, selector="id k") == read
    assert VERSION == read.changed(NOW).version


# --- whatever is found ---


@given(document=json_values)
def test_anything_is_a_journal_or_unreadable(document):
    assert _is_read_or_refused(document)


def test_a_version_too_long_to_print_is_a_newer_one():
    assert _is_read_or_refused({"version": 10**5000})


@pytest.mark.parametrize(
    "entry", [{"danger_seconds": float("nan")}, {"danger_seconds": float("inf")}]
)
def test_what_could_not_be_written_again_is_not_read(entry):
    record = encode(Journal(history=(_record("r"),)))["history"][0] | entry

    with pytest.raises(Unreadable):
        decode({"version": 1, "history": [record]}, place="p")


def test_a_count_of_failures_is_not_negative():
    entry = {"key_id": "k", "redacted": "", "at": NOW.isoformat(), "rotation": "r", "failures": -1}

    with pytest.raises(Unreadable):
        decode({"version": 1, "retiring": [entry]}, place="p")


@pytest.mark.parametrize("moment", ["1999-12-31T23:59:59Z", "9001-01-01T00:00:00Z"])
def test_a_moment_from_which_nothing_can_be_computed_is_damage(moment):
    with pytest.raises(Unreadable) as caught:
        decode({"version": 1, "changed_at": moment}, place="p")

    assert (
        "p is damaged at `changed_at`: Value error, is no moment of our time"
        == caught.value.message
    )


@pytest.mark.parametrize("length", ["-PT1S", "P100001D"])
def test_a_length_that_no_key_has_is_damage(length):
    at = "2026-01-01T00:00:00Z"
    mint = {"at": at, "owner": "o", "source_id": "k", "strategy": "refresh", "grace": length}
    rotation = {"id": "r", "reason": "x", "started_at": at, "selector": "s"}
    rotation |= {"key_id": "k", "key_name": "n", "redacted": "", "mints": [mint]}

    with pytest.raises(Unreadable) as caught:
        decode({"version": 1, "rotation": rotation}, place="p")

    assert caught.value.message.startswith("p is damaged at `rotation.mints.0.grace`: ")


def test_moments_are_read_in_utc():
    journal = decode({"version": 1, "changed_at": "2026-11-23T10:31:02+02:00"}, place="p")

    assert "2026-11-23 08:31:02+00:00" == str(journal.changed_at)


@given(document=st.dictionaries(st.text(), json_values, max_size=4))
def test_any_document_is_a_journal_or_unreadable(document):
    assert _is_read_or_refused(document)


@given(
    document=st.fixed_dictionaries(
        {"version": st.integers(0, 3) | json_values},
        optional={name: json_values for name in Journal.model_fields if name != "version"},
    )
)
def test_any_document_that_looks_like_one_is_a_journal_or_unreadable(document):
    assert _is_read_or_refused(document)


@given(journal=journals, data=st.data())
def test_a_damaged_journal_is_a_journal_or_unreadable(journal, data):
    document = encode(journal)
    place = data.draw(st.sampled_from(sorted(document)))
    document[place] = data.draw(json_values)

    assert _is_read_or_refused(document)


@pytest.mark.parametrize("version", [None, "1", 1.0, True, 0, -1, [], {}])
def test_a_document_without_a_version_is_foreign(version):
    with pytest.raises(Unreadable) as caught:
        decode({"version": version}, place="secret/rotator/ci")

    assert "secret/rotator/ci is not a journal of rotator: it has no version" == (
        caught.value.message
    )


def test_a_document_of_a_newer_rotator_is_refused_rather_than_cut_down():
    with pytest.raises(Unreadable) as caught:
        decode({"version": VERSION + 1}, place="secret/rotator/ci")

    assert (
        "secret/rotator/ci was written by a newer rotator; this one reads up to version 2"
        " (upgrade this rotator)"
    ) == str(caught.value)


def test_the_error_names_the_place_that_is_damaged():
    with pytest.raises(Unreadable) as caught:
        decode({"version": 1, "lease": {"owner": "me", "taken_at": "x"}}, place="p")

    assert caught.value.message.startswith("p is damaged at `lease.taken_at`: ")


def test_a_time_without_a_zone_is_damage():
    lease = {"owner": "me", "taken_at": "2026-11-23T08:31:02", "until": "2026-11-23T08:31:02Z"}

    with pytest.raises(Unreadable):
        decode({"version": 1, "lease": lease}, place="p")


@pytest.mark.parametrize(
    "document",
    [
        {"version": CANARY},
        {"version": 1, "lease": CANARY},
        {"version": 1, "changed_at": CANARY},
        {"version": 1, "history": [{"strategy": CANARY}]},
        {"version": 1, "rotation": {CANARY: CANARY}},
    ],
)
def test_an_error_shows_nothing_of_what_was_found(document):
    with pytest.raises(Unreadable) as caught:
        decode(document, place="p")

    assert CANARY not in f"{caught.value} {caught.value.__cause__!r} {caught.value.args}"
    assert None is caught.value.__context__ or caught.value.__suppress_context__


# --- changes ---


def test_a_change_is_stamped_and_leaves_the_rest():
    before = Journal(version=1, selector="id k")
    after = before.changed(NOW, lease=None)

    assert ("id k", NOW) == (after.selector, after.changed_at)
    assert VERSION == after.version, "whatever it was read as"
    assert None is before.changed_at


def test_a_document_of_an_older_rotator_is_of_our_version_once_we_change_it():
    old = decode({"version": 1, "selector": "id k"}, place="p")

    assert (1, ()) == (old.version, old.notices)
    assert VERSION == old.changed(NOW).version


def test_history_keeps_the_newest_records():
    many = tuple(_record(str(number)) for number in range(HISTORY + 5))

    kept = Journal().changed(NOW, history=many).history

    assert many[:HISTORY] == kept


def test_a_journal_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        Journal().selector = "id k"


def test_the_last_mint_is_the_latest_try():
    tries = tuple(
        Mint(owner=owner, at=NOW, strategy="refresh", source_id="k") for owner in ("one", "two")
    )

    assert "two" == _rotation(tries).last_mint.owner


def test_a_rotation_without_a_mint_is_none_of_ours():
    document = encode(Journal(rotation=_rotation((_MINT,))))
    document["rotation"]["mints"] = []

    with pytest.raises(Unreadable):
        decode(document, place="p")


@pytest.mark.parametrize("odd", [True, 1, 1.5, 1_800_000_000])
@pytest.mark.parametrize("field", ["lifetime", "at"])
def test_what_we_write_as_text_is_damaged_where_it_is_a_number(field, odd):
    document = encode(Journal(rotation=_rotation((_MINT,))))
    document["rotation"]["mints"][0][field] = odd

    with pytest.raises(Unreadable):
        decode(document, place="p")


def test_the_last_rotation_is_the_one_that_ended_last():
    later = replace(_record("later"), finished_at=NOW + timedelta(1))

    assert NOW + timedelta(1) == Journal(history=(_record("a"), later)).last_completed_at


def test_without_history_nothing_was_completed():
    assert None is Journal().last_completed_at


def _is_read_or_refused(document: object) -> bool:
    try:
        return isinstance(decode(document, place="p"), Journal)
    except Unreadable:
        return True


_MINT = Mint(owner="one", at=NOW, strategy="refresh", source_id="k")


def _rotation(tries: tuple[Mint, ...]) -> Rotation:
    return Rotation(
        id="r",
        reason="key_near_expiry",
        started_at=NOW,
        selector="id k",
        key_id="k",
        key_name="n",
        redacted="ak-abc...xyz",
        mints=tries,
    )


def _record(name: str) -> Record:
    return Record(
        rotation=name,
        reason="key_near_expiry",
        strategy="refresh",
        outcome="completed",
        started_at=NOW,
        finished_at=NOW,
        old_key_id="k",
        old_redacted="ak-abc...xyz",
        key_id="k",
        redacted="ak-def...uvw",
    )

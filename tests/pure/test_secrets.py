import copy
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given, strategies as st

from rotator.secrets import Masked, Redacted, Secret

RAW = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789ABCDEFxyz"
#: Also what no encoding knows: JSON can bring half a surrogate pair.
any_text = st.text(st.characters())


# --- it cannot print ---


@pytest.mark.parametrize("show", [str, repr, ascii, "{}".format, "{!r:>40}".format, "%s".__mod__])
@given(raw=st.text(min_size=9))
def test_a_secret_shows_as_masked(show, raw):
    assert "[masked]" == show(Secret(raw)).strip()


def test_a_secret_shows_as_masked_within_other_things():
    secret = Secret(RAW)

    assert "{'key': [masked]}" == str({"key": secret})
    assert "([masked],)" == str((secret,))


def test_a_format_does_not_reach_the_value():
    assert "[masked]" == f"{Secret(RAW):.3}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol):
    with pytest.raises(TypeError) as caught:
        pickle.dumps(Secret(RAW), protocol)

    assert "a masked value cannot be pickled or copied out" == str(caught.value)


def test_a_secret_cannot_be_written_as_json():
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": Secret(RAW)})

    assert RAW not in str(caught.value)


def test_a_secret_has_no_attributes_to_list():
    with pytest.raises(TypeError):
        vars(Secret(RAW))


def test_a_traceback_with_locals_shows_no_secret():
    secret = Secret(RAW)
    with pytest.raises(KeyError) as caught:
        {}[secret]
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    assert "secret = [masked]" in "".join(shown.format())
    assert RAW not in "".join(shown.format())


def test_a_log_record_shows_no_secret():
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "%s %r", (Secret(RAW),) * 2, None)

    assert "[masked] [masked]" == record.getMessage()


# --- it is a value all the same ---


@given(raw=st.text())
def test_what_was_wrapped_is_revealed(raw):
    assert raw == Secret(raw).reveal()


def test_a_copy_is_the_secret_itself():
    secret = Secret(RAW)

    assert secret is copy.copy(secret)
    assert secret is copy.deepcopy(secret)


@given(one=st.text(), other=st.text())
def test_two_secrets_are_equal_when_their_values_are(one, other):
    assert (one == other) == (Secret(one) == Secret(other))


def test_a_secret_is_not_equal_to_its_raw_text():
    assert Secret(RAW) != RAW
    assert RAW != Secret(RAW)


def test_a_secret_is_not_equal_to_a_masked_value_of_another_kind():
    assert Secret(RAW) != Masked(RAW)
    assert Masked(RAW) != Secret(RAW)


def test_masked_values_are_compared_by_value_and_kind():
    assert Masked({"a": 1}) == Masked({"a": 1})
    assert Masked({"a": 1}) != Masked({"a": 2})
    assert Masked({"a": 1}) != {"a": 1}


def test_equal_secrets_have_one_place_in_a_set():
    assert 1 == len({Secret(RAW), Secret(RAW)})


def test_different_secrets_have_different_places_in_a_set():
    assert hash(Secret(RAW)) != hash(Secret(RAW + "x"))


def test_a_masked_value_cannot_be_hashed():
    with pytest.raises(TypeError) as caught:
        hash(Masked(RAW))

    assert "a masked value cannot be hashed" == str(caught.value)


def test_a_fingerprint_is_the_beginning_of_a_hash():
    assert "sha256:acbc96497e3082fd" == Secret("ak-known").fingerprint


@given(raw=any_text)
def test_any_text_has_a_fingerprint(raw):
    assert len("sha256:") + 16 == len(Secret(raw).fingerprint)


def test_half_a_surrogate_pair_has_a_fingerprint():
    assert "sha256:e2a59eb4b626c99e" == Secret("ak-\ud800").fingerprint
    assert "ak-\ud800" == Secret("ak-\ud800").reveal()


@given(raw=any_text)
def test_any_text_can_be_compared(raw):
    assert Secret(raw) == Secret(raw)


# --- what may be shown of it ---


def test_of_a_raw_key_the_head_and_the_tail_are_shown():
    assert "ak-CAN...xyz" == str(Secret(RAW).redacted)


@given(raw=st.text(max_size=21))
def test_nothing_is_shown_of_a_short_secret(raw):
    assert Redacted() == Secret(raw).redacted


@given(raw=st.text(min_size=22))
def test_a_long_secret_matches_what_is_shown_of_it_or_too_little_is(raw):
    redacted = Secret(raw).redacted

    assert redacted.matches(Secret(raw)) or len(redacted.head + redacted.tail) < 7 + len("ak-")


@pytest.mark.parametrize(
    "text",
    ["ak-abc...xyz", "ak-abc***xyz", "ak-abc…xyz", "ak-abc••••xyz", "ak-abc..xyz", "ak-abc*xyz"],
)
def test_the_providers_redacted_key_is_read_whatever_it_masks_with(text):
    assert Redacted("ak-abc", "xyz") == Redacted.parse(text)


def test_of_several_masks_the_outer_sides_are_read():
    assert Redacted("ak-abc", "xyz") == Redacted.parse("ak-abc...mid***xyz")


@pytest.mark.parametrize("text", [None, "", "ak-abcdefgh", "unknown", RAW])
def test_a_text_without_a_mask_tells_nothing(text):
    assert Redacted() == Redacted.parse(text)


def test_no_more_is_taken_than_what_is_usually_shown():
    assert Redacted("ak-CANA", "Fxyz") == Redacted.parse(f"{RAW[:40]}...{RAW[20:]}")


@pytest.mark.parametrize(
    ("text", "expected"), [("ak-abcd...", ("ak-abcd", "")), ("...wxyz", ("", "wxyz"))]
)
def test_a_head_or_a_tail_alone_is_read(text, expected):
    assert Redacted(*expected) == Redacted.parse(text)


@given(text=st.none() | st.text() | st.from_regex(r"[a-z]*(\.\.\.|\*+|…)[a-z]*", fullmatch=True))
def test_whatever_is_read_is_short(text):
    redacted = Redacted.parse(text)

    assert len(redacted.head) <= 7
    assert len(redacted.tail) <= 4


def test_a_redacted_key_matches_its_secret():
    assert Redacted("ak-CAN", "xyz").matches(Secret(RAW))


@pytest.mark.parametrize("other", [Redacted("ak-CAM", "xyz"), Redacted("ak-CAN", "xyy")])
def test_a_redacted_key_does_not_match_another_secret(other):
    assert not other.matches(Secret(RAW))


@pytest.mark.parametrize("other", [Redacted(), Redacted("ak-", "xyz"), Redacted("ak-CAN", "")])
def test_too_little_to_tell_matches_nothing(other):
    assert not other.matches(Secret(RAW))


def test_no_secret_matches_nothing():
    assert not Redacted("ak-CAN", "xyz").matches(None)


@pytest.mark.parametrize(
    ("redacted", "expected"),
    [
        (Redacted("ak-abc", "xyz"), "ak-abc...xyz"),
        (Redacted("ak-abc", ""), "ak-abc..."),
        (Redacted("", "xyz"), "...xyz"),
        (Redacted(), "(unknown)"),
    ],
)
def test_a_redacted_key_is_shown_as_the_provider_shows_it(redacted, expected):
    assert expected == str(redacted)


@given(raw=st.text(min_size=22).filter(lambda raw: "." not in raw and "*" not in raw))
def test_what_is_shown_can_be_read_again(raw):
    redacted = Secret(raw).redacted

    if not {"…", "•"} & set(raw):
        assert redacted == Redacted.parse(str(redacted))

"""How much a journal keeps, and what a person is told of one that cannot be read."""

import pytest
from pure_builders import NOW, rotation

from rotator.errors import Unreadable
from rotator.journal import DOUBTS, Journal, decode


def test_the_latest_doubts_are_kept():
    many = tuple(rotation(id=str(number)) for number in range(DOUBTS + 2))

    assert many[:50] == Journal().changed(NOW, doubted=many).doubted


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {},
            (
                "p is not a journal of rotator: it has no version (choose another `journal` prefix,"
                " or move the foreign document away)"
            ),
        ),
        (
            {"version": 3},
            (
                "p was written by a newer rotator; this one reads up to version 2 (upgrade this"
                " rotator)"
            ),
        ),
        (
            {"version": 1, "rotation": {"id": []}},
            (
                "p is damaged at `rotation.id`: Input should be a valid string (restore an earlier"
                " version of the document in the store)"
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_what_to_do(document, expected):
    with pytest.raises(Unreadable) as caught:
        decode(document, place="p")

    assert expected == str(caught.value)

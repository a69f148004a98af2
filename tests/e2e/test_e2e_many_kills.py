"""A history of kills; ``make kills`` plays a thousand."""

import kills


def test_whenever_it_is_killed_no_key_is_lost():
    tally = kills.play_many(range(1), at_once=1, real=False)

    assert [] == tally.lost
    assert tally.kills.total() > 0
    assert tally.reads > 100
    assert 0 == tally.refused

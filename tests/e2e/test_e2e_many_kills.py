"""A history of kills; ``make kills`` plays a thousand."""

import kills


def test_whenever_it_is_killed_no_key_is_lost():
    # The first process of this one dies as soon as its key is minted.
    tally = kills.play_many([98], at_once=1, real=False)

    assert [] == tally.lost
    assert 1 == tally.kills[kills.at("mint", after=True)]
    assert tally.reads > 100
    assert tally.late > 100
    assert (0, 0) == (tally.refused, tally.late_refused)

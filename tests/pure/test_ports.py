from rotator.ports import Conflict


def test_one_lost_race_is_like_another():
    assert Conflict() == Conflict()

"""The key that rotator itself works with."""

from dataclasses import replace

from pure_builders import HOUR, endless, key, policy, snapshot

from rotator.model import Choice
from rotator.strategy import choose


def test_the_own_key_is_reissued_even_where_another_would_be_refreshed():
    for old in (endless(), key()):
        assert "refresh" == choose(snapshot(old), old).strategy
        assert "reissue" == choose(replace(snapshot(old), own=True), old).strategy


def test_a_policy_that_wants_the_own_key_refreshed_gets_it():
    s = replace(snapshot(endless(), policy=policy(strategy=Choice.REFRESH, grace=HOUR)), own=True)

    assert "refresh" == choose(s, endless()).strategy

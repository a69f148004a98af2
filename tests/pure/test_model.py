from datetime import timedelta

import pytest

from rotator.keys import KeyType, Scope
from rotator.model import Held, Limits, Policy, Reason, Selector, Target
from rotator.secrets import Masked


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Selector(id="k1"), "id k1"),
        (Selector(name="ci"), "name 'ci'"),
        (Selector(id="k1", name="ci"), "id k1"),
        (Selector(id="k1", space_id="s1"), "id k1 in space s1"),
        (Selector(name="ci", space_id="s1"), "name 'ci' in space s1"),
        (Selector(name="ci", type=KeyType.SERVICE), "name 'ci'"),
    ],
)
def test_a_selector_says_which_key_it_means(selector, expected):
    assert expected == str(selector)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Selector(id="k"), (Scope(), Scope(type=KeyType.SERVICE))),
        (Selector(id="k", type=KeyType.UNKNOWN), (Scope(), Scope(type=KeyType.SERVICE))),
        (Selector(id="k", type=KeyType.USER), (Scope(),)),
        (Selector(id="k", type=KeyType.SERVICE), (Scope(type=KeyType.SERVICE),)),
        (Selector(id="k", space_id="s"), (Scope(space_id="s"),)),
        (Selector(id="k", space_id="s", type=KeyType.USER), (Scope(space_id="s"),)),
    ],
)
def test_the_listings_that_can_show_a_key_come_the_likeliest_first(selector, expected):
    assert expected == selector.scopes


def test_a_target_says_where_it_is():
    assert "app/ci#key" == str(Target("app/ci", "key"))
    assert "secret/app/ci#key" == str(Target("app/ci", "key", mount="secret"))


def test_a_target_wants_no_metadata_unless_told():
    assert {} == Target("app/ci", "key").metadata


def test_a_target_holds_nothing_unless_told():
    held = Held(Target("app/ci", "key"))

    assert (None, 0, Masked({})) == (held.value, held.version, held.document)


def test_two_empty_documents_are_not_one():
    target = Target("app/ci", "key")

    assert Held(target).document.reveal() is not Held(target).document.reveal()


def test_a_policy_says_no_more_than_it_must():
    policy = Policy("p", Selector(id="k"), (), timedelta(hours=1))

    assert ("auto", timedelta(hours=1)) == (policy.strategy, policy.min_interval)
    assert (None, None, None, None) == (
        policy.before_expiry,
        policy.max_age,
        policy.lifetime,
        policy.bindings,
    )


def test_the_limits_leave_time_for_one_request_in_a_lease():
    limits = Limits()

    assert (30, 10, 60, 20, 20) == tuple(
        value.total_seconds()
        for value in (
            limits.lease,
            limits.timeout,
            limits.retry_budget,
            limits.settle,
            limits.handover,
        )
    )
    assert 5 == limits.mints


def test_a_reason_reads_as_its_text():
    assert "a sentence" == str(Reason("a_code", "a sentence"))

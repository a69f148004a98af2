"""What holds of every decision, whatever the world looks like."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

from hypothesis import given, strategies as st
from pure_builders import DAY, HOUR, ME, NOTHING, NOW, key, secret
from pure_snapshots import keys_of, resting, snapshots

from rotator import notices, transitions
from rotator.decide import CHECKS, decide
from rotator.errors import Rejected
from rotator.journal import Journal, decode, encode
from rotator.keys import KeyStatus, Minted
from rotator.minted import after_mint
from rotator.model import (
    Deliver,
    Lock,
    Locked,
    Mint,
    Notify,
    Plan,
    Promote,
    Refuse,
    Retire,
    Step,
    Wait,
)
from rotator.origin import delivered_key
from rotator.outlook import outlook
from rotator.secrets import Redacted
from rotator.strategy import as_used, choose, was_replaced
from rotator.views import current_keys

anything = snapshots | resting


@given(s=anything)
def test_there_is_always_a_next_step(s):
    step = decide(s)

    assert isinstance(step, get_args(Step))
    assert step.reason.code
    assert step.reason.text


@given(s=anything)
def test_the_same_snapshot_leads_to_the_same_step(s):
    assert decide(s) == decide(replace(s))


@given(s=anything, data=st.data())
def test_the_order_in_which_keys_are_listed_does_not_matter(s, data):
    shuffled = replace(s, keys=tuple(data.draw(st.permutations(s.keys))))

    assert decide(s) == decide(shuffled)
    assert outlook(s) == outlook(shuffled)


@given(s=anything)
def test_every_policy_has_an_outlook(s):
    seen = outlook(s)

    assert seen.policy == "ci-key"
    assert seen.action in {
        *("refresh", "reissue", "deliver", "promote", "retire"),
        *("restore", "notify", "destroy", "fail", "lock", "wait", "locked", "refuse"),
    }


@given(s=anything)
def test_nothing_is_done_while_the_lease_of_another_lives(s):
    held = s.journal.lease
    theirs = held is not None and held.is_anothers(ME, NOW)

    assert not theirs or isinstance(decide(s), Wait | Locked | Refuse)
    assert theirs or not isinstance(decide(s), Locked)


@given(s=anything)
def test_hooks_hear_when_nothing_else_is_to_be_done_and_change_nothing_else(s):
    step = decide(s)
    without = decide(replace(s, journal=s.journal.model_copy(update={"notices": ()})))

    if isinstance(step, Notify):
        assert isinstance(without, Wait | Refuse)
        assert all(notice.at <= NOW or not notice.failures for notice in step.notices)
    elif isinstance(without, Wait):
        assert isinstance(step, Wait | Locked)
    else:
        assert isinstance(step, type(without) | Locked)


@given(s=resting)
def test_no_key_is_revoked_that_anybody_may_need(s):
    step = decide(s)
    if isinstance(step, Retire):
        shown = Redacted.parse(step.entry.redacted)

        assert step.entry.at <= NOW
        assert step.entry.key_id not in {each.id for each in current_keys(s)}
        assert not any(shown.matches(each.value) for each in s.held)
        assert all(each.value is not None for each in s.held)


@given(s=anything)
def test_no_key_is_revoked_while_a_rotation_is_in_flight_unless_its_own_is_gone(s):
    step, rotation = decide(s), s.journal.rotation
    if isinstance(step, Retire) and rotation is not None:
        assert rotation.key_id not in {each.id for each in s.keys}


@given(s=anything)
def test_a_key_is_delivered_only_to_those_that_lack_it_and_from_one_that_has_it(s):
    step = decide(s)
    if isinstance(step, Deliver | Promote):
        having = [each.value == step.secret for each in s.held]

        assert any(having)
        assert all(having) == isinstance(step, Promote)
        assert step.key.usable(NOW)
        assert step.key.redacted.matches(step.secret)
        assert (step.key, step.secret) == delivered_key(s)


@given(s=anything)
def test_what_is_waited_for_lies_ahead(s):
    step = decide(s)
    until = getattr(step, "until", None)

    assert until is None or until > NOW


@given(s=anything)
def test_one_rotation_does_not_mint_without_end(s):
    rotation = s.journal.rotation
    if rotation is not None and len(rotation.mints) >= s.limits.mints:
        # Consumers whose key is about to end are not kept waiting for longer than a delivery takes.
        pause = min(s.policy.min_interval, s.limits.retry_budget)
        late = rotation.mints[-1].at + pause <= NOW

        assert late or not isinstance(decide(s), Mint | Lock)


@given(s=resting)
def test_nothing_is_minted_for_a_key_that_is_not_the_only_one_meant(s):
    step = decide(s)

    assert not isinstance(step, Mint) or (step.plan.source,) == current_keys(s)


# --- plans ---


@given(s=anything, old=keys_of("old"))
def test_a_plan_leaves_time_to_deliver_and_asks_for_what_the_provider_gives(s, old):
    plan = choose(s, old)
    if isinstance(plan, Plan):
        ends = as_used(s, old).expires_at
        left = timedelta.max if ends is None else ends - NOW

        assert NOTHING <= plan.grace <= max(left, NOTHING)
        assert plan.grace <= s.policy.grace
        assert plan.strategy == "reissue" or s.limits.retry_budget <= plan.grace <= DAY
        assert plan.source == old


@given(s=anything, old=keys_of("old"))
def test_a_policy_gets_the_strategy_that_it_wants(s, old):
    plan = choose(s, old)
    wanted = {s.policy.strategy.value}
    if old.status is KeyStatus.REVOKED:
        # Nothing is left that could be refreshed.
        wanted = {"reissue"}
    elif was_replaced(s, old):
        # No refresh lengthens its grace.
        wanted |= {"reissue"}

    assert "auto" in wanted or isinstance(plan, Refuse) or plan.strategy in wanted


@given(s=resting, old=keys_of("old"))
def test_a_bounded_key_never_becomes_an_endless_one(s, old):
    plan = choose(s, old)

    # Unless it was one, and shows the end of its grace only.
    endless = old.expires_at is None or was_replaced(s, old)
    assert isinstance(plan, Refuse) or endless or plan.expires_at is not None


# --- journals ---


def written(s, data):
    """Every document that a snapshot may lead to."""
    step, entry = decide(s), data.draw(st.sampled_from([*s.journal.retiring, None]))
    yield transitions.locked(s)
    yield transitions.unminted(s)
    if entry is not None:
        yield transitions.retired(s, entry)
        yield transitions.postponed(s, entry, NOW + HOUR)
    if isinstance(step, Mint):
        yield transitions.begun(s, step.reason, step.plan, "r9")
    if s.journal.rotation is not None:
        if s.journal.current is None or s.journal.current.key_id != key("new").id:
            yield transitions.abandoned(s, s.journal.rotation, key("new"))
        yield transitions.declined(s, Rejected("no"))
        yield transitions.refused(s, key("new"), Rejected("no"))
        yield transitions.refused(s, None, Rejected("no"))
    if isinstance(step, Promote):
        yield transitions.completed(s, step.key, step.secret, 0.5)
    if isinstance(step, Notify):
        yield notices.booked(s, step.notices, NOW + HOUR)
        yield notices.settled(s, {notices.id_of(one): NOW + HOUR for one in step.notices})


@given(s=anything, data=st.data())
def test_every_document_that_is_written_can_be_read(s, data):
    for journal in written(s, data):
        assert journal == decode(encode(journal), place="p")
        assert NOW == journal.changed_at


@given(s=snapshots)
def test_a_rotation_that_is_done_is_followed_by_no_other_at_once(s):
    step = decide(s)
    if isinstance(step, Promote):
        after = transitions.completed(s, step.key, step.secret, None)
        rules = replace(s.policy, min_interval=HOUR)
        s = replace(s, journal=after, policy=rules, demanded=False)

        assert not isinstance(decide(s), Mint) or _was_meant_otherwise(s, step)


def _was_meant_otherwise(s, step):
    """The policy names another key by now, whose rotation has its own reasons."""
    return str(s.policy.selector) != s.journal.selector or step.key not in current_keys(s)


@given(s=resting, data=st.data())
def test_a_mint_that_is_delivered_is_proved_next(s, data):
    step = decide(s)
    if isinstance(step, Mint):
        begun = transitions.begun(s, step.reason, step.plan, "r9")
        s = replace(s, journal=begun)
        fresh = replace(data.draw(keys_of("tri")), status="active", redacted=Redacted())
        fresh = replace(fresh, expires_at=step.plan.expires_at, created_at=NOW)
        held = tuple(replace(each, value=secret("tri")) for each in s.held)
        seen = after_mint(s, step.plan, Minted(secret("tri"), fresh), held)

        assert not fresh.usable(NOW) or "delivery_is_unrecorded" == decide(seen).reason.code


def test_the_checks_are_named_once():
    assert len(CHECKS) == len({check.__name__ for check in CHECKS})


def test_an_empty_journal_is_where_everything_starts():
    assert Journal() == decode(encode(Journal()), place="p")

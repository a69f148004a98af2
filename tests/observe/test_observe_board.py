"""What is known of policies and services, from events, looks and requests."""

import asyncio

import pytest
import sim_loop
from observe_stage import FAILED, SOON, board, look, well
from pure_builders import HOUR, MINUTE, NOW, in_flight, key, snapshot

from rotator.decide import decide
from rotator.events import Event
from rotator.model import Mint
from rotator.observe.board import Passed, Service, Token, outcome_of


def row(board):
    (row,) = board.rows
    return row


# --- policies ---


def test_before_the_first_look_there_is_a_row_without_facts():
    seen = row(board("ci-key"))

    assert ("ci-key", None, None, False) == (
        seen.policy,
        seen.standing,
        seen.trouble,
        seen.undelivered,
    )


def test_a_look_gives_the_standing_and_the_past():
    seen = row(look(board(), well()))

    assert "id-old" == seen.standing.outlook.key_id
    assert ["r0"] == [past.rotation_id for past in seen.history]


def test_what_is_kept_of_a_look_holds_no_raw_key():
    s = well()

    assert s.held[0].value.reveal() not in repr(look(board(), s).rows)


def test_a_look_at_a_policy_that_is_gone_is_forgotten():
    assert ["other"] == [row.policy for row in look(board("other"), well()).rows]


def test_trouble_lasts_from_the_first_failure_to_the_next_look_that_goes_well():
    known = board()
    known.heard(Event.POLICY_RETRYING, policy="ci-key", retry_at=SOON, **FAILED)
    known.clocks.at += HOUR
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED)
    trouble = row(known).trouble

    assert (NOW, "Vault is sealed", "unavailable", "unseal it", None) == (
        trouble.since,
        trouble.error,
        trouble.code,
        trouble.remedy,
        trouble.retry_at,
    )
    assert row(look(known, well())).trouble is None


def test_a_look_that_needs_a_person_does_not_end_the_trouble():
    known = board()
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=SOON, **FAILED)

    assert NOW == row(look(known, snapshot())).trouble.since


def test_a_rotation_that_begins_does_not_end_the_trouble():
    known = board()
    known.heard(Event.POLICY_RETRYING, policy="ci-key", retry_at=SOON, **FAILED)
    due = snapshot(key(expires_at=NOW + HOUR))

    assert isinstance(decide(due), Mint)
    assert NOW == row(look(known, due)).trouble.since


def test_the_words_of_a_failure_are_cleaned_before_they_are_kept():
    known = board(clean=lambda text: text.replace("sealed", "[masked]"))
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED)

    assert "Vault is [masked]" == row(known).trouble.error


@pytest.mark.parametrize("end", [Event.KEY_DELIVERED, Event.ROTATION_SUPERSEDED])
def test_a_key_is_undelivered_from_the_first_refusal_until_it_is_in_the_store(end):
    known = board()
    fields = {"policy": "ci-key", "grace_deadline": SOON}
    known.heard(Event.DELIVERY_FAILED, **fields, **FAILED)
    assert (True, SOON) == (row(known).undelivered, row(known).grace_deadline)

    known.heard(end, policy="ci-key")

    assert (False, None) == (row(known).undelivered, row(known).grace_deadline)


def test_a_look_while_a_key_is_undelivered_does_not_say_otherwise():
    known = board()
    known.heard(Event.DELIVERY_FAILED, policy="ci-key", grace_deadline=SOON, **FAILED)
    look(known, snapshot(key(), journal=in_flight()))

    assert row(known).undelivered


@pytest.mark.parametrize(("failed", "behind", "good"), [(0, 0, True), (1, 0, False), (0, 1, False)])
def test_a_pass_ends_well_when_nothing_is_left_to_do(failed, behind, good):
    known, counts = board(), {"rotated": 2, "failed": failed, "skipped": 1, "behind": behind}
    assert known.passed is None
    known.heard(Event.PASS_COMPLETED, policies=3, duration_seconds=1.5, **counts)

    assert Passed(1.5, counts) == known.passed
    assert good == known.passed.good


def test_events_of_unknown_policies_and_of_none_change_nothing():
    known = board()
    for event in Event:
        if event not in {Event.CLOCK_SKEWED, Event.PASS_COMPLETED}:
            known.heard(event, policy="other", **FAILED)
            known.heard(event)

    assert board().rows == known.rows


def test_policies_come_and_go():
    known = look(board("ci-key", "gone"), well())
    known.keep(["new", "ci-key"])

    assert [("new", False), ("ci-key", True)] == [
        (row.policy, row.standing is not None) for row in known.rows
    ]


# --- services ---


def test_a_service_is_down_when_it_did_not_do_its_work_the_last_time():
    known = board()
    assert Service() == known.services["vault"]

    known.called("vault", "read", 200, 0.1)
    known.clocks.at += MINUTE
    known.called("vault", "read", 503, 0.1)

    assert Service("unavailable", NOW + MINUTE, NOW) == known.services["vault"]
    assert known.services["vault"].down
    known.called("vault", "read", 404, 0.1)
    assert Service("not_found", NOW + MINUTE, NOW + MINUTE) == known.services["vault"]
    assert not known.services["vault"].down


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((200, "ok"), (204, "ok"), (307, "refused"), (400, "refused"), (409, "refused")),
        *((401, "denied"), (403, "denied"), (404, "not_found"), (429, "limited")),
        *((412, "unavailable"), (472, "unavailable"), (473, "unavailable")),
        *((500, "unavailable"), (503, "unavailable"), (101, "unavailable"), (None, "no_answer")),
    ],
)
def test_the_outcome_of_a_request_is_one_word_of_few(status, outcome):
    assert outcome == outcome_of(status)


@pytest.mark.parametrize("event", [Event.VAULT_LOGIN, Event.VAULT_RENEWED])
def test_the_end_of_the_token_is_known_from_each_login_and_renewal(event):
    known = board()
    known.heard(event, method="token", ttl_seconds=3600, renewable=True)

    assert Token(NOW + HOUR, 3600.0) == known.token


def test_a_token_without_end_has_none():
    known = board()
    known.heard(Event.VAULT_LOGIN, ttl_seconds=3600)
    known.heard(Event.VAULT_LOGIN, ttl_seconds=None)

    assert Token() == known.token


def test_the_skew_of_the_clocks_is_known():
    known = board()
    known.heard(Event.CLOCK_SKEWED, skew_seconds=-12.5)

    assert -12.5 == known.skew


# --- the loop ---


def test_the_loop_shows_each_second_that_it_turns():
    async def story():
        loop = asyncio.get_running_loop()
        known = board()
        known._monotonic = loop.time
        turning = asyncio.create_task(known.keep_turning())
        await asyncio.sleep(60.5)
        turning.cancel()
        await asyncio.sleep(10)
        return known.stuck_for

    assert 10.5 == pytest.approx(sim_loop.run(story()), abs=0.01)

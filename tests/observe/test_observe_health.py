"""Alive is what a restart would mend; ready is what a person wants to know."""

import json

import pytest
from observe_stage import EVIL, FAILED, SOON, board, drifted, look, well

from rotator.events import Event
from rotator.observe.health import liveness, readiness


def ready(known):
    return readiness(known).good, readiness(known).facts["reasons"]


def test_a_process_whose_loop_turns_is_alive():
    known = board()
    known.clocks.seconds = 29.94

    assert (True, {"alive": True, "loop_turned_seconds_ago": 29.9}) == liveness(known)


def test_one_whose_loop_is_blocked_is_not():
    known = board()
    known.clocks.seconds = 30.0

    good, facts = liveness(known)

    assert not good
    assert "the loop has not turned for 30 s; something blocks it" == facts["reason"]
    assert not readiness(known).good


def test_a_service_that_is_down_does_not_make_it_less_alive():
    known = board()
    known.called("vault", "read", None, 10.0)

    assert liveness(known).good


def test_all_is_ready_when_every_policy_was_seen_and_is_well():
    known = board()
    assert (False, ["ci-key: not looked at yet"]) == ready(known)

    look(known, well())

    assert (True, []) == ready(known)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "does not answer"),
        (429, "asks for patience: too many requests"),
        (503, "answers that it cannot do its work now"),
    ],
)
def test_a_service_that_is_down_is_named_with_when_it_last_worked(status, words):
    known = look(board(), well())
    known.called("vault", "read", 200, 0.1)
    known.called("vault", "read", status, 0.1)

    assert (False, [f"vault: {words}"]) == ready(known)
    facts = readiness(known).facts["services"]["vault"]
    assert (False, "2026-11-23T08:31:00Z") == (facts["ready"], facts["last_worked"])


def test_a_denial_is_the_matter_of_who_asked_and_not_of_the_service():
    known = look(board(), well())
    known.called("vault", "read", 403, 0.1)

    assert (True, []) == ready(known)


def test_a_policy_that_fails_is_named_with_reason_and_remedy():
    known = look(board(), well())
    known.heard(Event.POLICY_RETRYING, policy="ci-key", retry_at=SOON, **FAILED)

    assert (False, ["ci-key: Vault is sealed"]) == ready(known)
    facts = readiness(known).facts["policies"]["ci-key"]
    assert ("unavailable", "unseal it", "well") == (
        facts["error_code"],
        facts["remedy"],
        facts["state"],
    )
    assert "2026-11-23T08:32:00Z" == facts["retry_at"]


def test_an_undelivered_key_comes_before_everything_else_about_a_policy():
    known = look(board(), well())
    known.heard(Event.DELIVERY_FAILED, policy="ci-key", grace_deadline=SOON, **FAILED)

    assert (False, ["ci-key: a new key is minted, and the store does not take it"]) == ready(known)


def test_a_policy_that_needs_a_person_is_not_ready_and_says_why():
    good, reasons = ready(look(board(), drifted()))

    assert not good
    assert reasons[0].startswith("ci-key: ")


def test_the_facts_are_json_and_clean():
    known = look(board(clean=lambda text: text.replace("alert", "[masked]")), well())
    known.heard(Event.POLICY_FAILED, policy="ci-key", retry_at=None, **FAILED | {"error": EVIL})
    text = json.dumps(readiness(known).facts)

    assert "alert" not in text

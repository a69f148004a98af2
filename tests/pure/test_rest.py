"""Who is looked at when keys are listed again: what is under way, changed, or has its turn."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pure_builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    OTHER,
    TICK,
    current,
    key,
    lease,
    mint,
    new,
    notice,
    policy,
    record,
    retiring,
    rotation,
    service,
    snapshot,
)

from rotator.journal import Journal, PutBack
from rotator.model import Spooled
from rotator.rest import Pace, Rest, is_under_way, print_of

BACK = PutBack(key_id="id", redacted="ak...d", fingerprint="f", at=NOW, ends_at=NOW + HOUR)


def seen(**journal):
    return snapshot(key(), journal=Journal(**journal))


def test_a_policy_with_which_nothing_was_ever_done_is_at_rest():
    assert not is_under_way(seen())


@pytest.mark.parametrize(
    "journal",
    [
        {"rotation": rotation(mint())},
        {"retiring": (retiring(),)},
        {"notices": (notice(),)},
        {"doubted": (rotation(mint()),)},
        {"lease": lease(OTHER)},
        {"current": current(put_back=BACK)},
        {"history": (record(old_valid_until=NOW + TICK),)},
    ],
    ids=lambda journal: next(iter(journal)),
)
def test_what_may_need_a_look_soon_and_shows_in_no_listing_is_under_way(journal):
    assert is_under_way(seen(**journal))


@pytest.mark.parametrize(
    "journal",
    [
        {"doubted": (rotation(mint(at=NOW - 2 * DAY)),)},
        {"lease": lease(OTHER, until=NOW)},
        {"current": current()},
        {"history": (record(old_valid_until=NOW), record(old_valid_until=None))},
    ],
    ids=lambda journal: next(iter(journal)),
)
def test_what_is_over_is_at_rest(journal):
    assert not is_under_way(seen(**journal))


def test_a_policy_that_leaves_and_one_with_a_key_on_the_disk_are_under_way():
    on_disk = (Spooled("ci-key", "r-1", 1),)

    assert is_under_way(replace(seen(), policy=policy(leaving=True)))
    assert is_under_way(replace(seen(), spooled=on_disk))


def test_the_same_keys_have_the_same_print_in_any_order_and_however_lately_used():
    used = key(last_used_at=NOW)

    assert print_of((key(), service("bot"))) == print_of((service("bot"), used))


@pytest.mark.parametrize(
    "keys",
    [(), (key(), new()), (key(redacted=new().redacted),), (key(expires_at=NOW + DAY),)],
    ids=["gone", "namesake", "refreshed", "shortened"],
)
def test_other_keys_have_another_print(keys):
    assert print_of((key(),)) != print_of(keys)


def test_of_a_look_the_keys_are_kept_when_it_ended_well_and_nothing_is_under_way():
    calm, busy = seen(), seen(retiring=(retiring(),))

    assert print_of((key(),)) == Rest.after(calm, well=True).listed
    assert [None, None] == [Rest.after(calm, well=False).listed, Rest.after(busy, well=True).listed]
    assert NOW == Rest.after(busy, well=False).looked_at


def test_no_history_is_kept_and_all_by_which_keys_are_found():
    journal = Journal(selector="id id-old", current=current(), retiring=(retiring(),))
    full = journal.model_copy(
        update={
            "history": (record(),) * 20,
            "doubted": (rotation(mint()),),
            "notices": (notice(),),
        }
    )

    assert journal == Rest.after(snapshot(key(), journal=full), well=True).journal


def pace(recheck, *, fewest=1):
    return Pace(5 * MINUTE, recheck, fewest=fewest)


def test_those_have_their_turn_whose_last_look_is_longest_ago():
    looked_at = {name: NOW + age * MINUTE for age, name in enumerate("dacb")}

    assert {"d", "a"} == pace(10 * MINUTE).turn(looked_at)


@pytest.mark.parametrize(
    ("recheck", "fewest", "expected"),
    [(DAY, 1, 35), (DAY, 100, 100), (HOUR, 1, 834), (5 * MINUTE, 1, 10_000), (MINUTE, 1, 10_000)],
)
def test_so_many_that_all_have_their_turn_in_time(recheck, fewest, expected):
    looked_at = dict.fromkeys(range(10_000), NOW)

    assert expected == len(pace(recheck, fewest=fewest).turn(looked_at))


def test_everybody_has_a_turn_within_the_time_said():
    looked_at = dict.fromkeys(range(1000), NOW)
    rounds, now = pace(timedelta(hours=1)), NOW
    for _ in range(12):
        now += 5 * MINUTE
        looked_at |= dict.fromkeys(rounds.turn(looked_at), now)

    assert NOW not in looked_at.values()
    assert HOUR == now - NOW


def test_where_there_is_nobody_nobody_has_a_turn():
    assert set() == pace(HOUR).turn({})

"""What YAML may mean in a file."""

import time

import pytest
from settings_stage import SERVICES, VALID, changed, loaded, problems


def test_scalars_are_those_of_yaml_1_2():
    text = changed(
        ("https://vault:8200", "https://vault:8200\n  namespace: on\n  skip_verify: FALSE"),
        ("{id: k1}", "{id: '007', space_id: 2026-11-23}"),
        ("name: ci", "name: 'null'"),
    )
    settings = loaded(text)
    policy = settings.policies[0]

    assert ("on", False) == (settings.vault.namespace, settings.vault.skip_verify)
    assert ("null", "007", "2026-11-23") == (
        policy.name,
        policy.selector.id,
        policy.selector.space_id,
    )


@pytest.mark.parametrize("nothing", ["", "~", "null"])
def test_what_has_no_value_is_as_if_it_were_not_there(nothing):
    text = changed(("{before_expiry: 7d}", f"\n      max_age: {nothing}\n      before_expiry: 7d"))

    assert None is loaded(text).policies[0].max_age


@pytest.mark.parametrize("number", ["1" * 31, "1" * 32, "1" * 5000, "1." + "1" * 400])
def test_a_number_of_any_length_is_only_a_wrong_number(number):
    (found,) = problems(f"run: {{concurrency: {number}}}\n{VALID}")

    assert found.startswith("rotator.yaml:1: run.concurrency: must be ")


def test_merged_keys_yield_to_written_ones_however_often_they_are_met():
    text = """\
policies:
  - &first
    name: ci
    key: {id: k1}
    rotate: &rules {before_expiry: 7d, grace_period: 2h}
    deliver: {path: apps/ci/arize, field: api_key}
  - name: other
    key: {id: k2}
    rotate: &more {<<: *rules, grace_period: 3h}
    deliver: {path: p, field: f}
  - {<<: *first, name: third, key: {id: k3}, rotate: *more, deliver: {path: q, field: f}}
"""
    policies = loaded(SERVICES + text).policies

    assert [2, 3, 3] == [policy.grace.total_seconds() / 3600 for policy in policies]


def test_aliases_that_multiply_are_given_up_soon():
    lines = ["a0: &a0 [x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 12)]
    begun = time.perf_counter()

    assert 1 == len(problems("\n".join(lines)))
    assert time.perf_counter() - begun < 10


def test_merges_that_multiply_are_given_up_soon():
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{at}: &a{at} {{<<: [{', '.join([f'*a{at - 1}'] * 10)}]}}" for at in range(1, 12)]
    begun = time.perf_counter()

    # Newer parsers drop what is merged twice, and find the unknown keys instead.
    assert problems("\n".join(lines))
    assert time.perf_counter() - begun < 20

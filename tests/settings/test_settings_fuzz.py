"""Whatever a file holds, it is a configuration or its mistakes, and soon."""

import json
import resource
import subprocess
import sys
import time

import yaml
from hypothesis import HealthCheck, given, settings, strategies as st
from settings_stage import CANARY, ENVIRON, SERVICES, VALID, wrote

from rotator.errors import ConfigError
from rotator.settings import Settings, hooks, load, schema

NAMES = sorted(
    {
        name
        for model in (*vars(schema).values(), *vars(hooks).values())
        if isinstance(model, type) and issubclass(model, schema.Section)
        for name in model.model_fields
    }
)
VALUES = [
    "7d",
    "99999d",
    "https://a.example",
    "http://[",
    "token",
    "service",
    "auto",
    "apps/ci",
    "/",
    "..",
    "ARIZE_API_KEY",
    "\x00",
    "a\nb",
    "\u0661d",
    "1e400",
    CANARY,
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(VALUES)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
PLACES = ("rotator.yaml:", "environment variable ")
# One file, written again and again: what is in it is all that differs.
often = settings(
    max_examples=max(150, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@often
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_mistakes(content):
    assert is_read_or_refused(content)


@often
@given(text=st.text(alphabet="abk:-[]{}&*!|>'\"#%@`,? \n\t<~01.\\\ufeff\u2028", max_size=60))
def test_any_text_like_yaml_is_a_configuration_or_mistakes(text):
    assert is_read_or_refused(text.encode())


@often
@given(data=anything)
def test_any_data_are_a_configuration_or_mistakes(data):
    assert is_read_or_refused(yaml.safe_dump(data, allow_unicode=True).encode())


@often
@given(data=st.fixed_dictionaries({}, optional=dict.fromkeys(schema.Root.model_fields, anything)))
def test_any_sections_are_a_configuration_or_mistakes(data):
    assert is_read_or_refused(yaml.safe_dump(data).encode())


@often
@given(data=st.data())
def test_a_damaged_configuration_is_one_or_mistakes(data):
    document = yaml.safe_load(VALID)
    inner = document
    for _ in range(data.draw(st.integers(0, 4))):
        inside = [one for one in _values(inner) if isinstance(one, dict | list) and one]
        inner = data.draw(st.sampled_from(inside)) if inside else inner
    names = range(len(inner)) if isinstance(inner, list) else [*inner, *NAMES]
    inner[data.draw(st.sampled_from(list(names)))] = data.draw(anything)

    assert is_read_or_refused(yaml.safe_dump(document).encode())


@often
@given(
    environ=st.dictionaries(
        st.sampled_from(NAMES).map(lambda name: f"ROTATOR_ARIZE__{name}")
        | st.sampled_from(list(schema.Root.model_fields)).map(lambda name: f"ROTATOR_{name}")
        | st.sampled_from(["VAULT_ADDR", "VAULT_SKIP_VERIFY", "ROTATOR_VAULT__AUTH__METHOD"]),
        st.text(max_size=20) | anything.map(json.dumps),
        max_size=3,
    )
)
def test_any_variables_are_a_configuration_or_mistakes(environ):
    upper = {name.upper(): value for name, value in environ.items()}

    assert is_read_or_refused(VALID.encode(), ENVIRON | upper)


def test_ten_thousand_policies_are_read_in_seconds(capsys):
    wrote(SERVICES + "policies:\n" + "".join(_policy(number) for number in range(10_000)))
    # A process of its own, with none of what watches a test; its own time, not the machine's.
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    found = subprocess.run(
        [sys.executable, "-m", "rotator", "check"],
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    with capsys.disabled():
        print(f"\n10,000 policies: checked in {seconds:.1f} s")  # noqa: T201 - a measurement

    assert "ok: the configuration, with 10000 policies\n" == found.stdout
    assert seconds < 10


def test_a_thousand_mistakes_are_told_in_seconds():
    many = "".join(_policy(number).replace("7d", "7") for number in range(1000))
    path = wrote(f"{SERVICES}policies:\n{many}")
    begun = time.perf_counter()

    assert 1000 == len(_mistakes(path))
    assert time.perf_counter() - begun < 10


def is_read_or_refused(content, environ=ENVIRON):
    """Also: each line of what is wrong is one line, which begins with its place."""
    path = wrote(content)
    try:
        return isinstance(load([path], environ), Settings)
    except ConfigError as error:
        return [] == [
            one
            for one in error.problems
            if not one.isprintable()
            or not one.startswith(("rotator.yaml:", "environment variable "))
        ]


def _mistakes(path):
    try:
        load([path], ENVIRON)
    except ConfigError as error:
        return error.problems
    return []


def _values(inner):
    return inner.values() if isinstance(inner, dict) else inner


def _policy(number):
    return f"""\
  - name: p{number}
    key: {{id: k{number}}}
    rotate:
      before_expiry: 7d
      lifetime: 90d
      grace_period: 1h
    deliver:
      path: apps/p{number}/arize
      field: api_key
      metadata: {{key_id: arize_key_id, expires_at: arize_expires_at}}
"""

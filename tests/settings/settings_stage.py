"""A configuration that is right, to be made wrong in one place."""

from pathlib import Path

import pytest

from rotator.errors import ConfigError
from rotator.settings import load

CANARY = "ak-CANARYabcdefghijklmnopqrstuvwxyz0123456789"
ENVIRON = {"ARIZE_API_KEY": CANARY, "VAULT_TOKEN": "hvs.CANARYabcdefghijklmnopqrstuv"}
VALID = """\
arize:
  api_key: {env: ARIZE_API_KEY}
vault:
  address: https://vault:8200
  auth: {method: token, token: {env: VAULT_TOKEN}}
policies:
  - name: ci
    key: {id: k1}
    rotate: {before_expiry: 7d}
    deliver: {path: apps/ci/arize, field: api_key}
"""
#: Without services, for configurations of several files.
POLICY = """\
policies:
  - name: ci
    key: {id: k1}
    rotate: {before_expiry: 7d}
    deliver: {path: apps/ci/arize, field: api_key}
"""
SERVICES = VALID.partition("policies:")[0]
OTHER = POLICY.replace(": ci", ": other").replace("/ci", "/other").replace("k1", "k2")


def changed(*pairs):
    """``VALID`` with each (old, new) replaced, which must be in it."""
    text = VALID
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def wrote(text, name="rotator.yaml"):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(text, environ=ENVIRON):
    return load([wrote(text)], environ)


def problems(text, environ=ENVIRON):
    """The lines of all mistakes in ``text``."""
    return problems_of([wrote(text)], environ)


def problems_of(paths, environ=ENVIRON):
    with pytest.raises(ConfigError) as caught:
        load(paths, environ)
    return caught.value.problems

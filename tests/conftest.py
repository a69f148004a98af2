"""Says which Vault the contract cases ran on: nobody shall take a stand-in for the real thing."""

import asyncio
import os
from collections import Counter

import hypothesis
import pytest

from rotator.sandbox import real_vault

# How many examples a property is tried on: few in every run, many by HYPOTHESIS_PROFILE=thorough.
hypothesis.settings.register_profile("quick", max_examples=30, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=2_000, deadline=None)
# For mutants: the same examples for each, and none made smaller, as nobody reads them.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()


def _real():
    """The real server there is, if any."""
    address, program = os.environ.get("ROTATOR_TEST_VAULT_ADDR"), real_vault.program()
    return address or (real_vault.version(program) if program else None)


def _vaults(ran):
    """Says where the Vault cases ran, which is told by their own reports."""
    if not ran:
        return "Vault cases: none ran"
    real = _real()
    if "real" in ran:
        return f"Vault cases: {ran['stand-in']} on the stand-in, {ran['real']} ON {real}, FOR REAL"
    why = "" if real else ": neither vault nor bao is on PATH, no ROTATOR_TEST_VAULT_ADDR"
    return f"Vault cases: {ran['stand-in']} ON THE STAND-IN ONLY{why}"


def pytest_configure(config):
    # On Python 3.11 somebody asks for the thread's loop before there is one, which makes one that
    # nobody closes, and a warning that here is an error.
    config.stash[_LOOP] = asyncio.new_event_loop()
    asyncio.set_event_loop(config.stash[_LOOP])


def pytest_unconfigure(config):
    config.stash[_LOOP].close()


def pytest_terminal_summary(terminalreporter):
    reports = (one for name in ("passed", "failed") for one in terminalreporter.stats.get(name, ()))
    cases = (one.nodeid for one in reports if "test_contract_vault.py" in one.nodeid)
    ran = Counter("real" if "[real" in case else "stand-in" for case in cases)
    terminalreporter.write_line(_vaults(ran))

"""Says which Vault the contract cases ran on: nobody shall take a stand-in for the real thing."""

import asyncio
import os

import hypothesis
import pytest

from rotator.sandbox import real_vault

# How many examples a property is tried on: few in every run, many by HYPOTHESIS_PROFILE=thorough.
hypothesis.settings.register_profile("quick", max_examples=30, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=2_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

_LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()


def _vaults():
    address = os.environ.get("ROTATOR_TEST_VAULT_ADDR")
    program = real_vault.program()
    if address:
        return f"Vault cases: on the stand-in AND ON A REAL SERVER, {address}"
    if program:
        return f"Vault cases: on the stand-in AND ON A REAL SERVER, {real_vault.version(program)}"
    return (
        "Vault cases: ON THE STAND-IN ONLY, since neither `vault` nor `bao` is on PATH "
        "and ROTATOR_TEST_VAULT_ADDR is not set"
    )


def pytest_configure(config):
    # On Python 3.11 somebody asks for the thread's loop before there is one, which makes one that
    # nobody closes, and a warning that here is an error.
    config.stash[_LOOP] = asyncio.new_event_loop()
    asyncio.set_event_loop(config.stash[_LOOP])


def pytest_unconfigure(config):
    config.stash[_LOOP].close()


def pytest_report_header():
    return _vaults()


def pytest_terminal_summary(terminalreporter):
    # Again at the end: -q drops the header.
    terminalreporter.write_line(_vaults())

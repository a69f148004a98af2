"""Says which Vault the contract cases ran on: nobody shall take a stand-in for the real thing."""

import os

from rotator.sandbox import real_vault


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


def pytest_report_header():
    return _vaults()


def pytest_terminal_summary(terminalreporter):
    # Again at the end: -q drops the header.
    terminalreporter.write_line(_vaults())

"""An Arize and a Vault on loopback, for ``rotator sandbox``, ``rotator demo`` and the tests.

The behaviour is in pure modules (``*_state``) that take their clock and their randomness as
arguments; routes only read requests and write answers; ``server`` puts them on a port. Needs the
extra ``sandbox``. Nothing here logs: a stand-in sees every raw key there is.
"""

"""Rotates Arize API keys and keeps the one in Vault working.

The layers, from the top; a module imports downward only, and a linter fails the build when one
does not:

- ``cli``, ``arguments``, ``commands``: the command line. Wiring and words.
- ``sandbox``: an Arize and a Vault on loopback, for ``rotator demo`` and the tests.
- ``wiring``, ``daemon``, ``runner``: which policy is looked at, when, by which task.
- ``sinks``: keeps files on this machine at what the store holds.
- ``notify``: tells hooks that a rotation is done, one module for each kind of hook.
- ``reconcile``: gather (``gathering``), decide, act: the only place where a key is minted, stored
  or revoked.
- ``adapters``, ``observe``, ``settings``: Arize, Vault, files, the clock; events; configuration.
- ``ports``: what ``reconcile`` needs from the adapters, as protocols.
- ``standing``, ``outlook``, ``decide``, ``strategy``, ``backoff``, ``model``, ``journal``,
  ``keys``, ``events``, ``secrets``, ``errors``: pure. They never await, read a clock, draw a random
  number or log.
"""

__version__ = "0.1.0"

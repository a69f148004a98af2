"""The world outside: Arize, Vault, a directory of files, the clock.

Each adapter implements a protocol of :mod:`rotator.ports`, is the only one to import its library,
and translates that library's errors into :mod:`rotator.errors` where they arrive.

Vault is spread over six modules, from the wire upwards: ``vault_wire`` (the connection, over
urllib3), ``vault_http`` (the only importer of hvac), ``vault_errors`` (what a refusal means),
``vault_auth`` (tokens), ``vault_kv`` (the two KV engines) and ``vault`` (the store). ``documents``
is what both stores do to a secret.
"""

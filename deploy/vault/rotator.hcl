# What rotator needs in Vault: its journal, and the secrets it delivers to. KV version 2 at `secret`.
#   vault policy write rotator deploy/vault/rotator.hcl

# The journal: a document for each policy, written with check-and-set. `vault.journal` names it.
path "secret/data/rotator/*" {
  capabilities = ["create", "read", "update"]
}

# Each `deliver.path`. Name them one by one, or a prefix that only such secrets have.
path "secret/data/apps/ci/arize" {
  capabilities = ["create", "read", "update"]
}

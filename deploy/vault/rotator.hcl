# What rotator needs in Vault, and no more; a test loads exactly this and takes each line away in turn.
# KV version 2 at `secret`, journals below `rotator`: `vault.mount` and `vault.journal` name others.

# A journal for each policy, and the two halves of the spool's key. One level, nothing below it.
path "secret/data/rotator/+" {
  capabilities = ["create", "read", "update"]
}

# Each `deliver.path`: one by one, or by a prefix below which only such secrets lie. On KV version 1
# the path has no `data/`.
path "secret/data/apps/ci/arize" {
  capabilities = ["create", "read", "update"]
}

# The management key, where `arize.api_key.vault` says that it is in Vault and no policy delivers it.
# path "secret/data/apps/rotator/arize" {
#   capabilities = ["read"]
# }

# Its own token: how long it lasts, to prolong it, and whether it may write, before a key is minted.
# They are in Vault's `default` policy as well, which the roles beside this leave out.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "sys/capabilities-self" {
  capabilities = ["update"]
}

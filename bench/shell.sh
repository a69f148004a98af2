#!/bin/sh
# What people use now: curl and Vault's CLI. Arguments: the place in Vault, then NAME=ID of each key.
# No lock, no journal, no look before, no retry; it keeps the other fields of a secret, as rotator does.
set -eu
place=$1; shift
for each in "$@"; do
  name=${each%%=*} id=${each#*=}
  new=$(curl -sSf -X POST "$ARIZE_URL/v2/api-keys/$id/refresh" -H "Authorization: Bearer $ARIZE_API_KEY" \
    -H 'Content-Type: application/json' -d '{"grace_period_seconds": 3600}' | sed 's/.*"key": *"\([^"]*\)".*/\1/')
  printf %s "$new" | "$VAULT_CLI" kv patch -mount=secret "$place/$name" api_key=- >/dev/null
  curl -sSf "$ARIZE_URL/v2/api-keys?limit=1" -H "Authorization: Bearer $new" >/dev/null
done

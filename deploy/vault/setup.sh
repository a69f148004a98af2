#!/bin/sh
# Lets rotator into Vault: its policy, and a role by which it logs in.
#
#   deploy/vault/setup.sh kubernetes    for pods; NAMESPACE and ACCOUNT are theirs (rotator, rotator)
#   deploy/vault/setup.sh approle       for hosts
#
# With VAULT_ADDR and the VAULT_TOKEN of an administrator. VAULT=bao does it with OpenBao's program.
# Again is no harm: what is there is brought up to date.
set -eu

vault=${VAULT:-vault}
here=$(dirname "$0")

# A token lasts an hour and is renewed by rotator for a day; then it logs in anew.
token='token_policies=rotator token_no_default_policy=true token_ttl=1h token_max_ttl=24h'

enabled() {
  "$vault" auth list -format=json | grep -q "\"$1/\"" || "$vault" auth enable "$1"
}

"$vault" policy write rotator "$here/rotator.hcl"
case ${1:-} in
kubernetes)
  enabled kubernetes
  # Several words, on purpose.
  # shellcheck disable=SC2086
  "$vault" write auth/kubernetes/role/rotator $token audience=vault \
    bound_service_account_names="${ACCOUNT:-rotator}" \
    bound_service_account_namespaces="${NAMESPACE:-rotator}"
  ;;
approle)
  enabled approle
  # A secret id that ends would end the rotations with it; secret_id_bound_cidrs=10.0.0.0/8 confines it.
  # shellcheck disable=SC2086
  "$vault" write auth/approle/role/rotator $token bind_secret_id=true secret_id_ttl=0
  ;;
*)
  echo "usage: $0 kubernetes|approle" >&2
  exit 2
  ;;
esac

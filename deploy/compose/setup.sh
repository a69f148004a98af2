#!/bin/sh
# For compose.yaml: lets rotator into the toy Vault, and leaves its login where only it can read it.
set -eu
# Not every version of Podman waits for what `depends_on` says.
until bao status > /dev/null && test -s /logins/arize_api_key; do sleep 1; done
/opt/setup/vault/setup.sh approle
role=auth/approle/role/rotator
bao write "$role/role-id" role_id=rotator-sandbox
bao write -force -field=secret_id "$role/secret-id" > /logins/vault_secret_id
chmod 0400 /logins/*
chown 65532 /logins/*

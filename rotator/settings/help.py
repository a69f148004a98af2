"""What each setting means, in a sentence: what an editor shows beside it.

Apart from the models, so that only ``rotator schema`` loads it. By the name of the section, then of
the field. A test sees to it that each field has its line here.
"""

from __future__ import annotations

_READ = "Read from {env: NAME} or {file: PATH}, each time it is needed."
_KV_MOUNT = "The KV mount; that of `vault` unless given."

HELP: dict[str, dict[str, str]] = {
    "Root": {
        "arize": "The provider, and the key with which rotator works there.",
        "vault": "The store: HashiCorp Vault or OpenBao. Its first six settings have the variables"
        " of Vault's own tools as defaults.",
        "files": "The store without Vault: a directory on this machine. Instead of `vault`.",
        "spool": "Minted keys on this machine's disk, sealed, until Vault has them. Wants the extra"
        " `spool`.",
        "run": "How the work is done. These fit most; each is a bound that protects a key.",
        "http": "The health, metrics and status page. Off unless given.",
        "log": "Events go to stdout. --log-level and --log-format go over this.",
        "policies": "The keys to look after. Over several files, they add up.",
    },
    "Arize": {
        "base_url": "Address of Arize, like https://api.arize.com. Plain http for loopback only.",
        "region": "One of Arize's regions, instead of `base_url`.",
        "api_key": "The management key, with which rotator lists, creates and revokes keys. It may"
        " lie in Vault, delivered there by a policy.",
        "timeout": "Of one request, from its start to the last byte of the answer.",
        "ca_cert": "PEM file of authorities to trust instead of the public ones.",
        "proxy": "Address of a proxy. Those of the environment are not used.",
        "rate_limit": "Make no more requests than this, over all policies of this process.",
    },
    "RateLimit": {
        "per_second": "Requests a second, in the long run.",
        "burst": "Requests at once, after a pause.",
    },
    "SecretSource": {
        "env": "Name of a variable. Read at the start.",
        "file": "A file that holds the secret and nothing else. Read whenever it is needed.",
        "vault": "A field of a KV secret; for `arize.api_key` only.",
    },
    "VaultPlace": {
        "path": "Path of the secret below the mount, like apps/rotator/arize.",
        "field": "The field that holds it.",
        "mount": _KV_MOUNT,
    },
    "Vault": {
        "address": "Like https://vault:8200. Default: VAULT_ADDR.",
        "namespace": "Of Vault Enterprise, HCP or OpenBao. Default: VAULT_NAMESPACE.",
        "ca_cert": "PEM file of authorities to trust. Default: VAULT_CACERT.",
        "client_cert": "PEM file, with `client_key`, for mutual TLS. Default: VAULT_CLIENT_CERT.",
        "client_key": "PEM file of the certificate's key. Default: VAULT_CLIENT_KEY.",
        "skip_verify": "Do not check Vault's certificate; warned of at each start. Default:"
        " VAULT_SKIP_VERIFY.",
        "proxy": "Address of a proxy. Those of the environment are not used.",
        "timeout": "Of one request.",
        "mount": "The KV mount of paths that name none, and of the journal (there: version 2).",
        "auth": "How to log in; the token of VAULT_TOKEN unless given.",
        "journal": "Prefix of the state documents, <mount>/data/<journal>/<policy>.",
    },
    "Token": {
        "method": "A token that somebody else renews or replaces.",
        "token": f"The token. {_READ}",
    },
    "AppRole": {
        "method": "Vault's AppRole method.",
        "role_id": "Id of the role. No secret.",
        "secret_id": f"The role's secret. {_READ}",
        "mount": "Where the method is mounted.",
    },
    "Kubernetes": {
        "method": "Vault's Kubernetes method, with the pod's service account.",
        "role": "Name of the role in Vault.",
        "jwt": "The token of the service account: the pod's own unless given. Read at each login.",
        "mount": "Where the method is mounted.",
    },
    "Files": {
        "directory": "Keys are <directory>/secrets/<path>.json, state is <directory>/journal.",
    },
    "Spool": {
        "directory": "On a disk that outlives the process, such as /var/lib/rotator/spool.",
    },
    "Run": {
        "lease": "How long a dead process keeps others from its policy; at least three times the"
        " longest timeout.",
        "retry_budget": "A refresh needs this much grace at least, to deliver the new key in.",
        "settle": "How long Arize may take to list a key that was just minted.",
        "handover": "Before a lost key is replaced, whoever may have it gets this long.",
        "notify_for": "How long a hook is tried that does not work; then it is given up.",
        "relist": "How often the daemon looks for keys that others have changed.",
        "recheck": "Within this, every policy is looked at, though its keys be listed as before:"
        " what others changed in the store alone is found.",
        "concurrency": "Policies, and requests to Arize, at the same time.",
    },
    "Log": {
        "level": "The least important events that are shown.",
        "format": "auto: console on a terminal, else json.",
    },
    "Http": {
        "listen": "Address and port. Beyond loopback, set `token` as well.",
        "token": "What whoever asks for more than a word must send: as a bearer, or as the password"
        f" in a browser. At least 16 characters. {_READ}",
    },
    "Policy": {
        "name": "Of the journal, in events and on the command line.",
        "key": "Which key of Arize's: by `id` or by `name`.",
        "rotate": "When, and how. At least one of `before_expiry` and `max_age`.",
        "deliver": "Where the key goes: one place, or a list of them.",
        "windows": "When rotations may begin, one or a list; without, whenever they are due. No key"
        " expires of waiting for one.",
        "notify": "Who hears of each rotation that is done: one hook, or a list of them.",
        "write": "Files on this machine that hold what the store holds: one, or a list of them.",
        "suspend": "Begin nothing and revoke nothing for this policy. What is in flight ends.",
    },
    "Window": {
        "cron": "When it opens, in cron's five fields: minute, hour, day of month, month, day of"
        " week.",
        "duration": "How long it is open.",
        "time_zone": "That of `cron`, like Europe/Berlin.",
    },
    "KeyChoice": {
        "id": "The provider's id of the key, where the lineage begins: a reissue changes it, and"
        " rotator remembers the new one.",
        "name": "Name of the key, instead of its `id`. Exactly one active key may have it.",
        "space_id": "The space of a service key.",
        "type": "Spares a listing where it is known.",
        "bindings": "Privileges of a service key, exactly as they are. Needed only where Arize does"
        " not show them to the management key.",
    },
    "KeyBindings": {
        "organizations": "Organisations and spaces, with a role in each.",
        "account_role": "Role in the account.",
        "space_id": "The one space, on older private deployments; with `roles`.",
        "roles": "The three roles that older private deployments know.",
    },
    "OrgRoles": {
        "org_id": "Id of the organisation.",
        "role": "Role in the organisation.",
        "spaces": "Spaces of the organisation.",
    },
    "SpaceRoles": {
        "space_id": "Id of the space.",
        "role": "Role in the space.",
    },
    "LegacyRoles": {
        "space_role": "Like member.",
        "org_role": "Like read-only.",
        "account_role": "Like member.",
    },
    "Role": {
        "name": "Name of a predefined role.",
        "id": "Id of a custom role.",
    },
    "Rotate": {
        "before_expiry": "So long before its expiry the key is replaced.",
        "max_age": "At this age the key is replaced, also one that never expires.",
        "lifetime": "How long the new key lives; as long as the old one was given unless set.",
        "grace_period": "How long the old key works beside the new one. At most 24h for a refresh.",
        "strategy": "auto: refresh a key that keeps its expiry, reissue one that needs a longer"
        " life. refresh: never create another key. reissue: always create one.",
        "min_interval": "Never more often than this by itself, whatever the world looks like.",
        "jitter": "Each rotation is put off by its own share of so much, drawn once.",
        "retire": "When a reissue's old key is revoked: at the end of its grace, or when nobody has"
        " used it for as long as that, a week later at the latest.",
        "on_drift": "When the store holds another key than Arize has, and not by us: tell a person,"
        " or mint a new one and deliver it.",
    },
    "Hook": {
        "name": "What it is called in events; its kind unless given. Two of one policy differ.",
        "timeout": "Of one try, of which there are more. At most 5m.",
        "http": "A CloudEvent by HTTP POST.",
        "command": "A program and its arguments, without a shell. It gets facts as ROTATOR_…"
        " variables, and no secret.",
        "keep_env": "Variables that the program gets from rotator, beside PATH, HOME and the like.",
        "signal": "A signal to the process whose number is in a file.",
        "kubernetes": "A rollout restart of workloads.",
    },
    "HttpHook": {
        "url": "The address. Nothing beyond its host is ever shown.",
        "url_from": f"The address, where it is a secret as a whole. {_READ}",
        "mode": "structured: all of the event in the body. binary: its attributes in headers.",
        "secret": f"Signs requests, as Standard Webhooks has it. {_READ}",
        "ca_cert": "Authorities to trust instead of the public ones (PEM).",
        "proxy": "Address of an HTTP proxy. Those of the environment are not used.",
    },
    "SignalHook": {
        "pid_file": "Has the number of the process; read each time.",
        "signal": "What to send.",
        "process": "What the process must be called, as in /proc/PID/comm.",
    },
    "KubernetesHook": {
        "workloads": "Like deployment/web, statefulset/db or daemonset/agent.",
        "namespace": "Where they are; that of the pod unless given.",
        "api": "The API server; the one of the pod unless given.",
        "token": f"The service account's; the pod's unless given. {_READ}",
        "ca_cert": "Authorities of the API server (PEM); the pod's unless given.",
    },
    "Sink": {
        "file": "Path of the file, in a directory that is there.",
        "mode": "Its permissions, in quotes.",
        "owner": "user, user:group or :group, by name or number; rotator's own unless given.",
        "format": "raw: the key and nothing else. dotenv: lines NAME=value. json: an object.",
        "names": "Facts, each with the name under which it stands: `key` and facts about it.",
        "then": "Hooks that hear of each change of this file: one, or a list of them.",
    },
    "Delivery": {
        "path": "Path of the secret below the mount. Its other fields are kept.",
        "field": "The field that holds the key.",
        "mount": f"{_KV_MOUNT} May be KV version 1.",
        "refresh_every": "How often the consumers read the key again. The grace must span that.",
        "metadata": "Facts about the key, each with the field beside it to which it is written.",
    },
}

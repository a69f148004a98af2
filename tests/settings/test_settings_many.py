"""Several mistakes at once."""

from settings_stage import changed, problems

KNOWN = "arize, files, http, log, policies, run, spool, vault"
HOW = "write a length of time like 90s, 1h30m, 7d or 2w"


def test_all_mistakes_come_at_once_in_the_order_of_the_file():
    text = """\
arize:
  api_key: {env: UNSET}
  timout: 10s
vault:
  address: http://vault:8200
  auth: {method: token, token: {env: VAULT_TOKEN}}
policies:
  - name: one
    key: {id: k1}
    rotate: {}
    deliver: {path: apps/ci/arize, field: api_key}
  - name: two
    key: {id: k1}
    rotate: {before_expiry: 7, max_age: 1y}
    deliver: {path: apps/ci/arize, field: api_key}
  - name: three
    key: {id: k1}
    rotate: {before_expiry: 7d, grace_period: 25h}
    deliver: {path: apps/ci/arize, field: api_key}
colour: red
"""

    assert [
        "rotator.yaml:3: arize.timout: unknown key; did you mean `timeout`?",
        (
            "rotator.yaml:5: vault.address: would send keys unencrypted; use https (http is for"
            " loopback only)"
        ),
        (
            "rotator.yaml:10: policies[0].rotate: has no trigger; set `before_expiry`, `max_age` or"
            " both"
        ),
        f"rotator.yaml:14: policies[1].rotate.before_expiry: a number has no unit; {HOW}",
        f"rotator.yaml:14: policies[1].rotate.max_age: not a length of time; {HOW}",
        (
            "rotator.yaml:17: policies[2].key: this key is rotated by policy 'one' already; let one"
            " policy deliver it to both"
        ),
        (
            "rotator.yaml:18: policies[2].rotate.grace_period: Arize takes at most 24h for a"
            " refresh; shorten it, or use strategy: reissue"
        ),
        (
            "rotator.yaml:19: policies[2].deliver.field: this field of this path is written by"
            " policy 'one' already; choose another field"
        ),
        f"rotator.yaml:20: colour: unknown key; remove it, known here: {KNOWN}",
    ] == problems(text)


def test_a_list_with_one_wrong_policy_is_not_called_empty():
    assert 1 == len(problems(changed(("7d", "7"))))

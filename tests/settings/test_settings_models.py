"""What a configuration becomes for the rest of the program."""

from datetime import timedelta
from pathlib import Path

import pytest
from settings_stage import ENVIRON, VALID, changed, loaded

from rotator.keys import Bindings, KeyType, LegacyBindings, OrgBinding, Role, SpaceBinding
from rotator.model import Choice, Limits, Policy, Selector, Target

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: As the project was asked for, word for word.
FIRST = """\
arize:
  base_url: https://api.arize.com        # or region: eu-west-1a
  api_key: {env: ARIZE_API_KEY}          # or {file: …} or {vault: {path: …, field: …}}: the management key
  timeout: 10s                           # total, per request
vault:
  address: https://vault:8200            # default VAULT_ADDR; namespace, ca_cert, client_cert/key likewise
  mount: secret                          # KV v2
  auth: {method: token, token: {env: VAULT_TOKEN}}
  # auth: {method: approle, mount: approle, role_id: …, secret_id: {file: …}}
  # auth: {method: kubernetes, mount: kubernetes, role: rotator, jwt: {file: …}}   # default: the pod's token
  journal: rotator                       # prefix of the state documents under mount
# files: {directory: /var/lib/rotator}   # instead of vault: the embedded default
policies:
  - name: ci-pipeline
    key: {id: QXBp1001}                  # or {name: …, space_id: …}
    rotate:
      before_expiry: 7d                  # near expiry
      max_age: 30d                       # and/or by age, for keys that never expire
      lifetime: 90d                      # of the replacement; omitted: as long as the old one was given
      grace_period: 1h
      strategy: auto                     # refresh | reissue | auto
    deliver:
      path: apps/ci/arize                # mount overridable; a list delivers to several
      field: api_key
      metadata: {key_id: arize_key_id, expires_at: arize_expires_at}   # optional sibling fields
"""  # noqa: E501


def bindings(text):
    (policy,) = loaded(changed(("{id: k1}", f"{{id: k1, bindings: {text}}}"))).policies
    return policy.bindings


def test_the_first_configuration_there_was_is_read_as_it_was_meant():
    settings = loaded(FIRST)

    assert () == settings.warnings
    assert (
        Policy(
            name="ci-pipeline",
            selector=Selector(id="QXBp1001"),
            targets=(
                Target(
                    "apps/ci/arize",
                    "api_key",
                    metadata={"key_id": "arize_key_id", "expires_at": "arize_expires_at"},
                ),
            ),
            grace=HOUR,
            before_expiry=7 * DAY,
            max_age=30 * DAY,
            lifetime=90 * DAY,
            strategy=Choice.AUTO,
            min_interval=HOUR,
            bindings=None,
        ),
    ) == settings.policies


def test_what_is_not_said_has_defaults():
    settings = loaded(VALID)

    assert ("https://api.arize.com", Limits()) == (settings.arize.url, settings.limits)
    assert ("info", "auto", 32, timedelta(minutes=5), timedelta(minutes=90)) == (
        settings.log.level,
        settings.log.format,
        settings.run.concurrency,
        settings.run.relist,
        settings.run.recheck,
    )


def test_limits_are_those_of_the_run_and_of_the_slower_service():
    text = VALID.replace("vault:\n", "vault:\n  timeout: 20s\n")
    run = "run: {lease: 2m, retry_budget: 3m, settle: 4s, handover: 5s}\n"

    assert Limits(
        lease=timedelta(minutes=2),
        timeout=timedelta(seconds=20),
        retry_budget=timedelta(minutes=3),
        settle=timedelta(seconds=4),
        handover=timedelta(seconds=5),
    ) == (loaded(text + run).limits)


def test_without_vault_there_is_one_service_to_wait_for():
    begin, end = VALID.index("vault:"), VALID.index("policies:")
    settings = loaded(f"{VALID[:begin]}files: {{directory: keys}}\n{VALID[end:]}")

    assert (Path("keys"), timedelta(seconds=10)) == (settings.directory, settings.limits.timeout)


def test_an_address_has_no_slash_at_its_end():
    text = changed(("arize:\n", "arize:\n  base_url: https://a.example/\n"))

    assert "https://a.example" == loaded(text).arize.url


def test_a_region_is_an_address():
    text = changed(("arize:\n", "arize:\n  region: eu-west-1a\n"))

    assert "https://api.eu-west-1a.arize.com" == loaded(text).arize.url


def test_a_key_is_chosen_by_name_space_and_type():
    (policy,) = loaded(changed(("{id: k1}", "{name: n, space_id: s, type: service}"))).policies

    assert Selector(name="n", space_id="s", type=KeyType.SERVICE) == policy.selector


def test_a_list_delivers_to_several_places():
    several = "[{path: /a/, field: f}, {path: b, field: g, mount: kv/team}]"
    (policy,) = loaded(changed(("{path: apps/ci/arize, field: api_key}", several))).policies

    assert (Target("a", "f"), Target("b", "g", "kv/team")) == policy.targets


def test_privileges_are_roles_by_name_or_id():
    given = bindings(
        "{account_role: {id: r1}, organizations: [{org_id: o, role: MEMBER,"
        " spaces: [{space_id: s, role: {name: ADMIN}}, {space_id: t}]}]}"
    )
    spaces = (SpaceBinding("s", Role("ADMIN")), SpaceBinding("t"))

    assert Bindings((OrgBinding("o", Role("MEMBER"), spaces),), Role(id="r1")) == given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{space_id: s}", LegacyBindings("s")),
        (
            "{space_id: s, roles: {space_role: a, org_role: b, account_role: c}}",
            LegacyBindings("s", "a", "b", "c"),
        ),
    ],
)
def test_privileges_may_be_of_the_older_kind(text, expected):
    assert expected == bindings(text)


def test_settings_show_no_secret_and_no_proxy_password():
    text = changed(("arize:\n", "arize:\n  proxy: http://me:pass@proxy:1\n"))
    shown = repr(loaded(text))

    assert [] == [secret for secret in (*ENVIRON.values(), "pass@") if secret in shown]

"""What settings must not be together."""

import pytest
from settings_stage import VALID, changed, loaded, problems

REISSUE = "shorten it, or use strategy: reissue"
LENGTHEN = "lengthen it, or use strategy: reissue"


def rotate(text):
    """The configuration with other rules of when and how."""
    return changed(("{before_expiry: 7d}", text))


def second(key="{id: k2}", name="other", deliver="{path: apps/other, field: api_key}"):
    """The configuration with a second policy, of lines 11 to 14."""
    rest = f"    rotate: {{before_expiry: 7d}}\n    deliver: {deliver}\n"
    return f"{VALID}  - name: {name}\n    key: {key}\n{rest}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{name: x, type: user}", "{name: x, type: service}"),
        ("{name: x}", "{name: x, type: service}"),
        ("{name: x, type: service, space_id: a}", "{name: x, type: service, space_id: b}"),
        ("{name: x}", "{name: y, type: user}"),
        ("{id: x}", "{name: x, type: user}"),
    ],
)
def test_keys_that_cannot_be_the_same_may_have_policies_of_their_own(one, other):
    assert 2 == len(loaded(second(key=other).replace("{id: k1}", one)).policies)


# --- within a policy ---


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("{}", "", "has no trigger; set `before_expiry`, `max_age` or both"),
        ("{lifetime: 90d}", "", "has no trigger; set `before_expiry`, `max_age` or both"),
        ("{before_expiry: null}", "", "has no trigger; set `before_expiry`, `max_age` or both"),
        (
            "{before_expiry: 7d, grace_period: 24h1s}",
            ".grace_period",
            f"Arize takes at most 24h for a refresh; {REISSUE}",
        ),
        (
            "{before_expiry: 7d, grace_period: 2d, strategy: refresh}",
            ".grace_period",
            f"Arize takes at most 24h for a refresh; {REISSUE}",
        ),
        (
            "{before_expiry: 7d, grace_period: 59s}",
            ".grace_period",
            f"is shorter than run.retry_budget (1m), which a delivery may take; {LENGTHEN}",
        ),
        (
            "{before_expiry: 7d, lifetime: 7d}",
            ".before_expiry",
            "must be shorter than the lifetime (7d), or every new key is due at once",
        ),
        (
            "{before_expiry: 90d, lifetime: 1h}",
            ".before_expiry",
            "must be shorter than the lifetime (1h), or every new key is due at once",
        ),
        (
            "{max_age: 30d, lifetime: 1h}",
            ".min_interval",
            "must be shorter than `lifetime` less `before_expiry`, or keys expire waiting for it",
        ),
    ],
)
def test_rules_of_one_policy_fit_together(text, path, words):
    assert [f"rotator.yaml:9: policies[0].rotate{path}: {words}"] == problems(rotate(text))


@pytest.mark.parametrize(
    "text",
    [
        "{before_expiry: 7d, grace_period: 24h}",
        "{before_expiry: 7d, grace_period: 1m}",
        "{before_expiry: 7d, grace_period: 7d, strategy: reissue}",
        "{before_expiry: 7d, grace_period: 1s, strategy: reissue}",
        "{before_expiry: 7d, lifetime: 8d}",
        "{max_age: 30d}",
        "{max_age: 30d, lifetime: 61m}",
        "{max_age: 1h}",
        "{max_age: 10m, min_interval: 10m}",
    ],
)
def test_up_to_their_bounds_they_do(text):
    assert () == loaded(rotate(text)).warnings


def test_a_grace_that_outlasts_the_old_key_is_warned_of():
    assert (
        (
            "rotator.yaml:9: policies[0].rotate.before_expiry: is shorter than the grace period:"
            " old keys will expire before their grace ends; lengthen it"
        ),
    ) == loaded(rotate("{before_expiry: 1h, grace_period: 2h}")).warnings


def test_an_age_that_min_interval_does_not_allow_is_warned_of():
    assert (
        (
            "rotator.yaml:9: policies[0].rotate.max_age: is shorter than min_interval (1h): keys"
            " grow older; lengthen it, or shorten that"
        ),
    ) == loaded(rotate("{max_age: 30m}")).warnings


@pytest.mark.parametrize(
    ("place", "prefix", "mount"),
    [
        ("path: secret/data/apps", "secret/data/", "secret"),
        ("path: secret/apps", "secret/", "secret"),
        ("path: data/apps", "data/", "secret"),
        ("mount: kv/ci, path: kv/ci/data/apps", "kv/ci/data/", "kv/ci"),
    ],
)
def test_a_path_that_repeats_its_mount_is_warned_of(place, prefix, mount):
    words = f"begins with {prefix}, which lies below the mount {mount} then"
    assert (
        f"rotator.yaml:10: policies[0].deliver.path: {words}; leave it out if not so meant",
    ) == loaded(changed(("path: apps/ci/arize", place))).warnings


@pytest.mark.parametrize("place", ["path: secrets/data", "mount: kv, path: secret/apps"])
def test_a_path_that_only_looks_like_it_is_not(place):
    assert () == loaded(changed(("path: apps/ci/arize", place))).warnings


def test_in_a_directory_there_is_no_mount_to_repeat():
    assert (
        ()
        == loaded(
            changed(
                ("path: apps/ci/arize", "path: data/apps"),
                ("vault:\n  address: https://vault:8200\n", "files:\n  directory: /keys\n"),
                ("  auth: {method: token, token: {env: VAULT_TOKEN}}\n", ""),
            )
        ).warnings
    )


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            "{keyid: x}",
            ["metadata.keyid: unknown fact; did you mean `key_id`?"],
        ),
        (
            "{colour: x}",
            [
                (
                    "metadata.colour: unknown fact; use one of key_id, expires_at, rotated_at,"
                    " redacted_key, name"
                )
            ],
        ),
        (
            "{key_id: api_key}",
            ["metadata.key_id: would overwrite the key itself; choose another field"],
        ),
        (
            "{key_id: x, name: x}",
            ["metadata: two facts are written to one field; choose another for one"],
        ),
    ],
)
def test_facts_about_a_key_are_known_and_have_fields_of_their_own(metadata, expected):
    text = changed(("field: api_key}", f"field: api_key, metadata: {metadata}}}"))

    assert [f"rotator.yaml:10: policies[0].deliver.{one}" for one in expected] == problems(text)


def test_all_facts_there_are_may_be_written():
    facts = "{key_id: a, expires_at: b, rotated_at: c, redacted_key: d, name: e}"
    (policy,) = loaded(
        changed(("field: api_key}", f"field: api_key, metadata: {facts}}}"))
    ).policies

    assert ["a", "b", "c", "d", "e"] == list(policy.targets[0].metadata.values())


# --- between policies ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            second(name="ci"),
            "11: policies[1].name: a policy is named 'ci' already; choose another name",
        ),
        (
            second(key="{id: k1}"),
            (
                "12: policies[1].key: this key is rotated by policy 'ci' already; let one policy"
                " deliver it to both"
            ),
        ),
        (
            second(key="{id: k1, space_id: s}"),
            (
                "12: policies[1].key: this key is rotated by policy 'ci' already; let one policy"
                " deliver it to both"
            ),
        ),
        (
            second(key="{name: x}").replace("{id: k1}", "{name: x, type: user}"),
            (
                "12: policies[1].key: may be the key of policy 'ci'; say of which space in both,"
                " or let one policy deliver it to both"
            ),
        ),
        (
            second(key="{name: x, type: service}").replace("{id: k1}", "{name: x, space_id: s}"),
            (
                "12: policies[1].key: may be the key of policy 'ci'; say of which space in both,"
                " or let one policy deliver it to both"
            ),
        ),
        (
            second(deliver="{path: apps/ci/arize, field: api_key}"),
            (
                "14: policies[1].deliver.field: this field of this path is written by policy 'ci'"
                " already; choose another field"
            ),
        ),
        (
            second(deliver="{path: /apps/ci/arize/, field: api_key, mount: secret/}"),
            (
                "14: policies[1].deliver.field: this field of this path is written by policy 'ci'"
                " already; choose another field"
            ),
        ),
        (
            second(deliver="{path: apps/ci/arize, field: x, metadata: {name: api_key}}"),
            (
                "14: policies[1].deliver.metadata.name: this field of this path is written by"
                " policy 'ci' already; choose another field"
            ),
        ),
        (
            second(deliver="[{path: p, field: x}, {path: p, field: x}]"),
            (
                "14: policies[1].deliver[1].field: this field of this path is written by policy"
                " 'other' already; choose another field"
            ),
        ),
    ],
)
def test_policies_do_not_share_a_name_a_key_or_a_field(text, expected):
    assert [f"rotator.yaml:{expected}"] == problems(text)


def test_names_of_keys_are_told_apart_by_space_and_type():
    text = changed(("{id: k1}", "{name: n}"))
    for name, more in (("b", "space_id: s"), ("c", "space_id: t")):
        text += second(key=f"{{name: n, {more}}}", name=name).removeprefix(VALID)
    text = text.replace("apps/other", "p", 1)

    assert 3 == len(loaded(text).policies)


@pytest.mark.parametrize(
    "deliver",
    [
        "{path: apps/ci/arize, field: other}",
        "{path: apps/ci/arize, field: api_key, mount: kv}",
        "{path: apps/ci/arize2, field: api_key}",
    ],
)
def test_policies_may_share_a_path(deliver):
    assert 2 == len(loaded(second(deliver=deliver)).policies)


@pytest.mark.parametrize(("every", "well"), [("59m", True), ("1h", False), ("2h", False)])
def test_the_old_key_works_until_its_consumers_have_read_the_new_one(every, well):
    text = changed(("field: api_key}", f"field: api_key, refresh_every: {every}}}"))

    if well:
        assert () == loaded(text).warnings
    else:
        assert [
            (
                "rotator.yaml:10: policies[0].deliver.refresh_every: is not shorter than"
                " grace_period (1h): the old key ends before it is seen; lengthen grace_period, or"
                " read more often"
            )
        ] == problems(text)


# --- the spool ---


def test_a_spool_goes_with_vault():
    assert loaded(f"{VALID}spool: {{directory: /var/spool/rotator}}\n").spool is not None
    assert None is loaded(VALID).spool


@pytest.mark.parametrize("store", ["files: {directory: keys}\n", ""], ids=["files", "neither"])
def test_without_vault_a_spool_could_not_be_opened(store):
    text = VALID[: VALID.index("vault:")] + store + VALID[VALID.index("policies:") :]
    found = problems(f"{text}spool: {{directory: /var/spool/rotator}}\n")

    words = "what it seals is opened with a key in Vault; write `vault`, or remove it"
    assert [f"rotator.yaml:{9 if store else 8}: spool: {words}"] == found


def test_a_mistake_in_vault_is_not_one_in_the_spool():
    text = VALID.replace("address:", "adress:")

    found = problems(f"{text}spool: {{directory: /var/spool/rotator}}\n")

    assert [] == [line for line in found if "spool" in line]

"""How a policy chooses its key, and what a service key may do."""

import pytest
from settings_stage import changed, problems

ORGS = "[{org_id: o, spaces: [{space_id: s}]}]"


@pytest.mark.parametrize(
    ("key", "path", "words"),
    [
        ("{}", "", "needs either `id` or `name`; write one of them"),
        ("{id: k1, name: n}", "", "needs either `id` or `name`; write one of them"),
        (
            "{id: k1, type: user, space_id: s}",
            "",
            "a user key has neither `space_id` nor `bindings`; remove them, or write service",
        ),
        (
            "{id: k1, bindings: {account_role: MEMBER}}",
            ".bindings",
            "needs `organizations`, or `space_id` and `roles`; write one of the two",
        ),
        (
            "{id: k1, bindings: {roles: {space_role: member}, organizations: ORGS}}",
            ".bindings",
            "`roles` goes with `space_id`; in `organizations` each has a `role`",
        ),
        (
            "{id: k1, bindings: {space_id: s, account_role: MEMBER}}",
            ".bindings",
            "with `space_id`, the account role is written under `roles`",
        ),
        (
            "{id: k1, bindings: {organizations: []}}",
            ".bindings.organizations",
            "must not be empty; write at least one",
        ),
        (
            "{id: k1, bindings: {organizations: [{org_id: o, spaces: []}]}}",
            ".bindings.organizations[0].spaces",
            "must not be empty; write at least one",
        ),
        (
            "{id: k1, bindings: {account_role: 5, organizations: ORGS}}",
            ".bindings.account_role",
            "must be the name of a role, or {id: …} of a custom one",
        ),
        (
            "{id: k1, bindings: {account_role: {}, organizations: ORGS}}",
            ".bindings.account_role",
            "needs either the name of a role, or {id: …} of a custom one",
        ),
        (
            "{id: k1, bindings: {account_role: {ident: r}, organizations: ORGS}}",
            ".bindings.account_role.ident",
            "unknown key; did you mean `id`?",
        ),
    ],
)
def test_a_key_is_chosen_in_one_way(key, path, words):
    assert [f"rotator.yaml:8: policies[0].key{path}: {words}"] == problems(
        changed(("{id: k1}", key.replace("ORGS", ORGS)))
    )

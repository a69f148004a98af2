from datetime import UTC, datetime, timedelta

import pytest

from rotator.keys import Bindings, Key, KeyStatus, KeyType, OrgBinding, Role, Scope, SpaceBinding
from rotator.secrets import Redacted

NOW = datetime(2026, 11, 23, 8, 31, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_an_active_key_without_expiry_is_usable():
    assert Key(id="k").usable(NOW)


def test_a_key_is_usable_until_its_expiry_and_not_at_it():
    key = Key(id="k", expires_at=NOW)

    assert key.usable(NOW - SECOND)
    assert not key.usable(NOW)


def test_a_revoked_key_is_not_usable():
    assert not Key(id="k", status=KeyStatus.REVOKED, expires_at=NOW + SECOND).usable(NOW)


def test_a_key_of_a_status_we_do_not_know_counts_as_usable():
    assert Key(id="k", status=KeyStatus.UNKNOWN).usable(NOW)


def test_of_a_key_nothing_is_known_but_its_id_unless_told():
    assert ("k", "", Redacted(), None) == _known(Key(id="k"))


@pytest.mark.parametrize(
    "other",
    [
        Bindings((OrgBinding("o2"), OrgBinding("o1", spaces=(SpaceBinding("s1"),)))),
        Bindings((OrgBinding("o1", spaces=(SpaceBinding("s1"),)), OrgBinding("o2"))),
    ],
)
def test_bindings_are_the_same_in_any_order(other: Bindings):
    bindings = Bindings((OrgBinding("o1", spaces=(SpaceBinding("s1"),)), OrgBinding("o2")))

    assert bindings.same_as(other)


def test_spaces_are_the_same_in_any_order():
    one, two = SpaceBinding("s1", Role(name="admin")), SpaceBinding("s2")

    assert _in_org(one, two).same_as(_in_org(two, one))


@pytest.mark.parametrize(
    "other",
    [
        Bindings((OrgBinding("o1"),), account_role=Role(name="admin")),
        Bindings((OrgBinding("o1", role=Role(name="admin")),)),
        Bindings((OrgBinding("o1", spaces=(SpaceBinding("s1"),)),)),
        Bindings((OrgBinding("o2"),)),
        Bindings((OrgBinding("o1"), OrgBinding("o2"))),
        Bindings(()),
    ],
)
def test_other_privileges_are_not_the_same(other: Bindings):
    assert not Bindings((OrgBinding("o1"),)).same_as(other)


def test_a_predefined_role_is_not_a_custom_one_of_the_same_name():
    named = Bindings((), account_role=Role(name="admin"))

    assert not named.same_as(Bindings((), account_role=Role(id="admin")))


def test_scopes_can_be_told_apart():
    scopes = {Scope(), Scope(type=KeyType.SERVICE), Scope(space_id="s"), Scope()}

    assert 3 == len(scopes)


def _known(key: Key) -> tuple[str, str, Redacted, datetime | None]:
    return key.id, key.name, key.redacted, key.expires_at


def _in_org(*spaces: SpaceBinding) -> Bindings:
    return Bindings((OrgBinding("o1", spaces=spaces),))

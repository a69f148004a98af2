"""What rotator relies on in Vault: the same cases on the stand-in and on a real server."""

import asyncio
from datetime import timedelta

import hvac.exceptions
import pytest
from vault_servers import available, service_account_token, started, unique

from rotator.adapters.vault import (
    AppRoleAuth,
    KubernetesAuth,
    TokenAuth,
    VaultOptions,
    VaultStore,
)
from rotator.errors import (
    NotFound,
    NotPermitted,
    Rejected,
    Temporary,
    Unauthenticated,
    Unavailable,
    Unreadable,
)
from rotator.events import Event
from rotator.journal import Journal
from rotator.model import Target
from rotator.ports import Conflict, Place
from rotator.secrets import Secret

KEY, NEWER = Secret("ak-0123456789abcdefghij-first"), Secret("ak-0123456789abcdefghij-second")
MINUTE = timedelta(minutes=1)
ALL = ["create", "read", "update"]


@pytest.fixture(scope="module", params=available())
def server(request):
    with started(request.param) as running:
        yield running


@pytest.fixture
def target():
    return Target(f"{unique('apps')}/arize", "api_key", metadata={"key_id": "arize_key_id"})


@pytest.fixture
def events():
    return []


@pytest.fixture
async def opened(server, events):
    stores = []

    def open_store(auth=None, **options):
        auth = auth or TokenAuth(lambda: Secret(server.token))
        options = {"namespace": server.namespace, "journal_prefix": unique("journal"), **options}
        stores.append(
            VaultStore(
                VaultOptions(server.address, auth, **options),
                lambda event, **fields: events.append((event, fields)),
            )
        )
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()


@pytest.fixture
def store(opened):
    return opened()


def secret_of(server, target, mount="secret"):
    answer = server.admin.secrets.kv.v2.read_secret(
        target.path, mount_point=mount, raise_on_deleted_version=True
    )
    return answer["data"]["data"]


def put(server, target, **fields):
    server.admin.secrets.kv.v2.create_or_update_secret(target.path, fields)


def approle_of(server, **wish):
    mount, role_id, secret_id = server.approle(**wish)
    return AppRoleAuth(role_id, lambda: secret_id, mount)


class TestKvVersion2:
    async def test_a_place_where_nothing_ever_was_is_empty_at_version_zero(self, store, target):
        held = await store.read(target)

        assert (None, 0) == (held.value, held.version)

    async def test_what_is_written_is_read_back(self, store, target):
        written = await store.write(await store.read(target), KEY, {"arize_key_id": "k1"})

        held = await store.read(target)
        assert (KEY, 1) == (held.value, held.version)
        assert written == held

    async def test_a_write_keeps_the_fields_of_others(self, server, store, target):
        put(server, target, password="theirs", nested={"a": [1, None]}, api_key="old")

        await store.write(await store.read(target), KEY, {"arize_key_id": "k1"})

        assert {
            "password": "theirs",
            "nested": {"a": [1, None]},
            "api_key": KEY.reveal(),
            "arize_key_id": "k1",
        } == secret_of(server, target)

    async def test_the_latest_earlier_value_that_fits_is_found(self, server, store, target):
        for value in (KEY.reveal(), "another", KEY.reveal(), NEWER.reveal()):
            put(server, target, api_key=value, other=1)

        assert KEY == await store.former(target, lambda secret: secret == KEY)
        assert Secret("another") == await store.former(target, lambda secret: secret != KEY)
        assert await store.former(target, lambda secret: secret == NEWER) is None

    async def test_an_earlier_value_that_was_deleted_or_is_kept_no_more_is_passed_over(
        self, server, store, target
    ):
        for at in range(14):
            put(server, target, api_key=f"value-{at}")
        kv = server.admin.secrets.kv.v2
        kv.delete_secret_versions(target.path, [13])
        kv.destroy_secret_versions(target.path, [12])
        seen = []

        assert await store.former(target, lambda secret: seen.append(secret.reveal())) is None
        assert [f"value-{at}" for at in range(10, 3, -1)] == seen

    async def test_where_nothing_is_nothing_was(self, store, target):
        assert await store.former(target, lambda _: True) is None

    async def test_a_write_over_an_outdated_version_is_a_conflict_and_changes_nothing(
        self, server, store, target
    ):
        held = await store.read(target)
        put(server, target, api_key="somebody-else-was-first")

        answer = await store.write(held, KEY, {})

        assert Conflict() == answer
        assert {"api_key": "somebody-else-was-first"} == secret_of(server, target)

    async def test_a_write_that_was_carried_out_is_found_again(self, store, target):
        held = await store.read(target)
        first = await store.write(held, KEY, {"arize_key_id": "k1"})

        assert first == await store.write(held, KEY, {"arize_key_id": "k1"})

    async def test_a_write_is_found_again_after_somebody_changed_a_field_of_his(
        self, server, store, target
    ):
        held = await store.read(target)
        await store.write(held, KEY, {})
        put(server, target, api_key=KEY.reveal(), password="theirs")

        again = await store.write(held, KEY, {})

        assert (KEY, 2) == (again.value, again.version)

    async def test_of_many_writers_exactly_one_wins(self, store, target):
        held = await store.read(target)
        secrets = [Secret(f"ak-{number:030}") for number in range(12)]

        answers = await asyncio.gather(*(store.write(held, secret, {}) for secret in secrets))

        assert 11 == answers.count(Conflict())
        assert 1 == (await store.read(target)).version

    async def test_a_deleted_secret_is_empty_and_written_after_its_version(
        self, server, store, target
    ):
        put(server, target, api_key="old", password="gone with it")
        server.call("delete", f"secret/data/{target.path}")

        held = await store.read(target)
        written = await store.write(held, KEY, {})

        assert (None, 1, 2) == (held.value, held.version, written.version)
        assert {"api_key": KEY.reveal()} == secret_of(server, target)

    async def test_a_destroyed_secret_is_empty_and_written_after_its_version(
        self, server, store, target
    ):
        put(server, target, api_key="old")
        server.call("put", f"secret/destroy/{target.path}", versions=[1])

        held = await store.read(target)
        written = await store.write(held, KEY, {})

        assert (None, 1, 2) == (held.value, held.version, written.version)

    async def test_a_secret_that_requires_check_and_set_is_written(self, server, store, target):
        server.call("post", f"secret/metadata/{target.path}", cas_required=True)
        with pytest.raises(hvac.exceptions.InvalidRequest, match="check-and-set parameter requir"):
            put(server, target, api_key="no version named")

        written = await store.write(await store.read(target), KEY, {})

        assert 1 == written.version

    async def test_a_field_that_is_not_text_is_refused_with_its_place(self, server, store, target):
        put(server, target, api_key={"nested": "secret-in-there"})

        with pytest.raises(Rejected) as refusal:
            await store.read(target)

        assert f"{target} holds an object where a key should be" == refusal.value.message

    async def test_an_empty_field_is_a_place_kept_free(self, server, store, target):
        put(server, target, api_key="")

        assert (await store.read(target)).value is None

    @pytest.mark.parametrize("name", ["with space", "ünïcode", "per%20cent", "a+b&c=d", "q?x#y"])
    async def test_names_may_have_any_letters(self, server, store, target, name):
        odd = Target(f"{target.path}/{name}", "api_key")

        await store.write(await store.read(odd), KEY, {})

        assert {"api_key": KEY.reveal()} == secret_of(server, odd)

    async def test_a_path_that_leads_elsewhere_is_refused(self, store):
        with pytest.raises(Rejected, match="not a path of plain names"):
            await store.read(Target("../sys/mounts", "api_key"))

    async def test_a_new_mount_is_usable_at_once_or_soon(self, server, store):
        target = Target("app", "api_key", mount=server.kv(2))

        for _ in range(100):
            try:
                written = await store.write(await store.read(target), KEY, {})
            except Temporary:
                await asyncio.sleep(0.05)
            else:
                break

        assert (KEY, 1) == (written.value, written.version)


class TestKvVersion1:
    @pytest.fixture
    def unversioned(self, server):
        return Target("apps/arize", "api_key", mount=server.kv(1))

    async def test_what_is_written_is_read_back(self, store, unversioned):
        empty = await store.read(unversioned)
        await store.write(empty, KEY, {})

        assert empty.value is None
        assert KEY == (await store.read(unversioned)).value

    async def test_a_write_keeps_the_fields_of_others(self, server, store, unversioned):
        server.call("post", f"{unversioned.mount}/apps/arize", password="theirs")

        await store.write(await store.read(unversioned), KEY, {"arize_key_id": "k1"})

        expected = {"password": "theirs", "api_key": KEY.reveal(), "arize_key_id": "k1"}
        assert expected == server.call("get", f"{unversioned.mount}/apps/arize")["data"]

    async def test_a_write_over_something_else_is_a_conflict(self, server, store, unversioned):
        held = await store.read(unversioned)
        server.call("post", f"{unversioned.mount}/apps/arize", api_key="somebody-else")

        assert Conflict() == await store.write(held, KEY, {})

    async def test_a_write_that_was_carried_out_is_found_again(self, store, unversioned):
        held = await store.read(unversioned)

        assert await store.write(held, KEY, {}) == await store.write(held, KEY, {})

    async def test_two_fields_that_are_written_at_once_are_not_lost(self, server, store):
        mount = server.kv(1)
        for number in range(50):
            path = f"apps/both-{number}"
            helds = [await store.read(Target(path, name, mount=mount)) for name in ("a", "b")]

            answers = await asyncio.gather(*(store.write(held, KEY, {}) for held in helds))

            written = {one.target.field for one in answers if one != Conflict()}
            assert written
            assert written == set(server.call("get", f"{mount}/{path}")["data"])

    async def test_preflight_asks_for_its_own_kind_of_path(self, server, opened, unversioned):
        policy = server.policy(**{f"{unversioned.mount}/apps/arize": ALL, "secret/data/*": ALL})
        store = opened(TokenAuth(lambda: server.token_with(policies=[policy])))

        assert await store.preflight([unversioned], budget=MINUTE) is None


class TestWrongPlaces:
    async def test_a_mount_that_is_not_there_is_named(self, store):
        with pytest.raises(NotFound, match="nothing-here/data/app: nothing is mounted there"):
            await store.read(Target("app", "api_key", mount="nothing-here"))

    async def test_a_mount_of_another_kind_is_named(self, store):
        with pytest.raises(Rejected, match="the mount sys is of type system, not kv"):
            await store.read(Target("app", "api_key", mount="sys"))

    async def test_a_namespace_that_is_not_there_is_named(self, opened, target):
        store = opened(namespace="nowhere")

        with pytest.raises(Unauthenticated, match="namespace not found"):
            await store.read(target)

    async def test_namespaces_are_kept_apart(self, server, opened, target):
        space = unique("team")
        server.call("post", f"sys/namespaces/{space}")
        server.admin.adapter.namespace, before = space, server.admin.adapter.namespace
        server.call("post", "sys/mounts/secret", type="kv", options={"version": "2"})
        server.admin.adapter.namespace = before
        inside, outside = opened(namespace=space), opened()

        for _ in range(100):
            try:
                await inside.write(await inside.read(target), KEY, {})
            except Temporary:
                await asyncio.sleep(0.05)
            else:
                break

        assert KEY == (await inside.read(target)).value
        assert (await outside.read(target)).value is None


class TestJournals:
    async def test_a_policy_begins_with_an_empty_one(self, store):
        assert (Journal(), 0) == await store.load("ci")

    async def test_what_is_saved_is_loaded(self, store):
        journal = Journal(selector="id k1")

        version = await store.save("ci", journal, 0)

        assert (1, (journal, 1)) == (version, await store.load("ci"))

    async def test_saving_over_an_outdated_version_loses_the_race(self, store):
        await store.save("ci", Journal(selector="theirs"), 0)

        assert Conflict() == await store.save("ci", Journal(selector="ours"), 0)

    async def test_a_save_that_was_carried_out_is_found_again(self, store):
        journal = Journal(selector="id k1")

        assert await store.save("ci", journal, 0) == await store.save("ci", journal, 0)

    async def test_a_deleted_one_is_empty_and_saved_after_its_version(self, server, opened):
        store = opened(journal_prefix=(prefix := unique("journal")))
        await store.save("ci", Journal(selector="id k1"), 0)
        server.call("delete", f"secret/data/{prefix}/ci")

        loaded = await store.load("ci")

        assert (Journal(), 1) == loaded
        assert 2 == await store.save("ci", Journal(), 1)

    async def test_a_mount_without_check_and_set_is_refused(self, server, opened):
        store = opened(mount=(mount := server.kv(1)))

        with pytest.raises(Rejected, match=f"the mount {mount} is KV version 1"):
            await store.load("ci")

    async def test_somebody_elses_document_is_not_touched(self, server, opened):
        store = opened(journal_prefix=(prefix := unique("journal")))
        server.call("post", f"secret/data/{prefix}/ci", data={"password": "theirs"})

        with pytest.raises(Unreadable, match="is not a journal of rotator"):
            await store.load("ci")


class TestLogins:
    async def test_a_token_without_an_end(self, store, target, events):
        await store.read(target)

        fields = {"method": "token", "ttl_seconds": None, "renewable": False}
        fields["max_ttl_seconds"] = None
        assert [(Event.VAULT_LOGIN, fields)] == events

    async def test_it_is_told_after_which_time_no_renewal_helps(
        self, server, opened, target, events
    ):
        rules = server.policy(**{"secret/data/*": ALL})
        token = server.token_with(policies=[rules], ttl="3s", explicit_max_ttl="2h")
        store = opened(TokenAuth(lambda: token))
        await store.read(target)

        await asyncio.sleep(2.5)  # Real TTLs pass in real time.
        await store.read(target)

        told = [fields["max_ttl_seconds"] for _, fields in events]
        assert Event.VAULT_RENEWED == events[-1][0]
        assert 7200 - 3 <= told[0] <= 7200
        assert 7200 - 6 <= told[-1] < told[0]

    async def test_a_token_of_an_approle(self, server, opened, target, events):
        policy = server.policy(**{"secret/data/*": ALL})
        store = opened(approle_of(server, token_policies=[policy], token_ttl="5m"))

        await store.write(await store.read(target), KEY, {})

        fields = {"method": "approle", "ttl_seconds": 300, "renewable": True}
        fields["max_ttl_seconds"] = None
        assert [(Event.VAULT_LOGIN, fields)] == events

    async def test_a_token_for_a_pod(self, server, opened, target, events):
        policy = server.policy(**{"secret/data/*": ALL})
        mount = server.kubernetes("rotator", token_policies=[policy], token_ttl="5m")
        auth = KubernetesAuth("app", lambda: service_account_token("rotator"), mount)

        await opened(auth).read(target)

        fields = {"method": "kubernetes", "ttl_seconds": 300, "renewable": True}
        fields["max_ttl_seconds"] = None
        assert [(Event.VAULT_LOGIN, fields)] == events

    async def test_another_pod_is_refused(self, server, opened, target):
        mount = server.kubernetes("rotator")
        auth = KubernetesAuth("app", lambda: service_account_token("stranger"), mount)

        with pytest.raises(Unauthenticated, match="Vault refused the kubernetes login"):
            await opened(auth).read(target)

    async def test_a_wrong_secret_id_is_refused(self, server, opened, target):
        mount, role_id, _ = server.approle()
        auth = AppRoleAuth(role_id, lambda: Secret("not-the-secret-id"), mount)

        with pytest.raises(Unauthenticated) as refusal:
            await opened(auth).read(target)

        expected = "Vault refused the approle login: invalid role or secret ID"
        assert expected == refusal.value.message

    async def test_a_method_that_is_not_mounted_is_named(self, opened, target):
        auth = AppRoleAuth("role", lambda: Secret("secret-id"), "nowhere")

        with pytest.raises(Unauthenticated, match="refused the approle login") as refusal:
            await opened(auth).read(target)

        assert "check the credential, its mount" in refusal.value.remedy

    async def test_a_token_that_vault_does_not_know_is_refused(self, opened, target):
        with pytest.raises(Unauthenticated, match="Vault refused the token login"):
            await opened(TokenAuth(lambda: Secret("s.nobody-made-this"))).read(target)

    async def test_a_revoked_token_is_replaced_by_a_login(self, server, opened, target, events):
        policy = server.policy(**{"secret/data/*": ALL})
        tokens = [server.token_with(policies=[policy]) for _ in range(2)]
        given = iter(tokens)
        store = opened(TokenAuth(lambda: next(given)))
        held = await store.read(target)
        server.call("post", "auth/token/revoke", token=tokens[0].reveal())

        written = await store.write(held, KEY, {})

        assert (KEY, 2) == (written.value, len(events))

    async def test_a_token_is_renewed_while_nobody_uses_it(self, server, opened, target, events):
        token = server.token_with(policies=[server.policy(**{"secret/data/*": ALL})], ttl="3s")
        store = opened(TokenAuth(lambda: token))
        await store.read(target)

        await asyncio.sleep(4)  # Real TTLs pass in real time.

        assert (await store.read(target)).value is None
        login, *renewals = [event for event, _ in events]
        assert (Event.VAULT_LOGIN, {Event.VAULT_RENEWED}) == (login, set(renewals))
        assert {None} == {fields["max_ttl_seconds"] for _, fields in events}

    async def test_a_token_that_cannot_be_renewed_further_is_replaced_in_time(
        self, server, opened, target, events
    ):
        policy = server.policy(**{"secret/data/*": ALL})
        limits = {"token_policies": [policy], "token_ttl": "2s", "token_max_ttl": "3s"}
        service = opened(approle_of(server, **limits))
        batch = opened(approle_of(server, **limits, token_type="batch"))
        helds = [await store.read(target) for store in (service, batch)]

        await asyncio.sleep(4)

        assert KEY == (await service.write(helds[0], KEY, {})).value
        assert Conflict() == await batch.write(helds[1], NEWER, {})
        assert 4 <= sum(event is Event.VAULT_LOGIN for event, _ in events) <= 8

    async def test_a_token_that_ended_for_good_is_told_as_such(self, server, opened, target):
        token = server.token_with(policies=["default"], ttl="1s", renewable=False)
        store = opened(TokenAuth(lambda: token))
        with pytest.raises(NotPermitted):
            await store.read(target)

        await asyncio.sleep(1.5)

        with pytest.raises(Unauthenticated, match="Vault refused the token login"):
            await store.read(target)


class TestPreflight:
    async def test_the_least_that_is_needed_is_enough(self, server, opened, target):
        prefix = unique("journal")
        rules = {f"secret/data/{target.path}": ALL, f"secret/data/{prefix}/*": ALL}
        token = server.token_with(policies=[server.policy(**rules)])
        store = opened(TokenAuth(lambda: token), journal_prefix=prefix)

        assert await store.preflight([target], budget=MINUTE) is None
        assert 1 == (await store.write(await store.read(target), KEY, {})).version
        assert 1 == await store.save("ci", Journal(), 0)

    async def test_whatever_is_missing_is_named_with_its_remedy(self, server, opened, target):
        prefix, path = unique("journal"), f"secret/data/{target.path}"
        token = server.token_with(policies=[server.policy(**{path: ["read", "update"]})])
        store = opened(TokenAuth(lambda: token), journal_prefix=prefix)

        with pytest.raises(NotPermitted) as denial:
            await store.preflight([target], budget=MINUTE)

        journals = f"secret/data/{prefix}/any-policy"
        assert denial.value.message == f"no create on {path}; no create, read, update on {journals}"
        assert denial.value.remedy == (
            "add to the Vault policy: "
            f'path "{path}" {{ capabilities = ["create", "read", "update"] }} '
            f'path "secret/data/{prefix}/*" {{ capabilities = ["create", "read", "update"] }}'
        )

    async def test_what_is_missing_is_told_place_by_place(self, server, opened, target):
        prefix, old = unique("journal"), server.kv(1)
        rules = {f"secret/data/{target.path}": ["read"], f"{old}/app": ["read"]}
        token = server.token_with(policies=[server.policy(**rules)])
        store = opened(TokenAuth(lambda: token), journal_prefix=prefix)
        unversioned, closed = Target("app", "key", mount=old), Target("x", "key", mount="closed")

        lacks = await store.lacking(
            [
                Place(target),
                Place(target, read_only=True),
                Place(unversioned),
                Place("ci"),
                Place(closed),
            ],
            budget=MINUTE,
        )

        assert [
            f"no create, update on secret/data/{target.path}",
            None,
            f"no create, update on {old}/app",
            f"no create, read, update on secret/data/{prefix}/ci",
            (
                "no create, read, update on closed/data/x (our token may not see what closed is; KV"
                " version 2 is assumed)"
            ),
        ] == [lack and lack.text for lack in lacks]
        names = '{ capabilities = ["create", "read", "update"] }'
        assert f'path "secret/data/{prefix}/*" {names}' == lacks[3].rule
        assert f'path "{old}/app" {names}' == lacks[2].rule
        where = f" in the namespace {server.namespace}" if server.namespace else ""
        assert f"add to the Vault policy{where}: {lacks[0].rule}" == lacks[0].remedy

    async def test_a_mount_that_is_none_hinders_no_other_place(self, server, opened, target):
        store = opened(mount=(old := server.kv(1)))
        wrong = Target("app", "key", mount="sys")
        fine = Target(target.path, "key", mount="secret")

        first, second, journal = await store.lacking(
            [Place(wrong), Place(fine), Place("ci")], budget=MINUTE
        )

        assert "the mount sys is of type system, not kv" == first.text
        assert second is None
        assert f"the mount {old} is KV version 1, and the journal needs check-and-set" == (
            journal.text
        )

    async def test_hundreds_of_places_are_asked_about(self, store):
        places = [Place(Target(f"apps/{at}", "key")) for at in range(250)]

        assert [None] * 250 == await store.lacking(places, budget=MINUTE)

    async def test_a_denied_read_is_told_from_a_dead_token(self, server, opened, target, events):
        token = server.token_with(policies=["default"])
        store = opened(TokenAuth(lambda: token))

        for _ in range(3):
            with pytest.raises(NotPermitted, match=f"GET secret/data/{target.path}: permission"):
                await store.read(target)

        assert 2 == len(events)

    async def test_a_token_that_ends_too_early_is_refused(self, server, opened, target):
        token = server.token_with(policies=["root"], ttl="60s", explicit_max_ttl="60s")
        store = opened(TokenAuth(lambda: token))

        with pytest.raises(Unauthenticated, match=r"ends in \d+ s, and a rotation may need 3600 s"):
            await store.preflight([target], budget=timedelta(hours=1))

    async def test_a_token_that_can_be_renewed_for_long_enough_is_renewed(
        self, server, opened, target, events
    ):
        token = server.token_with(policies=["root"], ttl="4s")
        store = opened(TokenAuth(lambda: token))
        await store.read(target)

        await asyncio.sleep(1.1)
        await store.preflight([target], budget=timedelta(seconds=3))

        assert [Event.VAULT_LOGIN, Event.VAULT_RENEWED] == [event for event, _ in events]

    async def test_a_login_replaces_what_cannot_be_renewed_for_long_enough(
        self, server, opened, target, events
    ):
        policy = server.policy(**{"secret/data/*": ALL})
        limits = {"token_ttl": "8s", "token_max_ttl": "8s"}
        store = opened(approle_of(server, token_policies=[policy], **limits))
        await store.read(target)

        await asyncio.sleep(1.1)
        await store.preflight([target], budget=timedelta(seconds=7))

        assert 2 == len(events)


class TestSealed:
    @pytest.fixture
    def sealed(self, server, store):
        if server.unseal_key is None:
            pytest.skip("this server is not ours to seal")
        server.seal()
        yield store
        server.unseal()

    @pytest.mark.usefixtures("sealed")
    async def test_every_call_says_so(self, store, target):
        for call in (
            store.read(target),
            store.load("ci"),
            store.preflight([target], budget=MINUTE),
        ):
            with pytest.raises(Unavailable) as outage:
                await call
            assert "Vault is sealed (unseal it)" == str(outage.value)

    @pytest.mark.usefixtures("sealed")
    async def test_the_state_says_so(self, store):
        assert "sealed" == await store.state()

    async def test_all_goes_on_once_it_is_open_again(self, server, store, target):
        if server.unseal_key is None:
            pytest.skip("this server is not ours to seal")
        held = await store.write(await store.read(target), KEY, {})
        server.seal()
        with pytest.raises(Unavailable):
            await store.write(held, NEWER, {})
        server.unseal()

        for _ in range(100):
            try:
                written = await store.write(held, NEWER, {})
            except Temporary:
                await asyncio.sleep(0.05)
            else:
                break

        assert (NEWER, "active") == (written.value, await store.state())

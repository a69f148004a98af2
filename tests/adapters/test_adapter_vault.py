"""What the Vault adapter makes of trouble, which a real server cannot be asked to have."""

import asyncio
import time
import traceback
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from rotator import traceparent
from rotator.adapters import vault_calls
from rotator.adapters.vault import AppRoleAuth, TokenAuth, VaultOptions, VaultStore
from rotator.adapters.vault_auth import Keeper, Login
from rotator.errors import (
    NotFound,
    NotPermitted,
    Rejected,
    RotatorError,
    Temporary,
    Unauthenticated,
    Unavailable,
)
from rotator.events import Event
from rotator.journal import Journal
from rotator.model import Target
from rotator.ports import Conflict
from rotator.sandbox.server import serving_in_thread
from rotator.sandbox.vault import vault_app
from rotator.sandbox.vault_faults import Fault
from rotator.sandbox.vault_state import Request, VaultState
from rotator.secrets import Secret

TOKEN = "root-token-canary-2f61"
KEY = Secret("ak-canary-0123456789abcdefghij")
TARGET = Target("apps/ci/arize", "api_key")
DATA = "secret/data/apps/ci/arize"


class Vault:
    """The stand-in on a port, with an ear on the wire."""

    def __init__(self):
        self.state = VaultState(clock=lambda: datetime.now(UTC), root_token=TOKEN)
        self.heard = []
        self.connections = set()
        self._app = vault_app(self.state)

    async def __call__(self, scope, receive, send):
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.connections.add(scope["client"])
        self.heard.append((f"{scope['method']} {scope['path'].removeprefix('/v1/')}", headers))
        await self._app(scope, receive, send)

    @property
    def calls(self):
        return [call for call, _ in self.heard]

    def fails(self, kind, **fault):
        self.state.faults.script.append(Fault(kind, **fault))


class Port:
    """The one port that all tests share; each puts a server of its own there."""

    async def __call__(self, scope, receive, send):
        await self.vault(scope, receive, send)


@pytest.fixture(scope="module")
def port():
    port = Port()
    with serving_in_thread(port) as port.url:
        yield port


@pytest.fixture
def vault(port):
    port.vault = Vault()
    port.vault.url = port.url
    return port.vault


@pytest.fixture
async def opened(vault):
    stores = []

    def open_store(auth=None, **options):
        auth = auth or TokenAuth(lambda: Secret(TOKEN))
        options = VaultOptions(options.pop("address", vault.url), auth, **options)
        stores.append(VaultStore(options, lambda *_, **__: None))
        return stores[-1]

    yield open_store
    for store in stores:
        await store.close()


@pytest.fixture
def store(opened):
    return opened()


@pytest.fixture
async def held(store, vault):
    held = await store.read(TARGET)
    vault.heard.clear()
    return held


async def failure(coroutine):
    try:
        await coroutine
    except RotatorError as error:
        return error
    raise AssertionError("nothing failed")


class TestTheDangerousMoment:
    async def test_a_write_is_one_request(self, store, held, vault):
        await store.write(held, KEY, {"arize_key_id": "k1"})

        assert [f"POST {DATA}"] == vault.calls

    async def test_a_lost_race_is_two(self, store, held, vault):
        await store.write(held, Secret("somebody else's"), {})
        vault.heard.clear()

        assert Conflict() == await store.write(held, KEY, {})
        assert [f"POST {DATA}", f"GET {DATA}"] == vault.calls

    async def test_a_whole_look_is_one_request_for_each_document(self, store, vault):
        await store.read(TARGET)
        vault.heard.clear()

        await store.read(TARGET)
        await store.load("ci")
        await store.save("ci", Journal(), 0)
        await store.preflight([TARGET, Target("b", "f")], budget=timedelta(minutes=1))

        assert 4 == len(vault.calls)

    async def test_calls_in_a_row_share_one_connection(self, store, held, vault):
        for _ in range(5):
            held = await store.write(held, KEY, {})
            held = await store.read(TARGET)

        assert 1 == len(vault.connections)

    async def test_a_write_does_not_wait_for_reads(self, opened, vault):
        store = opened(workers=1)
        held = await store.read(TARGET)
        vault.fails("slow", on="GET", delay=timedelta(seconds=0.5))
        slow = asyncio.create_task(store.read(TARGET))
        await asyncio.sleep(0.05)

        await store.write(held, KEY, {})

        assert slow.done() is False
        await slow


class TestOutages:
    async def test_nobody_at_the_address(self, opened):
        error = await failure(opened(address="http://127.0.0.1:1").read(TARGET))

        assert isinstance(error, Unavailable)
        assert error.message.endswith("http://127.0.0.1:1 cannot be reached: Connection refused")

    async def test_an_address_that_is_none(self, opened):
        error = await failure(opened(address="vault:8200").read(TARGET))

        assert isinstance(error, Rejected)
        assert "check `address`" in error.remedy

    @pytest.mark.parametrize("way", [{"verify": "/gone.pem"}, {"client_cert": ("/gone", "/gone")}])
    async def test_certificates_that_are_not_there(self, opened, way):
        error = await failure(opened(address="https://127.0.0.1:1", **way).read(TARGET))

        assert isinstance(error, Unavailable)
        assert "/gone" in error.message
        assert "`ca_cert`" in error.remedy

    async def test_a_connection_that_is_cut(self, store, held, vault):
        vault.fails("refused_before", on="POST")

        assert isinstance(await failure(store.write(held, KEY, {})), Unavailable)

    async def test_an_answer_that_is_lost_is_found_by_writing_again(self, store, held, vault):
        vault.fails("lost_after", on="POST")
        lost = await failure(store.write(held, KEY, {}))

        again = await store.write(held, KEY, {})

        assert isinstance(lost, Unavailable)
        assert (KEY, 1) == (again.value, again.version)

    async def test_an_answer_that_is_too_late(self, opened, vault):
        store = opened(timeout=timedelta(seconds=0.3))
        held = await store.read(TARGET)
        vault.fails("slow", on="POST", delay=timedelta(seconds=0.7))
        begun = time.monotonic()

        error = await failure(store.write(held, KEY, {}))

        assert isinstance(error, Unavailable)
        assert 0.6 > time.monotonic() - begun
        assert 1 == (await store.write(held, KEY, {})).version

    async def test_waiting_for_a_turn_is_not_waiting_for_vault(self, opened, vault):
        store = opened(timeout=timedelta(seconds=0.4), workers=1)
        await store.read(TARGET)
        for _ in range(3):
            vault.fails("slow", on="GET", delay=timedelta(seconds=0.2))

        helds = await asyncio.gather(*(store.read(TARGET) for _ in range(3)))

        assert [0, 0, 0] == [held.version for held in helds]

    async def test_a_call_given_up_before_its_turn_is_not_made_later(self, opened, vault):
        store = opened(workers=1)
        held = await store.read(TARGET)
        vault.fails("slow", on="POST", delay=timedelta(seconds=0.3))
        first = asyncio.create_task(store.write(held, KEY, {}))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(store.save("ci", Journal(), 0))
        await asyncio.sleep(0.05)

        second.cancel()

        await first
        await store.load("ci")
        assert "POST secret/data/rotator/ci" not in vault.calls

    async def test_who_waits_too_long_for_another_write_to_version_1_has_lost(self, opened, vault):
        vault.state.answer(Request("POST", "sys/mounts/kv", {"type": "kv"}, {}, token=TOKEN))
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        store = opened(called=lambda *_: loop.call_soon_threadsafe(told.set))
        one, other, elsewhere = [
            await store.read(Target(path, field, mount="kv"))
            for path, field in (("both", "one"), ("both", "other"), ("elsewhere", "one"))
        ]
        vault.fails("slow", on="POST kv/both", delay=timedelta(seconds=2))
        told.clear()
        slow = asyncio.create_task(store.write(one, KEY, {}))
        await told.wait()

        second = asyncio.create_task(store.write(other, KEY, {}))
        await store.write(elsewhere, KEY, {})

        assert not second.done(), "and whoever writes another secret waits for nobody"
        assert Conflict() == await second
        assert not slow.done()
        assert KEY == (await slow).value
        again = await store.write(await store.read(other.target), KEY, {})
        assert {"one", "other"} == set(again.document.reveal())

    async def test_a_server_error_is_explained_by_its_health(self, store, held, vault):
        vault.fails("status", on="POST", status=500)

        error = await failure(store.write(held, KEY, {}))

        assert f"POST {DATA}: Vault answers 500: it is active" == error.message
        assert "GET sys/health" in vault.calls

    async def test_what_a_server_error_says_itself_comes_first(self, store, held, vault):
        vault.fails("status", on="POST", status=500, errors=("no space left on device",))

        error = await failure(store.write(held, KEY, {}))

        assert error.message.endswith("500: no space left on device; it is active")

    async def test_a_standby_that_redirects_is_not_followed(self, store, held, vault):
        location = ("Location", "http://127.0.0.1:1/v1/elsewhere")
        vault.fails("status", on="POST", status=307, headers=(location,))

        error = await failure(store.write(held, KEY, {}))

        assert isinstance(error, Unavailable)
        assert "is a standby and redirects (307)" in error.message
        assert [f"POST {DATA}"] == vault.calls

    @pytest.mark.parametrize(
        ("status", "said", "kind", "words"),
        [
            (412, "", Temporary, "has not caught up"),
            (429, "rate limit quota exceeded", Temporary, "over a quota"),
            (472, "", Unavailable, "disaster recovery secondary"),
            (473, "", Unavailable, "performance standby"),
            (501, "", Unavailable, "answers 501"),
            (502, "", Unavailable, "answers 502"),
            (503, "Vault is sealed", Unavailable, "Vault is sealed"),
            (400, "Upgrading from non-versioned to versioned data.", Temporary, "upgraded"),
            (400, "path disabled in replication DR secondary mode", Unavailable, "recovery"),
            (400, "something odd", Rejected, "something odd"),
            (401, "", Unauthenticated, "does not know our token"),
            (403, "invalid token", Unauthenticated, "does not know our token"),
            (403, "permission denied", NotPermitted, "permission denied"),
            (404, "namespace not found", NotFound, "no such namespace"),
            (404, "odd", NotFound, "odd"),
            (405, "unsupported operation", Rejected, "unsupported operation"),
            (413, "request too large", Rejected, "request too large"),
        ],
    )
    async def test_refusals_are_told_apart(self, opened, vault, status, said, kind, words):  # noqa: PLR0913, PLR0917 - a table
        store = opened()
        held = await store.read(TARGET)
        for _ in range(2):  # A denial is asked again after a login.
            vault.fails("status", on="POST", status=status, errors=(said,) if said else ())

        error = await failure(store.write(held, KEY, {}))

        assert kind is type(error)
        assert words in error.message

    @pytest.mark.parametrize(
        ("header", "delay"),
        [("7", timedelta(seconds=7)), ("soon", None), (None, None)],
    )
    async def test_a_quota_says_how_long_to_wait_or_not(self, store, held, vault, header, delay):
        headers = (("Retry-After", header),) if header else ()
        vault.fails("status", on="POST", status=429, headers=headers)

        assert delay == (await failure(store.write(held, KEY, {}))).delay

    async def test_a_proxys_404_is_not_an_empty_secret(self, store, vault):
        await store.read(TARGET)
        vault.fails("page", on="GET", status=404)

        error = await failure(store.read(TARGET))

        assert isinstance(error, NotFound)
        assert "not an answer of Vault" in error.message

    async def test_a_proxys_page_is_not_a_written_secret(self, store, held, vault):
        vault.fails("page", on="POST", status=200)

        assert isinstance(await failure(store.write(held, KEY, {})), Unavailable)


class TestTokens:
    async def test_one_login_is_enough_for_many_at_once(self, opened, vault):
        store = opened()

        await asyncio.gather(*(store.read(TARGET) for _ in range(20)))

        assert 1 == Counter(vault.calls)["GET auth/token/lookup-self"]

    async def test_nothing_of_the_environment_is_sent(self, opened, vault, monkeypatch):
        monkeypatch.setenv("VAULT_TOKEN", "token-of-somebody-else")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("VAULT_NAMESPACE", "of-somebody-else")
        store = opened(AppRoleAuth("role", lambda: Secret("secret-id")))

        assert isinstance(await failure(store.read(TARGET)), Unauthenticated)
        (_, headers), *_ = vault.heard
        assert set() == {"x-vault-token", "x-vault-namespace"} & set(headers)

    async def test_a_credential_file_that_is_gone_is_named_by_its_kind(self, opened, tmp_path):
        secret_id = tmp_path / "secret-id"
        store = opened(AppRoleAuth("role", lambda: Secret(secret_id.read_text())))

        error = await failure(store.read(TARGET))

        assert isinstance(error, Unauthenticated)
        assert "the approle credential cannot be read: No such file or directory" == error.message

    async def test_an_outage_during_the_login_is_an_outage(self, opened, vault):
        vault.fails("status", on="lookup-self", status=503, errors=("Vault is sealed",))

        assert isinstance(await failure(opened().read(TARGET)), Unavailable)

    async def test_who_answers_without_tls_is_told_as_that(self, opened, vault):
        store = opened(address=vault.url.replace("http:", "https:"))

        error = await failure(store.read(TARGET))

        assert isinstance(error, Unavailable)
        assert error.remedy == "it answers without TLS: is another port meant, or http on loopback?"

    async def test_a_page_in_place_of_a_login_is_no_answer_of_vault(self, opened, vault):
        vault.fails("page", on="login", status=200)
        store = opened(AppRoleAuth("role", lambda: Secret("secret-id")))

        error = await failure(store.read(TARGET))

        words = "this is not an answer of Vault; is something between us?"
        assert f"POST auth/approle/login: {words}" == error.message

    async def test_denials_do_not_lead_to_a_login_each(self, store, held, vault):
        for _ in range(4):
            vault.fails("status", on="POST", status=403, errors=("permission denied",))

        for _ in range(3):
            assert isinstance(await failure(store.write(held, KEY, {})), NotPermitted)

        assert 1 == Counter(vault.calls)["GET auth/token/lookup-self"]

    async def test_a_renewal_that_fails_leaves_the_old_token(self):
        class Api:
            def use(self, token):
                pass

            def lookup_self(self):
                return {"data": {"ttl": 1, "expire_time": "soon", "renewable": True}}

            def renew_self(self):
                raise Unavailable("down")

        keeper, api = Keeper(TokenAuth(lambda: Secret(TOKEN))), Api()
        first = keeper.login(api, prolong=True)
        await asyncio.sleep(0.7)

        again = keeper.login(api, prolong=True)

        assert first.token == again.token
        assert 0.5 < keeper.rest()

    async def test_a_renewal_is_news_with_the_life_that_it_gives(self):
        class Api:
            def use(self, token):
                pass

            def lookup_self(self):
                return {"data": {"ttl": 1, "expire_time": "soon", "renewable": True}}

            def renew_self(self):
                return {"auth": {"lease_duration": 300, "renewable": True}}

        keeper, api = Keeper(TokenAuth(lambda: Secret(TOKEN))), Api()
        keeper.login(api, prolong=True)
        keeper.outlasting(api, timedelta(minutes=1))

        assert [(Event.VAULT_LOGIN, 1), (Event.VAULT_RENEWED, 300)] == [
            (event, login.ttl) for event, login in keeper.news
        ]

    async def test_what_nobody_foresaw_does_not_end_the_care_for_the_token(
        self, opened, monkeypatch
    ):
        monkeypatch.setattr(vault_calls, "_PAUSE", 0.01)
        monkeypatch.setattr(vault_calls, "_LONG_PAUSE", 0.01)
        loop, logins, cared_for = asyncio.get_running_loop(), [], asyncio.Event()

        class Odd:
            method = "odd"

            def log_in(self, api):
                api.use(None)
                logins.append(self)
                if len(logins) == 2:
                    raise ZeroDivisionError
                if len(logins) == 4:
                    loop.call_soon_threadsafe(cared_for.set)
                return Login.of(TOKEN, self.method, 0.1, renewable=False)

        await opened(Odd()).read(TARGET)

        await asyncio.wait_for(cared_for.wait(), 10)


class TestCalls:
    async def test_every_request_is_told_with_its_status_and_time(self, opened, vault):
        calls = []
        store = opened(
            AppRoleAuth("role", lambda: Secret("secret-id")),
            called=lambda *call: calls.append(call),
        )
        vault.fails("refused_before", on="login")
        vault.fails("status", on="login", status=503)

        await failure(store.read(TARGET))
        await failure(store.read(TARGET))

        assert [("vault", "login", None), ("vault", "login", 503), ("vault", "sys", 200)] == [
            call[:3] for call in calls
        ]
        assert all(0 < seconds < 5 for *_, seconds in calls)

    async def test_what_a_request_is_for_is_one_word_of_few(self, opened):
        calls = []
        store = opened(called=lambda *call: calls.append(call))
        held = await store.read(TARGET)
        await store.write(held, KEY, {})
        await store.preflight([TARGET], budget=timedelta(minutes=1))

        assert [
            ("token", 200),
            ("sys", 200),
            ("read", 404),
            ("write", 200),
            ("sys", 200),
        ] == [(operation, status) for _, operation, status, _ in calls]


class TestSecrecy:
    async def test_no_error_shows_a_secret_anywhere(self, opened, vault):
        store = opened(timeout=timedelta(seconds=0.3))
        held = await store.write(await store.read(TARGET), KEY, {})
        echo = f"cannot store {KEY.reveal()} for {TOKEN}"
        vault.fails("status", on="POST", status=400, errors=(echo,))
        vault.fails("status", on="POST", status=500, errors=(echo,))
        vault.fails("refused_before", on="POST")
        vault.fails("slow", on="POST", delay=timedelta(seconds=1))

        for _ in range(4):
            told = _everything(await failure(store.write(held, KEY, {"id": "k"})))
            assert (0, 0) == (told.count(KEY.reveal()), told.count(TOKEN))

    async def test_a_masked_echo_still_tells_the_rest(self, store, held, vault):
        vault.fails("status", on="POST", status=400, errors=(f"bad value {KEY.reveal()} here",))

        error = await failure(store.write(held, KEY, {}))

        assert f"Vault refused POST {DATA}: 400 bad value [masked] here" == error.message


def _everything(error):
    """All that a logger could find: tracebacks of the whole chain, and what hangs on it."""
    told = ""
    while error is not None:
        told += "".join(traceback.format_exception(error)) + repr(vars(error))
        request = getattr(error, "request", None)
        told += repr(vars(request)) if request is not None else ""
        error = error.__cause__ or error.__context__
    return told


async def test_a_request_says_which_trace_it_belongs_to_though_it_is_made_in_a_thread(store, vault):
    await store.read(TARGET)
    vault.heard.clear()
    token = traceparent.CURRENT.set({"traceparent": "00-trace-step-01"})
    await store.read(TARGET)
    traceparent.CURRENT.reset(token)
    await store.read(TARGET)

    sent = [headers.get("traceparent") for _, headers in vault.heard]
    assert ["00-trace-step-01", None] == sent

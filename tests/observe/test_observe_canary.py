"""A raw key on every way by which one has ever got into a log: none comes out, in any form."""

import base64
import io
import json
import logging
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import hvac
import pytest
import requests
from apscheduler.schedulers.background import BackgroundScheduler

from rotator.errors import Rejected
from rotator.events import Event
from rotator.observe import configure
from rotator.secrets import Secret

BODY = "CANARYqwertzuiopasdfghjklyxcvbnm0123456789QWERTZUIOP"
CANARY = f"ak-{BODY}"
VAULT_TOKEN = "hvs.CANARYtokenAAAAAQJ0123456789abcdefghij"
#: A password looks like nothing: only `hide` knows it.
PASSWORD = 'Canary: correct/horse+battery "staple" é'


def forms(raw):
    """A secret in every form that must not be seen."""
    data = raw.encode()
    yield from (raw, data.hex(), json.dumps(raw)[1:-1], repr(raw)[1:-1])
    yield from (urllib.parse.quote(raw), urllib.parse.quote(raw, safe=""))
    yield "".join(f"%{byte:02X}" for byte in data)
    yield "".join(f"\\u{ord(letter):04x}" for letter in raw)
    for before in (b"", b"x", b"xy"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(before + data).decode().rstrip("=")[4:-2]


def fragments(text):
    return (text[start : start + 8] for start in range(len(text) - 7))


SEEN = [
    *(form for raw in (CANARY, VAULT_TOKEN, PASSWORD) for form in forms(raw)),
    *fragments(BODY),
    *fragments(VAULT_TOKEN.removeprefix("hvs.")),
]


class Reflecting(BaseHTTPRequestHandler):
    """Answers with whatever it was asked, in the body, in a header and in the status line."""

    def do_GET(self):
        asked = json.dumps({"errors": [f"{self.path} {self.headers}"], "data": {"key": CANARY}})
        self.send_response(403, f"no {CANARY}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", f"session={CANARY}")
        self.send_header("X-Key", CANARY)
        self.send_header("Content-Length", str(len(asked)))
        self.end_headers()
        self.wfile.write(asked.encode())

    do_POST = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, format, *args):  # noqa: A002 - overridden
        logging.getLogger("http.server").info(format, *args)


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Reflecting) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture(params=["json", "console"])
def observed(request):
    """An observer at debug; what it has written must not hold the canary."""
    stream = io.StringIO()
    observer = configure(request.param, "debug", stream)
    observer.hide(Secret(PASSWORD), "here")
    yield observer
    observer.close()
    text = stream.getvalue()
    assert text != ""
    assert [] == [form for form in SEEN if form in text]


# --- fields ---


@pytest.mark.parametrize("event", Event)
def test_no_field_of_any_event_shows_it(observed, event):
    for form in (*forms(CANARY), *forms(VAULT_TOKEN), *forms(PASSWORD)):
        if form.startswith(("ak", "hvs", "Canary")):
            observed(
                event,
                policy=form,
                error=f"it said {form}.",
                key_id=f"'{form}'",
                extra={form: [form]},
            )


@pytest.mark.parametrize("form", [*forms(CANARY), *forms(VAULT_TOKEN), *forms(PASSWORD)])
def test_the_words_of_others_show_no_form_of_it(observed, form):
    observed(Event.LIBRARY, logger="x", message=f"got {form}")
    observed(Event.LIBRARY, logger="x", message=f'{{"key":"{form}"}}')
    logging.getLogger("x").warning("got %r", {"key": form})


def test_a_masked_value_does_not_show_it(observed):
    observed(Event.POLICY_FAILED, error=Secret(CANARY), remedy=[Secret(CANARY)], policy="p")


# --- errors ---


class Foreign:
    def __init__(self, raw):
        self.raw = raw

    def __repr__(self):
        return f"Foreign({base64.b64encode(self.raw.encode()).decode()!r})"


@pytest.mark.parametrize(
    "arguments",
    [
        (CANARY,),
        (f"bad {CANARY}!", PASSWORD),
        (Foreign(CANARY),),
        ({"key": CANARY},),
        (CANARY.encode(),),
        (VAULT_TOKEN, 7, [PASSWORD]),
        tuple(forms(CANARY)),
    ],
)
def test_an_error_and_its_locals_do_not_show_it(observed, arguments):
    local = CANARY
    try:
        try:
            raise ValueError(*arguments)  # noqa: TRY301 - an error with a past
        except ValueError as error:
            raise KeyError(local) from error
    except KeyError as error:
        observed(Event.POLICY_FAILED, policy="p", error=error, exception=error)
        logging.getLogger("x").exception("it failed: %s", error)  # noqa: TRY401 - as libraries do


def test_the_servers_words_in_an_error_of_ours_do_not_show_it(observed):
    error = Rejected(f"422: {CANARY} is no key", remedy=f"not {VAULT_TOKEN}")
    observed(Event.ROTATION_FAILED, error=error.message, remedy=error.remedy, exception=error)


def test_an_error_that_could_not_decode_it_does_not_show_it(observed):
    try:
        (CANARY.encode() + b"\xff").decode()
    except UnicodeDecodeError as error:
        observed(Event.POLICY_FAILED, exception=error)
    try:
        json.loads(f'{{"key": "{CANARY}"')
    except ValueError as error:
        observed(Event.POLICY_FAILED, exception=error)


# --- libraries, for real ---


def test_httpx_does_not_show_it(observed, server):
    headers = {"Authorization": f"Bearer {CANARY}", "Cookie": f"session={CANARY}"}
    with httpx.Client(headers=headers, params={"key": CANARY}) as client:
        answer = client.get(f"{server}/v2/{CANARY}")
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            observed(Event.POLICY_FAILED, exception=error)


def test_httpx_does_not_show_it_when_the_transport_fails(observed):
    def fail(request):
        raise httpx.ConnectError(f"no route with {CANARY}", request=request)

    logging.getLogger("httpx").info("to %s", httpx.URL("http://x/", params={"key": CANARY}))
    with httpx.Client(transport=httpx.MockTransport(fail)) as client:
        try:
            client.post("http://x/", headers={"Authorization": CANARY}, json={"key": CANARY})
        except httpx.ConnectError as error:
            observed(Event.POLICY_FAILED, exception=error)


def test_requests_does_not_show_it(observed, server):
    answer = requests.get(
        f"{server}/{CANARY}?key={CANARY}", headers={"X-Vault-Token": CANARY}, timeout=10
    )
    try:
        answer.raise_for_status()
    except requests.HTTPError as error:
        observed(Event.POLICY_FAILED, exception=error)


def test_hvac_does_not_show_it(observed, server):
    client = hvac.Client(url=server, token=VAULT_TOKEN)
    try:
        client.secrets.kv.v2.create_or_update_secret("apps/ci", secret={"api_key": CANARY})
    except hvac.exceptions.Forbidden as error:
        observed(Event.POLICY_FAILED, error=error, exception=error)
        logging.getLogger("hvac").warning("failed: %s %r", error, error)
    client.adapter.close()


def test_urllib3_does_not_show_it_when_it_tries_again(observed):
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=1))
    try:
        session.get(f"http://127.0.0.1:9/{CANARY}?key={CANARY}", timeout=1)
    except requests.ConnectionError as error:
        observed(Event.POLICY_FAILED, exception=error)
    session.close()


def test_apscheduler_does_not_show_it(observed):
    ran = threading.Event()

    def rotate(key, *, token):
        try:
            raise ValueError(key, token)
        finally:
            ran.set()

    scheduler = BackgroundScheduler()
    scheduler.start()
    scheduler.add_job(rotate, args=[CANARY], kwargs={"token": VAULT_TOKEN}, name=f"job {CANARY}")
    assert ran.wait(10)
    scheduler.shutdown(wait=True)
    observed(Event.DAEMON_STOPPED)


def test_asyncio_does_not_show_it(observed):
    import asyncio  # noqa: PLC0415 - beside its use

    loop = asyncio.new_event_loop()
    loop.set_debug(True)

    async def fail(key):
        raise ValueError(key)

    async def run():
        await asyncio.wait([asyncio.create_task(fail(CANARY), name=CANARY)])

    loop.run_until_complete(run())
    loop.close()
    observed(Event.DAEMON_STOPPED)


def test_a_crash_of_a_thread_does_not_show_it(observed):
    thread = threading.Thread(target=lambda: {}[CANARY], name=CANARY)
    thread.start()
    thread.join()
    observed(Event.DAEMON_STOPPED)

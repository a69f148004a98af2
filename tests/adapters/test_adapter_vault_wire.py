"""The connection to Vault: over a proxy or not, and to no other place."""

import base64
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import urllib3

from rotator.adapters.vault_wire import Connection, Wire


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers))
        body = b"{}"
        self.send_response(307 if self.path.endswith("/moved") else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def listening():
    with HTTPServer(("127.0.0.1", 0), _Answering) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def asked(connection, path="/v1/secret/data/x"):
    wire = Wire(connection)
    try:
        return wire.request("GET", f"{connection.address}{path}", {"X-Vault-Token": "t"}, None)
    finally:
        wire.close()


def test_a_proxy_is_asked_with_the_credentials_of_its_address():
    with listening() as (server, place):
        proxy = f"http://us%40er:pass%3Aword@{place}"
        assert 200 == asked(Connection("http://vault.example:8200", proxy=proxy)).status

    ((path, headers),) = server.asked
    assert "http://vault.example:8200/v1/secret/data/x" == path
    credentials = headers["Proxy-Authorization"].removeprefix("Basic ")
    assert b"us@er:pass:word" == base64.b64decode(credentials)


def test_the_environment_names_no_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with listening() as (server, place):
        assert 200 == asked(Connection(f"http://{place}")).status

    assert ["/v1/secret/data/x"] == [path for path, _ in server.asked]


def test_a_redirection_is_an_answer_and_no_way():
    with listening() as (server, place):
        assert 307 == asked(Connection(f"http://{place}"), "/v1/moved").status

    assert 1 == len(server.asked)


def test_who_speaks_no_tls_is_not_trusted():
    with (
        listening() as (server, place),
        pytest.raises((urllib3.exceptions.SSLError, urllib3.exceptions.ProtocolError)),
    ):
        asked(Connection(f"https://{place}"))

    assert [] == server.asked


def test_what_came_of_a_request_is_told():
    told = []
    with listening() as (_, place):
        asked(Connection(f"http://{place}", called=lambda *facts: told.append(facts[:3])))
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        asked(Connection("http://127.0.0.1:1", called=lambda *facts: told.append(facts[:3])))

    assert [("vault", "read", 200), ("vault", "read", None)] == told

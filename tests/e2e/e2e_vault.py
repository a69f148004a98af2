"""A real Vault on the stage: a proxy in front of it sees, and can cut, every request."""

import asyncio
import itertools
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

_NUMBERS = itertools.count(1)
_HOP = {b"connection", b"host", b"keep-alive", b"transfer-encoding", b"content-length"}


@dataclass(frozen=True)
class RealVault:
    """The ASGI application ``app`` passes requests on; :meth:`ask` is the administrator's way."""

    app: object
    token: str
    mount: str
    _admin: httpx.Client

    def ask(self, method, path, body=None):
        """The answer's body, or None where there is none or nothing was found."""
        answer = self._admin.request(method, f"/v1/{path}", json=body)
        return answer.json() if answer.is_success and answer.content else None


@contextmanager
def behind_proxy(server):
    """The server at ``server.address`` with a KV mount of its own for each block."""
    headers = {"X-Vault-Token": server.token}
    with (
        httpx.Client(base_url=server.address, headers=headers, trust_env=False) as admin,
        httpx.Client(base_url=server.address, trust_env=False, timeout=30) as client,
    ):
        mount = f"kv-{next(_NUMBERS)}"
        wish = {"type": "kv", "options": {"version": "2"}}
        admin.post(f"/v1/sys/mounts/{mount}", json=wish).raise_for_status()
        yield RealVault(_proxy(client), server.token, mount, admin)


def _proxy(client):
    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = await asyncio.to_thread(
            client.request,
            scope["method"],
            scope["raw_path"].decode() + _query(scope),
            content=body,
            headers=[pair for pair in scope["headers"] if pair[0] not in _HOP],
        )
        kept = [pair for pair in answer.headers.raw if pair[0].lower() not in _HOP]
        start = {"type": "http.response.start", "status": answer.status_code, "headers": kept}
        await send(start)
        await send({"type": "http.response.body", "body": answer.content})

    return app


def _query(scope):
    return f"?{scope['query_string'].decode()}" if scope["query_string"] else ""

"""The Vault stand-in as an ASGI application: reads requests, asks the state, writes answers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from rotator.sandbox.server import DROP
from rotator.sandbox.vault_kv import Answer
from rotator.sandbox.vault_state import Request as Question, VaultState

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from rotator.sandbox.vault_faults import Fault
    from rotator.sandbox.vault_kv import Json

_METHODS = ("GET", "HEAD", "LIST", "POST", "PUT", "PATCH", "DELETE")


def live_vault() -> VaultState:
    """A stand-in in real time."""
    return VaultState(clock=lambda: datetime.now(UTC))


def vault_app(state: VaultState) -> ASGIApp:
    """Vault's HTTP API over ``state``, with the faults that its script has."""

    async def endpoint(request: Request) -> Response:
        path = request.path_params["path"]
        fault = state.faults.next(f"{request.method} {path}")
        early = await _before(fault, request)
        if early is not None:
            return early
        answer = _answer(state, await _question(request, path))
        await _after(fault, request)
        return answer

    return Starlette(routes=[Route("/v1/{path:path}", endpoint, methods=list(_METHODS))])


async def _question(request: Request, path: str) -> Question:
    raw = await request.body()
    return Question(
        request.method,
        path.strip("/"),
        json.loads(raw) if raw else {},
        request.query_params,
        token=request.headers.get("X-Vault-Token", ""),
        namespace=request.headers.get("X-Vault-Namespace", ""),
    )


def _answer(state: VaultState, question: Question) -> Response:
    try:
        status, body = state.answer(question)
    except Answer as refusal:
        return _json(refusal.status, refusal.body)
    return Response(status_code=status) if body is None else _json(status, body)


def _json(status: int, body: Json) -> Response:
    return JSONResponse(body, status_code=status)


async def _before(fault: Fault | None, request: Request) -> Response | None:
    """The answer of a fault that keeps the call from being carried out."""
    match fault and fault.kind:
        case "refused_before":
            await request.scope["extensions"][DROP]()
            return Response()
        case "status" if fault:
            answer = _json(fault.status, {"errors": list(fault.errors)})
            answer.headers.update(dict(fault.headers))
            return answer
        case "page" if fault:
            return HTMLResponse("<h1>Not here</h1>", status_code=fault.status)
    return None


async def _after(fault: Fault | None, request: Request) -> None:
    """What a fault does to a call that was carried out."""
    match fault and fault.kind:
        case "lost_after":
            await request.scope["extensions"][DROP]()
        case "slow" if fault:
            await asyncio.sleep(fault.delay.total_seconds())

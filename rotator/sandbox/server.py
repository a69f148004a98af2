"""Puts an ASGI application on a loopback port, and takes it off again."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
#: The name in ``scope["extensions"]`` of a coroutine function that cuts the connection at once,
#: after what was already sent. Real networks do this; ASGI has no word for it.
DROP = "rotator.drop"
#: Seconds that open requests may take to end before they are cancelled.
_PATIENCE = 1


class _Server(uvicorn.Server):
    """Leaves signals alone: they belong to whoever started it."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


class Served:
    """An application on its port, until :meth:`stop`. Made by :func:`serve`."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        host, port = listener.getsockname()
        #: Where it is: ``http://127.0.0.1:<port>``, without a slash at the end.
        self.url = f"http://{host}:{port}"
        self._listener = listener
        # No log at all: the paths are dull and a traceback might show a raw key. No dates: an
        # application with a clock of its own says the time itself.
        config = uvicorn.Config(
            self._with_drop(app),
            http="h11",
            ws="none",
            lifespan="off",
            loop="none",
            access_log=False,
            log_config=None,
            log_level="critical",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        # uvicorn offers nothing to wait for.
        while not (self._server.started or self._task.done()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Close the port and all connections. A second call does nothing."""
        if self._task is not None:
            self._server.should_exit = True
            task, self._task = self._task, None
            await task

    async def until_stopped(self) -> None:
        """Wait for :meth:`stop`; cancelling this stops nothing."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _with_drop(self, app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[DROP] = self._dropper(scope.get("client"))
            await app(scope, receive, send)

        return wrapped

    def _dropper(self, client: object) -> Callable[[], Awaitable[None]]:
        async def drop() -> None:
            for connection in list(self._server.server_state.connections):
                if getattr(connection, "client", None) == client:
                    connection.transport.close()
            # The loop tells the protocol on its next round; only then does it expect no answer.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        return drop


async def serve(app: ASGIApp, port: int = 0) -> Served:
    """Serve ``app`` on loopback, on a free port unless one is named.

    Raises:
        OSError: The port is taken.
    """
    served = Served(app, _listener(port))
    await served.start()
    return served


def _listener(port: int) -> socket.socket:
    # The protocol is named because asyncio sends without delay (TCP_NODELAY) only where it is:
    # otherwise every answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[Served]:
    """As :func:`serve`, for the length of a block."""
    served = await serve(app, port)
    try:
        yield served
    finally:
        await served.stop()


@contextmanager
def serving_in_thread(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """As :func:`serving`, with a loop in a thread of its own, for blocking clients. Yields the URL.

    Raises:
        OSError: The port is taken.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        served = asyncio.run_coroutine_threadsafe(serve(app, port), loop).result()
        try:
            yield served.url
        finally:
            asyncio.run_coroutine_threadsafe(served.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""Serves the site on a port, from a thread of its own.

In a thread, because it is asked whether the daemon's loop still turns, and has to answer when it
does not.

HTTP is h11's, which every installation has, since httpx is built on it. Measured beside it: uvicorn
alone is five times the memory and wakes ten times a second for nothing; with it comes click, and
where click is installed httpx loads its command line with rich and pygments, thirty milliseconds in
each start of each mode. A framework on top would route four paths. What h11 leaves to do is little
here: one request a connection, of a bounded size, within a bounded time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from email.utils import formatdate
from typing import TYPE_CHECKING

import h11

from rotator.errors import ConfigError
from rotator.observe.web.site import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.observe.web.site import Site

#: Connections at a time. The oldest gives way to a new one, so that whoever opens many and asks for
#: nothing keeps neither the kubelet out nor files of its own from the daemon.
_MOST = 32
#: Seconds for a whole connection, and for the other side to hang up once it has its answer.
_PATIENCE, _LINGER = 10.0, 1.0
#: Bytes before a body. No request has one that would be read.
_HEAD = 16 * 1024


@contextlib.contextmanager
def serving(site: Site, host: str, port: int) -> Iterator[int]:
    """Answer at ``host`` and ``port`` until the block ends. Yields the port, for who asked for 0.

    Raises:
        ConfigError: There is nothing to be had there.
    """
    listener = _listener(host, port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="http", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_start(site, listener), loop).result()
    try:
        yield listener.getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(site: Site, listener: socket.socket) -> _Server:
    server = _Server(site)
    server.socket = await asyncio.start_server(server.connected, sock=listener, limit=_HEAD)
    return server


class _Server:
    """Few connections at a time, each for one request."""

    socket: asyncio.Server

    def __init__(self, site: Site) -> None:
        self._site = site
        #: The oldest first.
        self._open: dict[asyncio.Task[None], None] = {}

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Look after a connection."""
        task = asyncio.get_running_loop().create_task(self._within_bounds(reader, writer))
        self._open[task] = None
        task.add_done_callback(self._open.pop)
        # Not at the end of the task: one that is cancelled before its first step has no end.
        task.add_done_callback(lambda _: writer.transport.abort())
        if len(self._open) > _MOST:
            next(iter(self._open)).cancel()

    async def stop(self) -> None:
        """Hang up on everybody, also on those who are being let in just now."""
        for listener in self.socket.sockets:
            asyncio.get_running_loop().remove_reader(listener)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            # Only ours: asyncio's own, cancelled or without their server, leave a connection open.
            for task in self._open:
                task.cancel()
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        self.socket.close()
        await self.socket.wait_closed()
        # A connection tells of its end in the next turn of the loop.
        await asyncio.sleep(0)

    async def _within_bounds(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._exchange(reader, writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        try:
            request = await _request(connection, reader)
            answer = self._site.answer(request)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            answer = Answer(
                status, "text/plain; charset=utf-8", b"this is not HTTP as we know it\n"
            )
            request = Request("GET", "")
        fields = {**answer.fields, "Date": formatdate(usegmt=True), "Connection": "close"}
        writer.write(
            connection.send(h11.Response(status_code=answer.status, headers=list(fields.items())))
        )
        if request.method != "HEAD":
            writer.write(connection.send(h11.Data(data=answer.body)))
        writer.write(connection.send(h11.EndOfMessage()))
        await writer.drain()
        # What was not read would make a reset of the end, and that may overtake the answer.
        writer.write_eof()
        async with asyncio.timeout(_LINGER):
            while await reader.read(_HEAD):
                pass


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request:
    """The one request of a connection.

    Raises:
        EOFError: The other side has hung up.
        h11.RemoteProtocolError: It speaks something else.
    """
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(_HEAD))
    if isinstance(event, h11.Request):
        headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        told = (headers.get(name, "") for name in ("host", "accept", "authorization"))
        return Request(event.method.decode(), event.target.decode().partition("?")[0], *told)
    raise EOFError


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        remedy = "choose another address or port"
        raise ConfigError([f"http.listen: {place}: {error.strerror}; {remedy}"]) from None
    return listener

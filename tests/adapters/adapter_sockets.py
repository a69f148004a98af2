"""Real sockets whose other end a test writes."""

import asyncio
import contextlib


@contextlib.asynccontextmanager
async def accepting(answer, **options):
    """A server that lets ``answer`` have each connection, and leaves none open.

    Yields its host and port. ``options`` are asyncio's.
    """
    tasks = {}

    def accept(reader, writer):
        # Not in a task that asyncio begins: the server may end before that has done anything.
        task = asyncio.get_running_loop().create_task(_quietly(answer(reader, writer)))
        tasks[task] = writer
        task.add_done_callback(lambda _: writer.close())

    server = await asyncio.start_server(accept, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()
        await _turns()  # Whoever is about to be let in has a task then.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in tasks.values():
            writer.transport.abort()
        await _turns()


async def _quietly(answering):
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await answering


async def _turns():
    for _ in range(10):
        await asyncio.sleep(0)

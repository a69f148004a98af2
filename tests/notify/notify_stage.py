"""News to tell, and a server on loopback that takes down what it is told, to the byte."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapter_sockets import accepting

from rotator.notices import News
from rotator.secrets import Secret

AT = datetime(2026, 11, 23, 8, 31, 2, tzinfo=UTC)
FACTS = {
    "rotation_id": "9f4c2a7be1d05836",
    "reason": "key_near_expiry",
    "strategy": "reissue",
    "key_id": "QXBpS2V5OjEwMDI=",
    "redacted_key": "ak-def...uvw",
    "expires_at": "2027-02-21T08:31:02Z",
    "old_key_id": "QXBpS2V5OjEwMDE=",
    "old_redacted_key": "ak-abc...xyz",
    "old_valid_until": None,
    "targets": ("apps/ci/arize#api_key", "ci#key"),
}
NEWS = News(
    id="9f4c2a7be1d05836:deployer",
    type="rotator.rotation.completed",
    policy="ci-pipeline",
    subject="QXBpS2V5OjEwMDI=",
    at=AT,
    facts=FACTS,
)


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict
    body: bytes


@dataclass
class Server:
    """Answers what ``answers`` has next, or 204 (None: nothing); ``requests`` is what came."""

    url: str = ""
    requests: list = field(default_factory=list)
    answers: list = field(default_factory=list)

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        line, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = dict(map(_split, fields))
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(line, headers, body))
        answer = self.answers.pop(0) if self.answers else "204 No Content\r\n"
        if answer is None:
            await reader.read()
        elif callable(answer):
            await answer(writer)
        else:
            writer.write(f"HTTP/1.1 {answer}\r\n".encode())
            await writer.drain()


def _split(line):
    name, _, value = line.partition(": ")
    return name.lower(), value


@asynccontextmanager
async def listening(*answers, **options):
    server = Server(answers=list(answers))
    async with accepting(server.serve, **options) as (host, port):
        server.url = f"{'https' if options else 'http'}://{host}:{port}"
        yield server


def reading(text):
    """A source of a secret."""

    async def read():
        return Secret(text)

    return read

"""Connections that hold on to what others need: asked of uvicorn itself, with the protocol that limits them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app import connections
from app.connections import Connection, Told
from app.proxies import networks

ASK = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


@asynccontextmanager
async def serving(of_one: int, trusted: str = "") -> AsyncIterator[int]:
    """A server whose connections are limited; its port."""
    protocol = Connection.limit(of_one, networks(trusted), Told())
    config = uvicorn.Config(hello, port=0, http=protocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def is_served(port: int) -> bool:
    """Does somebody who comes now get an answer?"""
    reader, writer = await connect(port)
    try:
        writer.write(ASK)
        told = await asyncio.wait_for(reader.readuntil(b"hello"), 30)
        return told.startswith(b"HTTP/1.1 200")
    except (OSError, asyncio.IncompleteReadError):
        return False
    finally:
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: te", ASK + b"GET / HTT"])
async def test_a_request_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN", 0.1)
    async with serving(10) as port:
        reader, writer = await connect(port)
        writer.write(sent)
        told = await asyncio.wait_for(reader.read(), 30)  # to its end
        assert told.count(b"hello") == sent.count(ASK)
        await close(writer)
        assert Connection.places.taken("127.0.0.1") == 0


async def test_headers_without_end_are_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(10) as port:
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n")
        with contextlib.suppress(OSError):  # reset, or a broken pipe
            for _ in range(1000):
                writer.write(b"X-More: " + b"x" * 8000 + b"\r\n")
                await writer.drain()
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        await close(writer)
        assert "headers without end" in caplog.text


async def test_one_address_has_so_many_connections(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(10) as port:
        held = [await connect(port) for _ in range(10)]
        assert not await is_served(port)
        assert not await is_served(port)
        assert caplog.text.count("having too many") == 1
        for _, writer in held:
            await close(writer)
        for _ in range(300):
            if Connection.places.taken("127.0.0.1") == 0:
                break
            await asyncio.sleep(0.1)
        assert await is_served(port)


async def test_a_proxy_that_is_trusted_may_have_any_number() -> None:
    async with serving(10, trusted="127.0.0.0/8") as port:
        held = [await connect(port) for _ in range(30)]
        assert await is_served(port)
        for _, writer in held:
            await close(writer)

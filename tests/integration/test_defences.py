"""Attacks on a really served process: what a stranger sends is refused, written down once, and holds up nobody else."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import httpx
import pytest

from tests.served import EMAIL, PASSWORD, Served

WEBSOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
ANOTHER_ADDRESS = "127.0.0.2"  # of loopback, too


@pytest.fixture(scope="module")
def person(served: Served) -> Iterator[httpx.Client]:
    """Somebody who is signed in."""
    with served.client() as client:
        assert client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}).status_code == 303
        yield client


def page_id(person: httpx.Client) -> str:
    """The id that NiceGUI gives to a page that was opened."""
    found = re.search(r"'client_id': '([0-9a-f-]{36})'", person.get("/").text)
    assert found
    return found.group(1)


def address(page: str) -> str:
    """Where the page's own script connects to."""
    handshake = {"client_id": page, "next_message_id": 0, "implicit_handshake": "true"}
    return f"{WEBSOCKET}&{urlencode({**handshake, 'tab_id': 'a', 'document_id': 'b', 'old_tab_id': 'a'})}"


@asynccontextmanager
async def socket_of(served: Served, path: str, cookie: str = "") -> AsyncIterator[Any]:
    """A websocket on which Socket.IO was greeted; `first` is how it answered."""
    headers = {"Origin": served.url} | ({"Cookie": f"storefleet={cookie}"} if cookie else {})
    async with aiohttp.ClientSession(served.url) as session, session.ws_connect(path, headers=headers) as opened:
        assert '"pingInterval"' in await opened.receive_str(timeout=30)
        await opened.send_str("40")
        opened.first = await opened.receive_str(timeout=30)
        yield opened


async def test_websockets_come_from_our_own_pages_only(served: Served) -> None:
    """Both our own check and NiceGUI's, which is switched on by a name that is not promised to stay."""
    foreign = {"Origin": "https://evil.example"}
    async with aiohttp.ClientSession(served.url) as session:
        for headers in (foreign, {"Origin": served.url, "Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(WEBSOCKET, headers=headers)
            assert refusal.value.status == 403
    with served.client() as client:
        polling = WEBSOCKET.replace("transport=websocket", "transport=polling")
        for headers in (foreign, {"Origin": served.url}, {}):
            assert client.get(polling, headers=headers).status_code == 400


async def test_a_websocket_speaks_for_its_own_sessions_pages_alone(served: Served, person: httpx.Client) -> None:
    page, ours = page_id(person), person.cookies["storefleet"]
    for stolen, cookie in ((page, ""), (page, "forged"), ("00000000-0000-0000-0000-000000000000", ours)):
        async with socket_of(served, address(stolen), cookie) as attacker:
            assert "Implicit handshake failed" in attacker.first
    async with socket_of(served, WEBSOCKET, ours) as attacker:  # which names no page at all
        assert "Implicit handshake failed" in attacker.first
    async with socket_of(served, address(page), ours) as rightful:
        assert rightful.first.startswith('40{"sid"')


async def test_what_a_page_sends_wrongly_is_no_news(served: Served, person: httpx.Client) -> None:
    page, other = page_id(person), page_id(person)
    before = served.log.read_text()
    async with socket_of(served, address(page), person.cookies["storefleet"]) as opened:
        for event in ("event", "javascript_response", "ack", "handshake", "log", "connect", "nothing"):
            wrong: list[Any] = [None, 7, [], {}, {"client_id": other, "id": 1}, {"client_id": page}]
            for message in (*wrong, {"client_id": page, "id": 4, "listener_id": "x", "args": ["{"], "level": "x"}):
                await opened.send_str("42" + json.dumps([event, message]))
        await opened.send_str("421" + json.dumps(["handshake", {"client_id": other, "tab_id": "a"}]))
        answers = [await opened.receive_str(timeout=30)]
        while not answers[-1].startswith("431"):  # the answer to the last one
            answers.append(await opened.receive_str(timeout=30))
        assert answers[-1] == "431[false]"
    garbage = ("42", "42{", '42["event",', "42[]", '42["event"]', "43", "45", "x", "4", '451-["event",{}]', "40/x")
    for each in (*garbage, "42" + "[" * 50_000, "x" * 100_000):
        async with socket_of(served, address(page), person.cookies["storefleet"]) as opened:
            await opened.send_str(each)
            await opened.send_str("2")  # whoever is still heard gets an answer
            await opened.receive(timeout=30)
    news = served.log.read_text()[len(before) :]
    assert "Traceback" not in news
    assert other not in news
    assert len(news.splitlines()) < 10


def answer_to(served: Served, request: bytes, more: bytes = b"") -> bytes:
    """What comes back, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(request)
        try:
            for _ in range(160):
                connection.sendall(more)
        except OSError:
            pass  # it has been cut off, which is the point
        told = b""
        try:
            while part := connection.recv(65536):
                told += part
        except ConnectionResetError:
            pass
        return told


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/stores", "/", "/nowhere", WEBSOCKET])
def test_ten_megabytes_are_not_read(served: Served, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485760\r\n\r\n".encode()
    told = answer_to(served, head)  # not a byte of them is sent
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"larger than 64 KiB" in told


def test_ten_megabytes_in_pieces_are_cut_off(served: Served) -> None:
    head = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    told = answer_to(served, head, b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert told == b"" or told.startswith(b"HTTP/1.1 413 ")  # it may be lost in what was still being sent


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: <script>alert(1)</script>\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
def test_requests_that_two_servers_could_read_differently(served: Served, head: bytes) -> None:
    assert answer_to(served, head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)).startswith(b"HTTP/1.1 400 ")


def test_nothing_of_a_request_comes_back_as_a_header(served: Served, person: httpx.Client) -> None:
    for path in ("/?a=%0d%0aSet-Cookie:%20x=y", "/stores/a%0d%0aSet-Cookie:%20x=y", "/%0d%0aSet-Cookie:%20x=y/"):
        with served.client() as visitor:
            for answer in (visitor.get(path), person.get(path)):
                assert "set-cookie" not in answer.headers
                assert "\n" not in answer.headers.get("location", "")


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example/", "///evil.example/..", "/sign-in/", "/%2fevil.example/"]
)
def test_no_address_of_ours_leads_elsewhere(served: Served, path: str) -> None:
    told = answer_to(
        served,
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example\r\n"
        "X-Forwarded-Prefix: //evil.example\r\nForwarded: host=evil.example\r\nConnection: close\r\n\r\n".encode(),
    )
    location = re.search(rb"(?mi)^location: (\S*)", told)
    assert location is None or re.match(rb"/(sign-in|[^/\\])|http://localhost/", location.group(1)), location


def test_a_prefix_that_a_stranger_names_is_in_no_page(served: Served, person: httpx.Client) -> None:
    headers = {"X-Forwarded-Prefix": "//evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "x"}
    assert "evil.example" not in person.get("/", headers=headers).text
    with served.client() as visitor:
        answer = visitor.get("/", headers=headers)
        assert answer.headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "cookie",
    [
        "storefleet=forged",
        "storefleet=",
        "storefleet=\x80\xff",
        "session=eyJpZCI6ICJ4In0=.x.y; id=1",
        "a=b; " * 500 + "c=d",
    ],
)
def test_a_cookie_that_is_not_ours_is_nobody(served: Served, cookie: str) -> None:
    with served.client() as visitor:
        answer = visitor.get("/", headers={"Cookie": cookie.encode("latin-1")})
        assert answer.headers["location"] == "/sign-in"
        assert "set-cookie" not in answer.headers  # NiceGUI's own storage, which would set one, is not in use
        assert visitor.get("/api/v1/me", headers={"Cookie": cookie.encode("latin-1")}).status_code == 401


async def until_there_is_room(url: str) -> None:
    """Who leaves makes room, once the server has seen it."""
    async with asyncio.timeout(30), aiohttp.ClientSession(url) as session:
        while True:
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                await (await session.ws_connect(WEBSOCKET)).close()
                return
            await asyncio.sleep(0.1)


async def test_a_thousand_websockets_from_one_address(served: Served) -> None:
    before = served.log.read_text()
    limit = aiohttp.TCPConnector(limit=0, force_close=True)  # none waits on a connection that a refusal has ended
    async with aiohttp.ClientSession(served.url, connector=limit) as session:
        held = []

        async def attack() -> int:
            try:
                held.append(await session.ws_connect(WEBSOCKET))
                return 101
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status
            except aiohttp.ClientError:
                return 0

        answers = [await asyncio.gather(*(attack() for _ in range(50))) for _ in range(20)]
        opened = sum(each.count(101) for each in answers)
        assert opened <= 250
        assert sum(each.count(403) for each in answers) == 1000 - opened
        elsewhere = httpx.AsyncHTTPTransport(local_address=ANOTHER_ADDRESS)
        async with httpx.AsyncClient(base_url=served.url, transport=elsewhere) as another:
            for _ in range(20):
                assert (await another.get("/sign-in")).status_code == 200
    await until_there_is_room(served.url)
    news = served.log.read_text()[len(before) :].splitlines()
    assert len([line for line in news if "too many open" in line]) == 1
    assert "Traceback" not in str(news)


async def test_a_websocket_comes_through_a_proxy_that_names_its_scheme(served: Served) -> None:
    """Traefik says `X-Forwarded-Proto: ws` of a websocket, whose Origin is http."""
    address = f"{served.url}/_nicegui_ws/socket.io/?EIO=4&transport=websocket&client_id=x"
    headers = {"Origin": served.url, "X-Forwarded-Proto": "ws"}
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(address, headers=headers) as websocket:
            assert (await websocket.receive_str()).startswith("0")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address, headers={**headers, "Origin": "https://evil.example"})

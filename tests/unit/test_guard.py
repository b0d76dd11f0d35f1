"""Requests that another site made a browser send, that name another host, or that are too much, change nothing."""

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack

import pytest
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.types import Message, Receive, Scope, Send

from app import guard
from app.connections import Places
from app.guard import LARGEST_BODY, Guard
from app.pages import missing
from app.proxies import networks


async def pass_through(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})
    else:
        await send({"type": "websocket.accept"})


async def ask(url: str = "", *, type: str = "http", method: str = "POST", **headers: str) -> list[Message]:
    raw = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "shop.test", **headers}.items()
    ]
    return await put(Guard(pass_through, url), raw, type=type, method=method)


async def put(
    to: Guard,
    headers: Sequence[tuple[bytes, bytes]],
    body: Iterable[Message] = (),
    *,
    type: str = "http",
    method: str = "POST",
    path: str = "/x",
    peer: str = "203.0.113.9",
) -> list[Message]:
    """What the guard and the application behind it answer."""
    sent: list[Message] = []
    coming = list(body)
    if not any(name in (b"content-length", b"transfer-encoding") for name, _ in headers):
        coming.append(part(b"", more=False))

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        if type == "websocket":
            return {"type": "websocket.connect"}
        return coming.pop(0) if coming else await asyncio.Event().wait()  # type: ignore[func-returns-value]

    scope = {"type": type, "method": method, "path": path, "headers": list(headers), "client": (peer, 1)}
    await to(scope, receive, send)
    return sent


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def detail(sent: list[Message]) -> str:
    return str(json.loads(sent[1]["body"])["detail"])


OURS: list[dict[str, str]] = [
    {},
    {"origin": "http://shop.test"},
    {"origin": "https://SHOP.test"},
    {"sec_fetch_site": "same-origin", "origin": "http://elsewhere.test"},  # a proxy that changes Host
    {"sec_fetch_site": "none"},
]
OTHERS: list[dict[str, str]] = [
    {"origin": "http://evil.test"},
    {"origin": "http://shop.test.evil.test"},
    {"origin": "http://shop.test:81"},
    {"origin": "null"},
    {"origin": "file://shop.test"},
    {"origin": ""},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site", "origin": "http://shop.test"},
    {"sec_fetch_site": "none", "origin": "http://evil.test"},
]


@pytest.mark.parametrize("headers", OURS)
async def test_our_own_pages_and_programs_may_change_things(headers: dict[str, str]) -> None:
    assert (await ask(**headers))[0]["status"] == 200
    assert (await ask(type="websocket", **headers))[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("headers", OTHERS)
async def test_other_sites_may_not(headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    assert (await ask(**headers))[0]["status"] == 403
    assert (await ask(method="DELETE", **headers))[0]["status"] == 403
    assert (await ask(type="websocket", **headers))[0]["type"] == "websocket.close"
    assert len(caplog.records) == 3


@pytest.mark.parametrize("headers", OTHERS)
async def test_links_from_elsewhere_still_lead_here(headers: dict[str, str]) -> None:
    assert (await ask(method="GET", **headers))[0]["status"] == 200


async def test_the_address_that_a_setting_names_is_ours_too() -> None:
    origin = "https://storefleet.example.com"
    assert (await ask(origin=origin))[0]["status"] == 403
    assert (await ask(origin, origin=origin, host="localhost:8080"))[0]["status"] == 200


async def test_tls_is_for_good() -> None:
    for url, there in (("https://storefleet.example.com", True), ("http://storefleet.example.com", False)):
        names = [name for name, _ in (await ask(url, method="GET"))[0]["headers"]]
        assert (b"strict-transport-security" in names) is there


HOST = (b"host", b"shop.test")


async def test_who_asks_again_and_again_is_written_down_once(caplog: pytest.LogCaptureFixture) -> None:
    one = Guard(pass_through)
    for _ in range(50):
        await put(one, [HOST, (b"origin", b"http://evil.test\nfalse line")])
    assert len(caplog.records) == 1
    assert "evil.test" in caplog.text
    assert "\nfalse line" not in caplog.text
    await put(one, [HOST, (b"origin", b"http://evil.test")], peer="203.0.113.10")
    assert len(caplog.records) == 2


OURS_BY_SETTING = "https://storefleet.example.com"


@pytest.mark.parametrize("host", ["storefleet.example.com", "Storefleet.Example.com:443", "localhost:8080", "[::1]"])
async def test_the_host_that_a_setting_names_and_this_machine_are_ours(host: str) -> None:
    assert (await ask(OURS_BY_SETTING, method="GET", host=host))[0]["status"] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.test", "storefleet.example.com.evil.test", "storefleet.example.com:8080", "10.0.0.7", "localhost.evil"],
)
async def test_another_host_is_refused_in_a_sentence(host: str) -> None:
    answer = await ask(OURS_BY_SETTING, method="GET", host=host)
    assert answer[0]["status"] == 421
    assert "STOREFLEET_URL" in detail(answer)
    assert (await ask(OURS_BY_SETTING, type="websocket", host=host))[0]["type"] == "websocket.close"
    assert (await ask(method="GET", host=host))[0]["status"] == 200  # where no setting says what ours is


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a@b", "<script>", "a:b", "a:123456", "a,b", "[::1", "a\r\nx: y"])
async def test_a_host_that_is_none_is_refused_whatever_is_set(host: str) -> None:
    for url in ("", OURS_BY_SETTING):
        assert (await ask(url, method="GET", host=host))[0]["status"] == 400


@pytest.mark.parametrize("hosts", [[], [HOST, HOST], [HOST, (b"host", b"evil.test")]])
async def test_there_is_one_host(hosts: list[tuple[bytes, bytes]]) -> None:
    assert (await put(Guard(pass_through), hosts, method="GET"))[0]["status"] == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_ask_by_the_address_of_a_pod(path: str) -> None:
    one = Guard(pass_through, OURS_BY_SETTING)
    for hosts in ([], [(b"host", b"10.42.0.7:8080")]):
        assert (await put(one, hosts, method="GET", path=path))[0]["status"] == 200


async def test_a_body_comes_to_the_application_as_it_was_sent() -> None:
    parts = [part(b"a" * 1000), part(b""), part(b"b" * 1000, more=False)]
    answer = await put(Guard(pass_through), [HOST, (b"content-length", b"2000")], parts)
    assert answer[1]["body"] == b"a" * 1000 + b"b" * 1000


@pytest.mark.parametrize("length", ["10485760", "65537", "9" * 30])
async def test_a_body_that_says_it_is_too_large_is_not_read(length: str) -> None:
    answer = await put(Guard(pass_through), [HOST, (b"content-length", length.encode())])  # which sends nothing
    assert answer[0]["status"] == 413
    assert (b"connection", b"close") in answer[0]["headers"]
    assert detail(answer) == "The body is larger than 64 KiB."


async def test_a_body_that_does_not_say_so_is_cut_off_as_soon_as_it_is() -> None:
    parts = [part(b"x" * 1024) for _ in range(2 * LARGEST_BODY // 1024)]
    answer = await put(Guard(pass_through), [HOST, (b"transfer-encoding", b"chunked")], parts)
    assert answer[0]["status"] == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "²", "1,1"])
async def test_a_length_that_is_none(length: str) -> None:
    assert (await put(Guard(pass_through), [HOST, (b"content-length", length.encode("latin-1"))]))[0]["status"] == 400


async def test_a_body_that_does_not_come_or_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_WITHIN", 0.05)
    announced = [HOST, (b"content-length", b"10")]
    assert (await put(Guard(pass_through), announced, [part(b"x")]))[0]["status"] == 408
    gone = await put(Guard(pass_through), announced, [part(b"x"), {"type": "http.disconnect"}])
    assert gone[0]["status"] == 400


async def test_one_address_has_so_many_places_and_the_others_have_theirs(caplog: pytest.LogCaptureFixture) -> None:
    served = asyncio.Event()

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await served.wait()

    one = Guard(page, places=Places(250), trusted=networks("10.0.0.0/8"))
    async with AsyncExitStack() as ending:
        open_ = [asyncio.create_task(put(one, [HOST], type="websocket", peer="2001:db8::1")) for _ in range(250)]
        ending.callback(served.set)
        await asyncio.sleep(0)
        flood = [await put(one, [HOST], type="websocket", peer=f"2001:db8::{number:x}") for number in range(1, 751)]
        assert {answer[0]["type"] for answer in flood} == {"websocket.close"}
        refused = await put(one, [HOST], method="GET", peer="2001:db8::2")  # of the same /64
        assert refused[0]["status"] == 429
        assert (b"retry-after", b"10") in refused[0]["headers"]
        assert len(caplog.records) == 1
        through_a_proxy = [HOST, (b"x-forwarded-for", b"2001:db8::3")]
        assert (await put(one, through_a_proxy, method="GET", peer="10.1.1.1"))[0]["status"] == 429
        others = [("203.0.113.9", []), ("2001:db8:0:1::1", []), ("10.1.1.1", [(b"x-forwarded-for", b"203.0.113.9")])]
        for peer, more in others:
            task = asyncio.create_task(put(one, [HOST, *more], type="websocket", peer=peer))
            open_.append(task)
            await asyncio.sleep(0)
            assert not task.done()
    answers = await asyncio.gather(*open_)
    assert all(answer[0]["type"] == "websocket.accept" for answer in answers)
    served.clear()
    again = asyncio.create_task(put(one, [HOST], type="websocket", peer="2001:db8::1"))  # what has ended is free
    await asyncio.sleep(0)
    assert not again.done()
    served.set()
    await again


async def test_the_prefix_that_a_stranger_names_does_not_reach_nicegui() -> None:
    seen: list[Scope] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await pass_through(scope, receive, send)

    await put(Guard(look), [HOST, (b"X-Forwarded-Prefix", b"//evil.test")], method="GET")
    assert [name for name, _ in seen[0]["headers"]] == [b"host"]


async def test_a_person_reads_a_sentence_and_a_program_a_problem() -> None:
    person = await ask(OURS_BY_SETTING, method="GET", host="evil.test", accept="text/html,*/*")
    assert dict(person[0]["headers"])[b"content-type"].startswith(b"text/plain")
    assert person[1]["body"].startswith(b"Storefleet is not served under this name.")
    program = await ask(OURS_BY_SETTING, method="GET", host="evil.test")
    assert dict(program[0]["headers"])[b"content-type"] == b"application/problem+json"


async def test_every_answer_has_a_nonce_of_its_own_and_only_live_pages_are_told() -> None:
    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"x-nicegui-content", b"page")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": scope["state"]["nonce"].encode()})

    nonces = set()
    for _ in range(2):
        answer = await put(Guard(live), [HOST], method="GET")
        policy = dict(answer[0]["headers"])[b"content-security-policy"].decode()
        nonce = answer[1]["body"].decode()
        assert f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval';" in policy
        assert "script-src-attr 'none'" in policy
        nonces.add(nonce)
    assert len(nonces) == 2
    plain = dict((await ask(method="GET"))[0]["headers"])[b"content-security-policy"].decode()
    assert "script-src 'self';" in plain
    for each in (policy, plain):
        assert "frame-ancestors 'none'" in each
        assert "form-action 'self'" in each
        assert "base-uri 'none'" in each
        assert "http" not in each


async def test_an_answer_that_is_broken_off_is_no_failure_of_ours(caplog):
    """Behind a middleware of Starlette's, as NiceGUI has them: the server ends, and what was to answer is cancelled."""
    app = FastAPI()
    missing.register(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))

    async def cut_off(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    app.mount("/x", cut_off)
    answers = await put(Guard(app), [(b"host", b"shop.test")], method="GET", path="/x/")
    assert answers[0]["status"] == 503
    assert [(record.levelno, record.exc_info) for record in caplog.records] == [(logging.WARNING, None)]

"""Requests that a browser was made to send by another site change nothing."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.guard import Guard


async def pass_through(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
    else:
        await send({"type": "websocket.accept"})


async def ask(url: str = "", *, type: str = "http", method: str = "POST", **headers: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    raw = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "shop.test", **headers}.items()
    ]
    await Guard(pass_through, url)({"type": type, "method": method, "path": "/x", "headers": raw}, receive, send)
    return sent


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
    assert (await ask(origin, origin=origin))[0]["status"] == 200


async def test_tls_is_for_good() -> None:
    for url, there in (("https://storefleet.example.com", True), ("http://storefleet.example.com", False)):
        names = [name for name, _ in (await ask(url, method="GET"))[0]["headers"]]
        assert (b"strict-transport-security" in names) is there

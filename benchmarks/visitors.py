"""Many open pages without a browser: each gets the page and then speaks socket.io as NiceGUI's page does.

Run as a process of its own (so that its CPU is not the server's): URL, how many, and cookies, one a visitor in turn.
It says "ready" when all are connected; on each line that it reads it prints what was seen since: {number: [times]}.
"""

import ast
import asyncio
import json
import re
import sys
import time
import uuid
from collections import defaultdict
from urllib.parse import unquote

import httpx
import socketio

SEEN = re.compile(r"change-(\d+)-")  # the text that a change writes, see pages.py
ACKNOWLEDGE = 3.0  # seconds, as the page does


class Visitor:
    """One open page."""

    def __init__(self, url: str, cookie: str, seen: dict[int, list[float]]) -> None:
        self._url, self._cookie, self._seen = url, cookie, seen
        self._socket = socketio.AsyncClient(reconnection=False)
        self._next, self._known = 0, set[int]()
        self._socket.on("*", self._take)

    async def open(self, http: httpx.AsyncClient) -> None:
        page = (await http.get(self._url + "/", headers={"Cookie": self._cookie})).raise_for_status().text
        query = ast.literal_eval(re.search(r"query: (\{.*?\}),\n", page)[1])  # type: ignore[index]
        query |= {"document_id": str(uuid.uuid4()), "tab_id": str(uuid.uuid4())}
        self._client, self._next = query["client_id"], query["next_message_id"]
        asked = "&".join(f"{key}={str(value).lower()}" for key, value in query.items())
        await self._socket.connect(
            f"{self._url}?{asked}",
            headers={"Cookie": self._cookie, "Origin": self._url},
            transports=["websocket"],
            socketio_path="/_nicegui_ws/socket.io",
        )

    async def acknowledge(self) -> None:
        await self._socket.emit("ack", {"client_id": self._client, "next_message_id": self._next})

    async def _take(self, kind: str, message: dict[str, object]) -> None:
        self._next = int(str(message.get("_id", self._next - 1))) + 1
        at = time.time()
        for number in {int(found) for found in SEEN.findall(str(message.get("code", "")))} - self._known:
            self._known.add(number)
            self._seen[number].append(at)


async def main(url: str, count: int, cookies: list[str]) -> None:
    seen: dict[int, list[float]] = defaultdict(list)
    visitors = [Visitor(url, cookies[number % len(cookies)], seen) for number in range(count)]
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for visitor in visitors:
            await visitor.open(http)
    print("ready", flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    asked = asyncio.create_task(lines.readline())
    while True:
        done, _ = await asyncio.wait({asked}, timeout=ACKNOWLEDGE)
        if done:
            if not asked.result():
                return
            print(json.dumps(seen), flush=True)
            seen.clear()
            asked = asyncio.create_task(lines.readline())
        for visitor in visitors:
            await visitor.acknowledge()


if __name__ == "__main__":
    asyncio.run(main(unquote(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))

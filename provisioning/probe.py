"""Asks a shop, the way a visitor reaches it, whether it is there."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx


@dataclass(frozen=True)
class Answer:
    """What came back: `ready`, or why not, as words."""

    ready: bool
    detail: str


class Probe:
    """Asks `/ready` through the ingress."""

    def __init__(self, ingress_url: str | None = None) -> None:
        """`ingress_url`: where the ingress is reached when the stores' names do not lead there."""
        self._ingress_url = ingress_url
        # Redirects are not followed: a shop could otherwise send us anywhere.
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(5, connect=2), follow_redirects=False, trust_env=False)

    async def ask(self, url: str) -> Answer:
        """Whether the shop at `url` says that it is ready."""
        host = urlsplit(url).netloc
        base = (self._ingress_url or url).rstrip("/")
        try:
            async with self._client.stream("GET", f"{base}/ready", headers={"Host": host}) as response:
                status = response.status_code
        except httpx.HTTPError as error:
            return Answer(False, f"{base} does not answer: {error or type(error).__name__}")
        if status == 200:
            return Answer(True, "ready")
        return Answer(False, f"the ingress answers {status} for {host}")

    async def close(self) -> None:
        await self._client.aclose()

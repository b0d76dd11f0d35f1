"""Asks a shop, the way a visitor reaches it, whether it is there."""

import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import httpx

from provisioning.authorities import trusted


class Problem(StrEnum):
    """Where on the way to the shop it ended."""

    NAME = "the host name does not resolve"
    TLS = "HTTPS does not come about"
    SILENCE = "nothing answers"
    STATUS = "another answer than 200"


@dataclass(frozen=True)
class Answer:
    """What came back: nothing that is a problem, or which, in words, and the HTTP status if there was one."""

    problem: Problem | None = None
    detail: str = "ready"
    status: int | None = None

    @property
    def ready(self) -> bool:
        return self.problem is None


class Probe:
    """Asks `/ready` through the ingress."""

    def __init__(self, ingress_url: str | None = None) -> None:
        """`ingress_url`: where the ingress is reached when the stores' names do not lead there."""
        self._ingress_url = ingress_url
        # Redirects are not followed: a shop could otherwise send us anywhere.
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(5, connect=2), follow_redirects=False, trust_env=False, verify=trusted()
        )

    async def ask(self, url: str) -> Answer:
        """Whether the shop at `url` says that it is ready."""
        address = urlsplit(url)
        host, base = address.netloc, (self._ingress_url or url).rstrip("/")
        named = {"sni_hostname": address.hostname}  # wherever the ingress is reached: it is the shop's certificate
        try:
            asked = self._client.stream("GET", f"{base}/ready", headers={"Host": host}, extensions=named)
            async with asked as response:
                status = response.status_code
        except httpx.HTTPError as error:
            problem, words = _of(error)
            return Answer(problem, f"{base} does not answer: {words}")
        if status == 200:
            return Answer()
        return Answer(Problem.STATUS, f"GET {base}/ready for the host {host} answers {status}", status)

    async def close(self) -> None:
        await self._client.aclose()


def _of(error: httpx.HTTPError) -> tuple[Problem, str]:
    """The problem behind an error of the client, which hides the system's own behind others."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return Problem.NAME, str(cause)
        if isinstance(cause, ssl.SSLError):
            return Problem.TLS, str(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException):
        return Problem.SILENCE, "no answer in time"
    return Problem.SILENCE, str(error) or type(error).__name__

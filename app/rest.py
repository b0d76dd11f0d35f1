"""How commands ask a serving Storefleet, and how they print: through the REST API, like any other program."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.command_error import CommandError

if TYPE_CHECKING:
    import httpx

HELP = "STOREFLEET_URL says where to ask (default: http://localhost:8080), STOREFLEET_TOKEN who asks."


def local_time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """What the cluster says may hold anything; a terminal must not be told what to do by it."""
    return "".join(each if each.isprintable() else " " for each in text)


def table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(plain(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def connect() -> "httpx.Client":
    import httpx

    token = os.environ.get("STOREFLEET_TOKEN", "")
    if not token:
        raise CommandError("STOREFLEET_TOKEN is not set; make a token with: storefleet token create --user EMAIL", 2)
    base = os.environ.get("STOREFLEET_URL", "http://localhost:8080").rstrip("/")
    return httpx.Client(base_url=f"{base}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def ask(api: "httpx.Client", method: str, path: str, *, absent_is_fine: bool = False, **arguments: Any) -> Any:
    """The answer's JSON; a refusal ends the command with its sentence."""
    import httpx

    try:
        answer = api.request(method, path, **arguments)
        content = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CommandError(f"no answer from {api.base_url}: {error or type(error).__name__}") from error
    if answer.is_success:
        return content
    if answer.status_code == 404 and absent_is_fine:
        return None
    raise _refused(answer)


def lines(api: "httpx.Client", path: str, query: dict[str, Any]) -> Iterator[str]:
    """A text, line by line as it comes, however long that takes; a refusal ends the command with its sentence."""
    import httpx

    try:
        with api.stream("GET", path, params=query, timeout=httpx.Timeout(30, read=None)) as answer:
            if not answer.is_success:
                answer.read()
                raise _refused(answer)
            yield from answer.iter_lines()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandError(f"no answer from {api.base_url}: {error or type(error).__name__}") from error


def _refused(answer: "httpx.Response") -> CommandError:
    try:
        said = answer.json().get("detail", answer.reason_phrase)
    except (ValueError, AttributeError):
        said = answer.reason_phrase
    return CommandError(plain(str(said)))

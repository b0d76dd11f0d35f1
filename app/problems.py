"""What went wrong with a request, in words for whoever made it: one class for the API, the pages and the commands.

The API answers it as RFC 9457 `application/problem+json`; a page or a command shows `detail`.  The text is for people:
one sentence that says what to change, without internals and without echoing what was sent.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response


class Problem(Exception):
    """A refusal.  `retry_after` (seconds) where waiting helps; `extra` becomes further members of the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str = "",
        type: str = "about:blank",
        retry_after: int | None = None,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.type = status, detail, type
        self.title = title or HTTPStatus(status).phrase
        self.retry_after, self.extra, self.headers = retry_after, dict(extra or {}), dict(headers or {})

    def as_dict(self) -> dict[str, Any]:
        return {"type": self.type, "title": self.title, "status": self.status, "detail": self.detail, **self.extra}

    def response(self) -> Response:
        """The problem as an HTTP answer."""
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        # ASCII by escapes: what came in as half a character must not keep the answer from being encoded.
        body = json.dumps(self.as_dict())
        return Response(body, self.status, headers, media_type="application/problem+json")


def not_found() -> Problem:
    """The same for what is not there and for what belongs to somebody else, so that nobody can tell them apart."""
    return Problem(404, "There is no store of that name among yours.")

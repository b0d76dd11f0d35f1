"""Every refusal of the API as RFC 9457 problem+json, and every surprise as one that says nothing but its number."""

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem

log = logging.getLogger(__name__)

_NOT_JSON = "The body has to be JSON, sent with “Content-Type: application/json”."
_SENTENCES = {
    400: _NOT_JSON,
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}


def install(api: FastAPI) -> None:
    """Make `api` answer every error as a problem."""
    api.exception_handler(Problem)(_problem)
    api.exception_handler(HTTPException)(_http)
    api.exception_handler(RequestValidationError)(_invalid)
    api.exception_handler(OperationalError)(_no_database)
    api.exception_handler(InterfaceError)(_no_database)
    api.add_middleware(Surprises)


async def _problem(request: Request, problem: Problem) -> Response:
    return problem.response()


async def _http(request: Request, error: HTTPException) -> Response:
    detail = _SENTENCES.get(error.status_code, str(error.detail))
    return Problem(error.status_code, detail, headers=error.headers).response()


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = error.errors()
    # What is wrong with the body as a whole: it is absent, not JSON, or not said to be JSON.
    if any(each["type"] == "json_invalid" or (each["loc"] == ("body",) and _no_json(each)) for each in errors):
        return Problem(400, _NOT_JSON).response()
    told = [{"field": _field(each["loc"]), "detail": f"{each['msg']}."} for each in errors]
    sentence = " ".join(f"{each['field'] or 'The body'}: {each['detail']}" for each in told[:3])
    return Problem(422, sentence, extra={"errors": told[:20]}).response()


def _no_json(error: Mapping[str, Any]) -> bool:
    return error["type"] == "missing" or isinstance(error.get("input"), bytes)


def _field(loc: tuple[str | int, ...]) -> str:
    return ".".join(str(each)[:40] for each in loc if each not in ("body", "query", "path"))


async def _no_database(request: Request, error: Exception) -> Response:
    log.error("the database does not answer: %s", error)
    return Problem(503, "The database does not answer. Try again in a moment.", retry_after=5).response()


class Surprises:
    """Turns what nobody foresaw into a problem with a number that is also in the log, where the traceback is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            number = secrets.token_hex(4)
            log.exception("error %s at %s %s", number, scope.get("method"), scope.get("path"))
            if not started:
                problem = Problem(500, f"Something went wrong here. It is in the log as {number}.")
                await problem.response()(scope, receive, send)

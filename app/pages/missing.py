"""Pages that say that something is not there, or that something broke: whole documents, without a live connection."""

import logging
import secrets
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from app.guard import broke_off
from app.texts import missing as texts
from components import theme

TEMPLATES = Path(__file__).parent / "templates"

log = logging.getLogger(__name__)


def register(app: FastAPI) -> None:
    """Answer unknown addresses, and failures that nothing else caught, in our own words."""

    async def refused(request: Request, error: Exception) -> Response:
        code = getattr(error, "status_code", 404)
        headers = getattr(error, "headers", None)
        return HTMLResponse(render_missing("page" if code == 404 else "refused"), code, headers)

    async def broken(request: Request, error: Exception) -> Response:
        if broke_off(error):
            return Response(status_code=503)
        return HTMLResponse(render_missing("broken", quote=failure_id(error)), 500)

    app.add_exception_handler(404, refused)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, broken)


def render_missing(what: str, quote: str = "") -> str:
    """`what`: a key of `texts.MISSING`.  `quote`: an id to ask for help with; without it one is made,
    and noted in the log."""
    code, title, text = texts.MISSING[what]
    if not quote:
        quote = secrets.token_hex(4)
        log.info("not there (%s): told to quote %s", what, quote)
    template = theme.templates(TEMPLATES).get_template("missing.html")
    return template.render(code=code, title=title, text=text, quote=quote, t=texts.MISSING)


def failure_id(error: Exception) -> str:
    """An id for a failure: the log has it beside the traceback, the person can quote it."""
    quote = secrets.token_hex(4)
    log.error("failure %s", quote, exc_info=error)
    return quote

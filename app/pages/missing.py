"""Pages that say that something is not there, or that something broke: whole documents, without a live connection."""

import logging
import secrets
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from app import texts
from components import theme

TEMPLATES = Path(__file__).parent / "templates"

log = logging.getLogger(__name__)


def register(app: FastAPI) -> None:
    """Answer unknown addresses, and failures that nothing else caught, in our own words."""

    async def missing(request: Request, error: Exception) -> Response:
        return HTMLResponse(render_missing("page"), 404)

    async def broken(request: Request, error: Exception) -> Response:
        return HTMLResponse(render_missing("broken", quote=failure_id(error)), 500)

    app.add_exception_handler(404, missing)
    app.add_exception_handler(Exception, broken)


def render_missing(what: str, quote: str = "") -> str:
    """`what`: "page", "store" or "broken"; `quote`: an id to ask for help with."""
    code, title, text = texts.MISSING[what]
    template = theme.templates(TEMPLATES).get_template("missing.html")
    return template.render(code=code, title=title, text=text, quote=quote, back=texts.MISSING["back"])


def failure_id(error: Exception) -> str:
    """An id for a failure: the log has it beside the traceback, the person can quote it."""
    quote = secrets.token_hex(4)
    log.error("failure %s", quote, exc_info=error)
    return quote

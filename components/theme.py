"""The look of the dashboard, in one place: style sheet, script, wordmark, and the documents that carry them.

Style and script are two files of our own, served under a name that changes with their content, so that browsers keep
them for ever and never show an old one.  No page asks another server for anything.

Pages that need no live connection (sign-in, errors) are whole HTML documents from `templates/`; live pages are NiceGUI
clients that get the same shell around them, so that navigation is there before any script has run.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components import icons

HERE = Path(__file__).parent
SHEETS = ("tokens", "base", "shell", "stores", "store", "platform", "activity", "people")
KEEP = {"Cache-Control": "public, max-age=31536000, immutable"}

RUN_OPTIONS: dict[str, Any] = {
    "title": "Storefleet",
    "favicon": icons.FAVICON,
    "dark": None,
    "language": "en-US",
    "tailwind": False,  # the style is our own: nothing is generated in the browser
    # A page whose connection breaks off for a moment goes on as it was.  NiceGUI asks for a sign of life by this as
    # well: one that fell silent is forgotten after 2.2 times these seconds at the latest.
    "reconnect_timeout": 25.0,
}
"""For `ui.run`: what the pages here count on."""


@dataclass(frozen=True)
class Cluster:
    """What the shell says of the cluster."""

    state: str  # "connecting", "connected", "away", "another"
    line: str  # "Kubernetes 1.34 · 3 nodes"
    notice: str  # the banner's sentence; "" for none
    sandbox: str = ""  # the banner that says that it is a simulation; "" for a real cluster


@dataclass(frozen=True)
class NavItem:
    """An entry of the navigation."""

    title: str
    href: str
    icon: str
    current: bool = False


@cache
def style() -> str:
    """The whole style sheet."""
    return "\n".join([*((HERE / "css" / f"{name}.css").read_text() for name in SHEETS), icons.css()])


@cache
def script() -> str:
    return (HERE / "theme.js").read_text()


ASSETS: dict[str, tuple[Callable[[], str], str]] = {
    "storefleet.css": (style, "text/css"),
    "storefleet.js": (script, "text/javascript"),
    "favicon.svg": (lambda: icons.FAVICON, "image/svg+xml"),
}


@cache
def address(name: str) -> str:
    """Where an asset is served: its address holds its content's fingerprint."""
    content, _ = ASSETS[name]
    return f"/assets/{hashlib.sha256(content().encode()).hexdigest()[:12]}/{name}"


def serve(app: FastAPI) -> None:
    """Serve the assets."""

    @app.get("/assets/{fingerprint}/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in ASSETS:
            raise HTTPException(404)
        content, kind = ASSETS[name]
        return Response(content(), media_type=kind, headers=KEEP)


@cache
def templates(*folders: Path) -> Environment:
    """Documents of ours and of `folders`; whatever is put into them is escaped."""
    environment = Environment(
        loader=FileSystemLoader([*folders, HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=address,
        mark=Markup(icons.MARK),  # noqa: S704 - our own drawing
        now=lambda: int(time.time() * 1000),
    )
    return environment


def head() -> str:
    """What a live page needs in its <head>."""
    return templates().get_template("head.html").render()


def shell(
    *,
    texts: dict[str, str],
    navigation: Sequence[NavItem],
    email: str,
    account: str,
    cluster: Cluster,
    target: str = "#content",
) -> str:
    """What is around a live page: banners, navigation, account; `target` is where "skip to the content" leads,
    `account` where the person's own page is ("": there is none)."""
    return (
        templates()
        .get_template("shell.html")
        .render(t=texts, navigation=navigation, email=email, account=account, cluster=cluster, target=target)
    )

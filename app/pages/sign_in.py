"""The forms for signing in, for making the first administrator, for accepting an invitation and for choosing another
password: plain HTML, there at once and without script."""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from app.pages.missing import render_missing
from app.settings import SMALLEST_PASSWORD
from app.texts import sign_in as texts
from components import theme

TEMPLATES = Path(__file__).parent / "templates"

Link = Literal["invitation", "password"]
"""What a link that somebody was sent is for: its path, and a key of `missing.MISSING`."""

_LINKS: dict[Link, dict[str, str]] = {"invitation": texts.INVITATION, "password": texts.NEW_PASSWORD}


def render_sign_in(error: str | None, email: str, next: str, provider: str = "") -> str:
    """The sign-in form; `error` stands above the fields, `email` is what was typed, `next` where to go afterwards,
    `provider` what the OpenID provider is called, where there is one."""
    other = None
    if provider:
        address = "/sign-in/oidc" + (f"?next={quote(next, safe='')}" if next != "/" else "")
        other = (texts.SIGN_IN["by_provider"].replace("{name}", provider), address)
    return _form(texts.SIGN_IN, "/sign-in", error, email, {"next": next}, other=other)


def render_setup(token: str, error: str | None, email: str = "") -> str:
    """The form behind the setup link."""
    return _form(texts.SETUP, "/setup", error, email, {"token": token}, new=True)


def render_link(kind: Link, token: str, email: str | None, error: str | None = None) -> str:
    """The form behind a link by which somebody chooses a password, for the address that it is bound to; None: the link
    cannot be used."""
    if email is None:
        return render_missing(kind)
    return _form(_LINKS[kind], f"/{kind}", error, email, {"token": token}, new=True, bound=True)


def _form(
    t: dict[str, str],
    action: str,
    error: str | None,
    email: str,
    hidden: dict[str, str],
    *,
    new: bool = False,
    bound: bool = False,
    other: tuple[str, str] | None = None,
) -> str:
    """`bound`: the address is not to be changed; `other`: another way to sign in, its words and its address."""
    given: dict[str, Any] = {"action": action, "error": error, "email": email, "hidden": hidden}
    template = theme.templates(TEMPLATES).get_template("sign_in.html")
    return template.render(t=t, new=new, bound=bound, other=other, shortest=SMALLEST_PASSWORD, **given)

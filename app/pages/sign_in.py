"""The forms for signing in and for making the first administrator: plain HTML, there at once and without script."""

from pathlib import Path

from app import texts
from app.settings import SMALLEST_PASSWORD
from components import theme

TEMPLATES = Path(__file__).parent / "templates"


def render_sign_in(error: str | None, email: str, next: str) -> str:
    """The sign-in form; `error` stands above the fields, `email` is what was typed, `next` where to go afterwards."""
    return _form(texts.SIGN_IN, "/sign-in", error, email, {"next": next})


def render_setup(token: str, error: str | None, email: str = "") -> str:
    """The form behind the setup link."""
    return _form(texts.SETUP, "/setup", error, email, {"token": token}, new=True)


def _form(
    t: dict[str, str], action: str, error: str | None, email: str, hidden: dict[str, str], *, new: bool = False
) -> str:
    template = theme.templates(TEMPLATES).get_template("sign_in.html")
    return template.render(
        t=t, action=action, error=error, email=email, hidden=hidden, new=new, shortest=SMALLEST_PASSWORD
    )

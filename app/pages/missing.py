"""Pages that say that something is not there, or that something broke: whole documents, without a live connection."""

from pathlib import Path

from app import texts
from components import theme

TEMPLATES = Path(__file__).parent / "templates"


def render_missing(what: str, quote: str = "") -> str:
    """`what`: "page", "store" or "broken"; `quote`: an id to ask for help with."""
    code, title, text = texts.MISSING[what]
    template = theme.templates(TEMPLATES).get_template("missing.html")
    return template.render(code=code, title=title, text=text, quote=quote, back=texts.MISSING["back"])

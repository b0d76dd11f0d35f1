"""What a page may do in a browser: the headers that every answer carries.

Pages of ours that need no live connection (sign-in, errors) run one script, a file of our own.  A live page is
NiceGUI's: it has scripts in its document, which are let run by a number that is another in each answer (a nonce), and
its components are put together in the browser, which takes 'unsafe-eval'.  Nothing may come from, go to, or be framed
by anybody else.

The nonce is put into NiceGUI's template, before anything is filled in: a script that got into a page as content has
none, and does not run.
"""

import secrets

from jinja2 import Environment
from jinja2.ext import Extension
from starlette.datastructures import MutableHeaders
from starlette.types import Scope

_LIVE = "x-nicegui-content"  # a header that NiceGUI gives to its pages

_FOR_ALL = (
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "object-src 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_TLS_ONLY = "max-age=31536000"


def content_security_policy(nonce: str = "") -> str:
    """The policy of a document; `nonce`: of a live page whose template carries it.

    Attributes may hold style (Quasar's and NiceGUI's own do), which cannot fetch anything from elsewhere.
    """
    from_us = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    scripts = f"{from_us} 'unsafe-eval'" if nonce else from_us
    return (
        f"default-src 'self'; script-src {scripts}; script-src-attr 'none'; "
        f"style-src-elem {from_us}; style-src-attr 'unsafe-inline'; {_FOR_ALL}"
    )


def give_nonce(scope: Scope) -> str:
    """A new nonce for the answer to this request, where NiceGUI's template looks for it."""
    nonce = secrets.token_urlsafe(18)
    scope.setdefault("state", {})["nonce"] = nonce
    return nonce


def add_headers(sent: MutableHeaders, nonce: str, *, tls: bool) -> None:
    """Give an answer its orders for the browser."""
    sent.setdefault("Content-Security-Policy", content_security_policy(nonce if _LIVE in sent else ""))
    for name, value in _HEADERS.items():
        sent.setdefault(name, value)
    if tls:
        sent.setdefault("Strict-Transport-Security", _TLS_ONLY)


_ATTRIBUTE = 'nonce="{{ request.state.nonce }}"'
# What is filled in begins with the style of NiceGUI's own components, the only tag there that may have a nonce.
_BODY = "{{ body_html | safe }}"
_BODY_WITH_NONCE = "{{ body_html.replace('<style>', '<style nonce=\"' ~ request.state.nonce ~ '\">', 1) | safe }}"


class _Nonce(Extension):
    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        for tag in ("script", "style"):
            source = source.replace(f"<{tag}", f"<{tag} {_ATTRIBUTE}")
        return source.replace(_BODY, _BODY_WITH_NONCE)


def put_nonce_into(templates: Environment) -> None:
    """Let the scripts and style sheets of these templates run under a policy that asks for the nonce."""
    templates.add_extension(_Nonce)
    if templates.cache is not None:
        templates.cache.clear()  # what was compiled before has none

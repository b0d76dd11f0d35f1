"""Browsers in which somebody is signed in: for their own account, and for whoever manages it."""

from typing import Any

SESSIONS: dict[str, Any] = {
    "sessions": "Signed-in browsers",
    "browser_on": "{browser} on {system}",
    "unknown_browser": "Unknown browser",
    "this_one": "this one",
    "session_about": "{address} · seen {ago} · signed in {since}",
    "end": "Sign out",
    "end_named": "Sign out {name}",
    "nowhere": "Signed in nowhere.",
    "loading": "Looking …",
}

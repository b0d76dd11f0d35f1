"""Pages in the place of one that cannot be shown: (code, title, text)."""

from typing import Any

MISSING: dict[str, Any] = {
    "page": ("404", "There is no such page", "The address may be mistyped, or what was here is gone."),
    "store": ("404", "There is no such store", "It may have been deleted, or it belongs to somebody else."),
    "invitation": (
        "404",
        "This invitation cannot be used",
        "It has been used, taken back, replaced by a newer one, or it is older than three days. Ask whoever invited "
        "you for another.",
    ),
    "password": (
        "404",
        "This link cannot be used",
        "It has been used, replaced by a newer one, or it is older than a day. Ask an administrator for another.",
    ),
    "broken": (
        "500",
        "Something went wrong here",
        "It is not your fault, and it has been noted.",
    ),
    "refused": ("400", "This cannot be done here", "What the browser asked for is not what this address is for."),
    "quote": "If you ask for help, quote",
    "back": "Back to the stores",
}

"""The signs of the dashboard, drawn here: the wordmark, the favicon and small icons.

Icons reach a page as CSS masks (`<i class="icon" data-icon="check">`), in the colour of the text beside them: no icon
font, no request, and no markup in the components.  A word always stands beside an icon or in its label.
"""

from urllib.parse import quote

_STROKES = {
    "check": "M3 8.6 6.3 12 13 4.6",
    "cross": "M4 4l8 8M12 4l-8 8",
    "alert": "M8 4.6v4.2M8 11.3v.1M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8z",
    "warning": "M8 2.4 14.2 13H1.8zM8 6.6v3M8 11.2v.1",
    "spinner": "M8 2.2A5.8 5.8 0 1 1 2.4 6.4",
    "queue": "M8 2.3a5.7 5.7 0 1 1 0 11.4A5.7 5.7 0 0 1 8 2.3zM8 5.2V8l1.9 1.5",
    "minus": "M4 8h8",
    "search": "M7 2.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6zM10.6 10.6 14 14",
    "plus": "M8 3v10M3 8h10",
    "external": "M6.5 3.5H3.4v9.1h9.1V9.5M9.4 2.8h3.8v3.8M13 3 7.6 8.4",
    "copy": "M5.6 5.6h7.6v7.6H5.6zM10.4 5.4V2.8H2.8v7.6h2.6",
    "eye": "M1.6 8S4 3.6 8 3.6 14.4 8 14.4 8 12 12.4 8 12.4 1.6 8 1.6 8z"
    "M8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6z",
    "eye-off": "M2.4 2.4l11.2 11.2M6.3 3.9A6 6 0 0 1 8 3.6c4 0 6.4 4.4 6.4 4.4a12 12 0 0 1-1.8 2.2"
    "M9.9 12.1A6 6 0 0 1 8 12.4C4 12.4 1.6 8 1.6 8a12 12 0 0 1 2.5-2.9",
    "trash": "M2.8 4.4h10.4M6.2 4.2V2.6h3.6v1.6M4.2 4.6l.6 8.8h6.4l.6-8.8M6.8 7v4M9.2 7v4",
    "retry": "M13.2 8A5.2 5.2 0 1 1 11.4 4M11.8 1.6v2.8H9",
    "undo": "M2.8 8A5.2 5.2 0 1 0 4.6 4M4.2 1.6v2.8H7",
    "pause": "M5.4 3.4v9.2M10.6 3.4v9.2",
    "play": "M5 3.2 12.4 8 5 12.8z",
    "download": "M8 2.4v7.4M4.8 7 8 10.2 11.2 7M3 13.4h10",
    "chevron": "M6 3.6 10.4 8 6 12.4",
    "updown": "M5 6.2 8 3.2l3 3M5 9.8l3 3 3-3",
    "stores": "M2 6.4 3.3 2.8h9.4L14 6.4zM3 9v4.4h10V9M2 6.4a2 2 0 0 0 4 0 2 2 0 0 0 4 0 2 2 0 0 0 4 0",
    "activity": "M1.8 8.4h2.8L6.4 3.2l3.2 9.6 1.8-4.4h2.8",
    "users": "M6 2.6a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM1.6 13.4a4.4 4.4 0 0 1 8.8 0M10.6 2.9a2.4 2.4 0 0 1 0 4.5"
    "M12 9.6a4.2 4.2 0 0 1 2.4 3.8",
    "settings": "M2 4.4h5M10.6 4.4H14M8.8 2.6a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6zM2 11.6h2.4M8 11.6h6"
    "M6.2 9.8a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6z",
    "account": "M8 2.2a2.9 2.9 0 1 1 0 5.8 2.9 2.9 0 0 1 0-5.8zM2.6 13.8a5.4 5.4 0 0 1 10.8 0",
    "up": "M8 13V3.4M3.8 7.4 8 3.2l4.2 4.2",
    "down": "M8 3v9.6M3.8 8.6 8 12.8l4.2-4.2",
    "keyboard": "M1.6 4h12.8v8H1.6zM4 6.6h.1M6.6 6.6h.1M9.3 6.6h.1M12 6.6h.1M5 9.6h6",
    "platform": "M2 12.6a6.4 6.4 0 1 1 12 0M8 11l2.6-4.6M8 10.2a.9.9 0 1 1 0 1.8.9.9 0 0 1 0-1.8z",
    "cluster": "M8 1.8 13.6 5v6L8 14.2 2.4 11V5zM2.6 5.1 8 8.2l5.4-3.1M8 8.2V14",
    "sun": "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.4v1.2M8 13.4v1.2M1.4 8h1.2"
    "M13.4 8h1.2M3.3 3.3l.9.9M11.8 11.8l.9.9M12.7 3.3l-.9.9M4.2 11.8l-.9.9",
    "moon": "M13.2 9.6A5.6 5.6 0 1 1 6.4 2.8a4.6 4.6 0 0 0 6.8 6.8z",
    "system": "M2 3h12v8H2zM6 13.4h4M8 11.2v2",
    "sign-out": "M6.4 2.8H3v10.4h3.4M10.2 4.8 13.4 8l-3.2 3.2M13.2 8H6.6",
}
"""Paths on a 16 by 16 field, drawn with a stroke of 1.6."""

_AWNING = (
    '<path d="M4.6 10.6V20h14.8v-9.4" fill="none" stroke="{brand}" stroke-width="1.9" stroke-linejoin="round"/>'
    '<path d="M3 9.4 5 4h14l2 5.4a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0z" fill="{soft}" stroke="{brand}"'
    ' stroke-width="1.9" stroke-linejoin="round"/>'
    '<path d="M9.6 20v-4.2h4.8V20" fill="none" stroke="{brand}" stroke-width="1.9" stroke-linejoin="round"/>'
)

MARK = (
    '<svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">'
    + _AWNING.format(brand="var(--brand)", soft="var(--brand-soft)")
    + "</svg>"
)
"""The sign of the wordmark: an awning, as shops have it."""

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
    + _AWNING.format(brand="#1f8a63", soft="#c9ecdc")
    + "</svg>"
)


def css() -> str:
    """One rule for each icon: it sets the mask that `.icon` shows."""
    return "\n".join(f'[data-icon="{name}"] {{ --icon: {_mask(path)} }}' for name, path in _STROKES.items())


def _mask(path: str) -> str:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke="#000" stroke-width="1.6"'
        f' stroke-linecap="round" stroke-linejoin="round"><path d="{path}"/></svg>'
    )
    return f'url("data:image/svg+xml,{quote(svg)}")'

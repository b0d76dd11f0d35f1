"""The browser's own notifications of stores that are ready or have failed, where the person has asked for them."""

from collections.abc import Callable
from typing import Any

from nicegui.element import Element


class StoreNotifications(Element, component="store_notifications.js"):
    """Shows nothing on the page.  `on_wanted` is called when this browser wants them (components/theme.js)."""

    def __init__(self, on_wanted: Callable[[], Any]) -> None:
        super().__init__()
        self._wanted = False

        def wanted() -> Any:
            if self._wanted:  # a browser says so once, or it is none of ours
                return None
            self._wanted = True
            return on_wanted()

        self.on("wanted", wanted)

    def tell(self, title: str, text: str, path: str, tag: str) -> None:
        """`path`: where a click leads; `tag`: the same for the same news, so that two open pages tell it once."""
        self.run_method("tell", title, text, path, tag)

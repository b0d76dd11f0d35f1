"""How a page looks and reads, in both themes, on a wide screen and on a phone, and what axe finds.

To open a page costs many times what it costs to look at it again, so one page is looked at in every way: the style
sheet answers to theme and width at once.
"""

from collections.abc import Callable

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

WIDE, PHONE = (1440, 900), (360, 780)
"""Windows, in px."""

VIEWS = (("light", WIDE), ("dark", WIDE), ("dark", PHONE), ("light", PHONE))

FITS = "document.documentElement.scrollWidth <= innerWidth"


def check(page: Page, *rules: str) -> None:
    """axe finds nothing, by these rules of its or by all."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    # preload: it would read the style sheets by way of inline ones, which our policy does not let in.
    options = {"resultTypes": ["violations"], "preload": False, **({"runOnly": rules} if rules else {})}
    found = AxeResults({"violations": page.evaluate("async (options) => (await axe.run(options)).violations", options)})
    assert found.violations_count == 0, f"{page.url}, {page.viewport_size}:\n{found.generate_report()}"


def looks(page: Page, picture: Callable[[Page, str], None], name: str, *, axe: bool = False) -> None:
    """Nothing is wider than the window; a picture of each view, `NAME-THEME-WIDTH`; and what axe finds, if asked.

    Each window is checked by all of axe's rules; the other theme of the same window, which is other colours for the
    same elements, for contrast.  Afterwards the window is as it was.
    """
    before = page.viewport_size
    seen = None
    for theme, window in VIEWS:
        resize(page, window)
        page.emulate_media(color_scheme=theme)
        page.evaluate("scrollTo(0, 0)")
        picture(page, f"{name}-{theme}-{window[0]}")
        if axe:
            check(page, *(["color-contrast"] if window == seen else []))
        seen = window
    if before:
        page.set_viewport_size(before)


def resize(page: Page, window: tuple[int, int]) -> None:
    """To a window that nothing is wider than."""
    if page.viewport_size != (size := {"width": window[0], "height": window[1]}):
        page.set_viewport_size(size)
    page.wait_for_function(FITS)  # charts follow a moment later

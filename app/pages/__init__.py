"""The pages of the dashboard.  Each module draws one and asks the services for everything."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.pages.live import Live
    from app.services import Services


def register(services: "Services") -> "Live":
    """Serve all pages and what they need; `stop` what is answered when the process ends."""
    from nicegui import app as nicegui_app

    from app.pages import account, activity, missing, platform, settings, store, stores, users
    from app.pages.live import Live
    from components import theme

    live = Live(services)
    theme.serve(nicegui_app)
    missing.register(nicegui_app)
    stores.register(services, live)
    store.register(services, live)
    platform.register(services, live)
    activity.register(services, live)
    settings.register(services, live)
    users.register(services, live)
    account.register(services, live)
    return live

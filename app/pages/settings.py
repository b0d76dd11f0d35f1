"""The administrators' page of the settings: what they are and where each comes from.  They change with a restart."""

from fastapi import Response
from fastapi.responses import HTMLResponse

from app.pages.frame import Frame, page
from app.pages.live import Live
from app.pages.missing import render_missing
from app.services import Services
from app.texts import settings as texts
from components.setting_list import SettingList


def register(services: Services, live: Live) -> None:
    @page(services, live, "/settings", texts.DOCUMENT_TITLE)
    async def settings(frame: Frame) -> Response | None:
        if not frame.reader.admin:
            return HTMLResponse(render_missing("page"), 404)
        found = await services.platform.settings(frame.reader)
        SettingList([each.model_dump() for each in found], texts.SETTINGS)
        return None

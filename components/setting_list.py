"""The settings, each with its value and where that comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.element import Element


class SettingList(Element, component="setting_list.js"):
    """`settings`: dicts with name, value, default, source ("default", "environment" or "file"), secret (the value says
    only whether there is one) and description; backticks in that stand around code."""

    def __init__(self, settings: Sequence[Mapping[str, Any]], texts: Mapping[str, Any]) -> None:
        super().__init__()
        self._props.update(settings=list(settings), texts=dict(texts))

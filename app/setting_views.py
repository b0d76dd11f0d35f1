"""The settings as administrators see them: each with its value, where that comes from, and nothing secret."""

from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import make_url

from app.settings import PREFIX, Settings

Source = Literal["default", "environment", "file"]

_IS_SET = "set"  # all that is told of a secret


class SettingView(BaseModel):
    """A setting.  `value` is for reading: "" is nothing, and of what is secret only whether it is there."""

    name: str
    value: str
    default: str
    source: Source
    secret: bool
    description: str


def views(settings: Settings) -> list[SettingView]:
    """All of them, in the order of the README."""
    return [_view(settings, name) for name in Settings.model_fields]


def _view(settings: Settings, name: str) -> SettingView:
    field = Settings.model_fields[name]
    value, secret = getattr(settings, name), isinstance(field.default, SecretStr)
    source: Source = "environment" if name in settings.model_fields_set else "default"
    shown = _shown(value)
    if name == "database_url":
        shown = _address(settings.database_address)
    elif name == "key" and not shown:
        source, shown = "file", str(settings.data_dir.resolve() / "key")
    return SettingView(
        name=f"{PREFIX}{name.upper()}",
        value=shown,
        default=_shown(field.default),
        source=source,
        secret=secret,
        description=field.description or "",
    )


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return _IS_SET if value.get_secret_value() else ""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _address(url: str) -> str:
    """Without what may be a password: the password, and options, which may hold one as well."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)

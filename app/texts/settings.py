"""The page of the settings."""

from typing import Any

DOCUMENT_TITLE = "Settings · Storefleet"

SETTINGS: dict[str, Any] = {
    "title": "Settings",
    "lead": "As they were when this process started. They are environment variables; a change takes a restart.",
    "columns": {"setting": "Setting", "value": "Value", "source": "From"},
    "sources": {"default": "Default", "environment": "Environment", "file": "File"},
    "not_set": "Not set",
    "secret": "Set, and not shown",
    "default": "Default: {value}",
    "only_changed": "Only what differs from its default",
    "nothing": "Every setting is at its default.",
}

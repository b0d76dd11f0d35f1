"""The log, on standard error: lines for people on a terminal, JSON lines elsewhere.

A line that speaks of a store carries its id: whoever logs gives it as `extra={"store": store.id}`.
"""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime

# What these say below a warning is about themselves.
_TALKATIVE = (
    "aiosqlite",
    "alembic",
    "apscheduler",
    "asyncio",
    "httpcore",
    "httpx",
    "kubernetes",
    "uvicorn",
    "watchfiles",
)

LONGEST_ERROR = 16_000  # characters


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if store := getattr(record, "store", None):
            line["store"] = store
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)[-LONGEST_ERROR:]  # its end says what it was
        return json.dumps(line)


class _Human(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        store = getattr(record, "store", None)
        return f"{line}  (store {store[:8]})" if store else line


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """A task that is cancelled while it gives its connection back leaves it unusable, and the pool makes another."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def set_up(level: str) -> None:
    """Send every logger's lines of at least `level` to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_no_cancellation)
    handler.setFormatter(_Human() if sys.stderr.isatty() else _Json())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)  # a tick that is skipped is no news
    logging.captureWarnings(True)

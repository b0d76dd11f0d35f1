"""Lines of the log: JSON for machines, with the store's id where there is one."""

import asyncio
import json
import logging

import pytest

from app import logs


@pytest.fixture(autouse=True)
def put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    monkeypatch.setattr(logging, "captureWarnings", lambda on: None)


def test_json_lines_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info")
    log = logging.getLogger("test")
    log.debug("not this")
    log.info("two\nlines", extra={"store": "abc"})
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("broken")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["level"], first["message"], first["store"]) == ("info", "two\nlines", "abc")
    assert "ValueError: why" in second["error"]
    assert "store" not in second


def test_lines_for_people_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    logs.set_up("warning")
    logging.getLogger("test").warning("careful", extra={"store": "0123456789"})
    assert capsys.readouterr().err.endswith("WARNING careful  (store 01234567)\n")


def test_that_a_task_was_cancelled_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info")
    try:
        raise asyncio.CancelledError
    except asyncio.CancelledError:
        logging.getLogger("sqlalchemy.pool").exception("Exception during reset or similar")
    assert capsys.readouterr().err == ""

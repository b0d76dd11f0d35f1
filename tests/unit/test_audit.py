"""Entries of the audit trail as lines of text."""

import csv
import json
from datetime import UTC, datetime

import pytest

from provisioning.audit import COLUMNS, CSV_HEAD, csv_line, harmless, json_line
from provisioning.models import AuditEntry

ENTRY = AuditEntry(
    id=7,
    at=datetime(2026, 1, 2, 12, tzinfo=UTC),
    actor_id="",
    actor="@anna, or “who”",
    token_id="",
    address="::1",
    action="store.create",
    store_id="",
    store_name='=cmd|"x"',
    outcome="ok",
    error="",
    detail={"plan": "small"},
    hash="f0",
)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", " =1", "\n-1"])
def test_a_formula_is_a_text(cell):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "shop", "a=1", "anna@example.com", "12", "{}"])
def test_what_is_no_formula_stays_as_it_is(cell):
    assert harmless(cell) == cell


def test_csv_is_read_back_as_it_was_but_for_formulas():
    read = dict(zip(next(csv.reader([CSV_HEAD])), next(csv.reader([csv_line(ENTRY)])), strict=True))
    assert list(read) == list(COLUMNS)
    assert read["actor"] == "'@anna, or “who”"
    assert read["store_name"] == '\'=cmd|"x"'
    assert json.loads(read["detail"]) == {"plan": "small"}
    assert read["id"] == "7"


def test_json_is_one_line_with_everything():
    line = json_line(ENTRY)
    assert "\n" not in line
    assert json.loads(line) == {
        **ENTRY.model_dump(exclude={"at"}),
        "at": "2026-01-02T12:00:00+00:00",
    }

"""The page about security names tests that there are, and a test for each promise."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[str]:
    """The promises: lines of the tables."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return [line for line in lines if not re.match(r"\|(---| Promise)", line)]


@cache
def functions_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_its_test():
    assert len(rows()) > 20
    assert [row for row in rows() if not TEST.search(row.rsplit("|", 2)[1])] == []


def test_every_test_that_is_named_is_there():
    named = TEST.findall(PAGE.read_text())
    assert [f"{file}::{name}" for file, name in named if name not in functions_in(file)] == []


def test_nothing_else_looks_like_a_test():
    """A name that is spelt another way would be compared with nothing."""
    rest = TEST.sub("", PAGE.read_text())
    assert re.findall(r"\btest_\w+|tests/\S+", rest) == []

"""The page about failures is the table of causes, and the causes are fit for it."""

import re
from pathlib import Path

import pytest

from provisioning.failures.cause import Cause
from provisioning.failures.causes import CAUSES
from provisioning.failures.reason import OWNER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failures.md"
BEGIN, END = "<!-- causes: begin -->\n", "<!-- causes: end -->\n"


def table() -> str:
    """What stands on the page."""
    lines = ["| Code | When | The store | Who | What to do |", "|---|---|---|---|---|"]
    for cause in CAUSES:
        who = "owner" if cause.who == OWNER else "administrator"
        hint = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), cause.hint)
        hint = re.sub(r"((?:kubectl|helm|curl|openssl) (?:--|[a-z_]).*)$", r"`\1`", hint)
        lines.append(f"| `{cause.code}` | {cause.when} | {cause.ends} | {who} | {hint} |")
    return "\n".join(lines) + "\n"


def test_the_page_holds_every_cause():
    shown = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    assert shown == table(), f"the table should be:\n{table()}"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause.code}: {cause.when}")
def test_a_cause_says_who_can_do_what(cause: Cause):
    assert re.fullmatch(r"[a-z_]+", cause.code)
    assert cause.when.endswith(".")
    assert cause.hint
    assert set(re.findall(r"\{(\w+)\}", cause.hint)) <= {
        *("namespace", "name", "image", "node", "host", "url"),
        *("verb", "resource", "user"),
    }

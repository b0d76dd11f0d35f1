"""Writes a chart's values into its README, as a table: name, default, and the comment above it in values.yaml.

    python charts/values_table.py charts/medusa-store

A row is every key whose value stands on its own line (`size: 1Gi`, `limits: {memory: 1Gi}`); a key with lines below it
is a group, and names its rows' prefix.  A test keeps the README, the values and the schema together.
"""

import re
import sys
from pathlib import Path

BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"

_LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z0-9_-]+):(?: +(?P<default>\S.*))?")


def rows(values: str) -> list[tuple[str, str, str]]:
    """(dotted name, default as written, description) of each value; ValueError where there is no description."""
    found = []
    groups: list[tuple[int, str]] = []  # (indent, key) of the keys above the current line
    comment: list[str] = []
    for line in values.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip(" #"))
            continue
        if match := _LINE.fullmatch(line):
            indent = len(match["indent"])
            groups = [group for group in groups if group[0] < indent]
            groups.append((indent, match["key"]))
            if match["default"]:
                name = ".".join(key for _, key in groups)
                if not comment:
                    raise ValueError(f"{name} has no comment above it")
                found.append((name, match["default"], " ".join(comment)))
        comment = []
    return found


def table(values: str) -> str:
    """The table as Markdown."""
    lines = ["| Value | Default | What it is |", "|---|---|---|"]
    lines += [f"| `{name}` | `{default}` | {description} |" for name, default, description in rows(values)]
    return "\n".join(lines) + "\n"


def with_table(readme: str, values: str) -> str:
    """The README with its table between the two marks made anew."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table(values) + END + rest.split(END)[1]


if __name__ == "__main__":
    chart = Path(sys.argv[1])
    readme = chart / "README.md"
    readme.write_text(with_table(readme.read_text(), (chart / "values.yaml").read_text()))

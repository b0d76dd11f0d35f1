"""What the README says is so: settings, files, commands."""

import re
from pathlib import Path

from app.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()


def rows() -> str:
    """The table of settings, as it has to be."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if hasattr(default, "get_secret_value"):
            default = default.get_secret_value()
        shown = "" if default in ("", None) else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)


def test_the_settings_are_those_that_there_are():
    assert rows() in README, f"the table should be:\n{rows()}"


def test_every_file_that_it_names_is_there():
    for path in re.findall(r"\]\((?!https?://)([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_every_target_of_make_that_it_names_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^    )make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

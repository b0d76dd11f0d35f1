"""The stores' chart as it was, or will be, at another time: what an upgrade of the platform brings."""

import re
import shutil
from pathlib import Path

from provisioning import templates

NOTE = "example.com/note"
"""An annotation of the shop's pods: another one makes them anew."""


def charts(folder: Path, version: str, note: str = "") -> Path:
    """A folder of charts, to be `templates.CHARTS`: the shop's is of this appVersion, and `note` is on its pods."""
    made = folder / f"charts-{version}-{note}"
    shutil.copytree(templates.CHARTS / "medusa-store", made / "medusa-store")
    about = made / "medusa-store" / "Chart.yaml"
    text, changed = re.subn(r"^appVersion: .*$", f'appVersion: "{version}"', about.read_text(), flags=re.MULTILINE)
    assert changed == 1
    about.write_text(text)
    if note:
        shop = made / "medusa-store" / "templates" / "medusa" / "deployment.yaml"
        pods = "  template:\n    metadata:\n"
        assert shop.read_text().count(pods) == 1
        shop.write_text(shop.read_text().replace(pods, f'{pods}      annotations: {{{NOTE}: "{note}"}}\n'))
    return made

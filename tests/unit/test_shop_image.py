"""What the shop image's pins must be, whoever updates them next: one Medusa, the version that the image is named by."""

import json
from pathlib import Path

IMAGE = Path(__file__).parents[2] / "images" / "medusa-store"
MANIFEST = json.loads((IMAGE / "package.json").read_text())
LOCKED = json.loads((IMAGE / "package-lock.json").read_text())["packages"]


def test_every_package_of_medusa_has_the_version_of_the_image() -> None:
    parts = {
        name: entry["version"]
        for name, entry in LOCKED.items()
        if name.rpartition("node_modules/")[2].startswith("@medusajs/")
    }
    # The components of the admin pages have a number of their own.
    versions = {name: version for name, version in parts.items() if not name.endswith("/ui")}
    assert len(versions) > 50
    assert set(versions.values()) == {MANIFEST["version"]}


def test_direct_dependencies_are_pinned() -> None:
    for version in {**MANIFEST["dependencies"], **MANIFEST["devDependencies"]}.values():
        assert version[0].isdigit(), version


def test_the_lock_file_names_no_registry() -> None:
    assert not [name for name, entry in LOCKED.items() if "resolved" in entry]

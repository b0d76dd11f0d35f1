"""The chart's values, said in three places that must agree: values.yaml, values.schema.json and the README."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).resolve().parents[2] / "charts"
CHART = CHARTS / "medusa-store"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

values_table = runpy.run_path(str(CHARTS / "values_table.py"))

# Objects whose keys the user chooses, by what they are for.
FREE = {"labels", "annotations", "nodeSelector", "settings"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its reference followed and its parts (`allOf`) put together."""
    if reference := schema.get("$ref"):
        return resolved(SCHEMA["definitions"][reference.rpartition("/")[2]])
    together = dict(schema)
    for part in schema.get("allOf", []):
        if "if" not in part:
            together = {**resolved(part), **together}
    return together


def objects(schema: dict[str, Any], name: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every object that the schema describes, by its dotted name."""
    schema = resolved(schema)
    found = [(name, schema)] if schema.get("type") == "object" else []
    for key, part in schema.get("properties", {}).items():
        found += objects(part, f"{name}.{key}".lstrip("."))
    return found


def test_readme_has_the_values_as_they_are():
    readme = (CHART / "README.md").read_text()
    assert readme == values_table["with_table"](readme, (CHART / "values.yaml").read_text()), (
        "run: python charts/values_table.py charts/medusa-store"
    )


def test_table_has_a_row_for_every_value():
    rows = values_table["rows"]((CHART / "values.yaml").read_text())
    found: dict[str, Any] = {}
    for name, default, description in rows:
        assert description
        *groups, key = name.split(".")
        place = found
        for group in groups:
            place = place.setdefault(group, {})
        place[key] = yaml.safe_load(default)
    assert found == VALUES


def test_a_value_without_a_comment_is_refused():
    with pytest.raises(ValueError, match=r"^shop\.size has no comment above it$"):
        values_table["rows"]("# The shop\n\nshop:\n  size: 1Gi\n")


def test_schema_knows_every_value_and_no_other():
    def compare(values: dict[str, Any], schema: dict[str, Any], name: str) -> None:
        schema = resolved(schema)
        assert set(schema["properties"]) == set(values), name
        for key, value in values.items():
            if isinstance(value, dict) and key not in FREE | {"resources"}:
                compare(value, schema["properties"][key], f"{name}.{key}")

    compare(VALUES, SCHEMA, "values")


@pytest.mark.parametrize(("name", "schema"), objects(SCHEMA), ids=lambda part: part if isinstance(part, str) else "")
def test_schema_refuses_unknown_keys(name: str, schema: dict[str, Any]):
    refused = schema["additionalProperties"]
    if name.rpartition(".")[2] in FREE:
        assert resolved(refused)["type"] == "string"
    else:
        assert refused is False


def test_production_values_name_only_what_there_is():
    def compare(overlay: dict[str, Any], values: dict[str, Any], name: str) -> None:
        for key, value in overlay.items():
            assert key in values, f"{name}.{key}"
            if isinstance(value, dict) and key not in FREE:
                compare(value, values[key], f"{name}.{key}")

    compare(yaml.safe_load((CHART / "values-prod.yaml").read_text()), VALUES, "values")


def test_twenty_stores_fit_two_cores_and_twenty_gibibytes():
    """Beside what the cluster itself asks for: half a core and 1 GiB."""
    requests = [VALUES[part]["resources"]["requests"] for part in ("medusa", "postgresql")]
    millicores = sum(int(request["cpu"].removesuffix("m")) for request in requests)
    mebibytes = sum(int(request["memory"].removesuffix("Mi")) for request in requests)
    assert 20 * millicores <= 1500
    assert 20 * mebibytes <= 19 * 1024


def test_a_starting_shop_is_not_held_back():
    """Starting takes about 15 s of CPU; a limit of one core would be felt."""
    assert int(VALUES["medusa"]["resources"]["limits"]["cpu"]) >= 2


def test_no_value_holds_a_secret():
    words = ("password", "token", "apikey", "credential", "privatekey")
    for name, _, _ in values_table["rows"]((CHART / "values.yaml").read_text()):
        assert not any(word in name.lower() for word in words), name

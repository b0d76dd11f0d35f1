"""A chart's values, said in three places that must agree: values.yaml, values.schema.json and the README."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).resolve().parents[2] / "charts"

values_table = runpy.run_path(str(CHARTS / "values_table.py"))

# Objects whose keys the user chooses, by what they are for.
FREE = {"labels", "annotations", "nodeSelector", "settings"}
# What Storefleet reads from a file, and checks there: another chart's values, plans.
FOREIGN = {"storeValues", "plans"}


class Chart:
    """What stands in a chart's files."""

    def __init__(self, name: str) -> None:
        self.name, self.folder = name, CHARTS / name
        self.text = (self.folder / "values.yaml").read_text()
        self.values: dict[str, Any] = yaml.safe_load(self.text)
        self.production: dict[str, Any] = yaml.safe_load((self.folder / "values-prod.yaml").read_text())
        self.schema: dict[str, Any] = json.loads((self.folder / "values.schema.json").read_text())
        self.readme = (self.folder / "README.md").read_text()

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with its reference followed and its parts (`allOf`) put together."""
        if reference := schema.get("$ref"):
            return self.resolved(self.schema["definitions"][reference.rpartition("/")[2]])
        together = dict(schema)
        for part in schema.get("allOf", []):
            if "if" not in part:
                together = {**self.resolved(part), **together}
        return together

    def objects(self, schema: dict[str, Any], name: str = "") -> list[tuple[str, dict[str, Any]]]:
        """Every object that the schema describes, by its dotted name."""
        schema = self.resolved(schema)
        found = [(name, schema)] if schema.get("type") == "object" else []
        for key, part in schema.get("properties", {}).items():
            if key not in FOREIGN:
                found += self.objects(part, f"{name}.{key}".lstrip("."))
        return found


STORE, PLATFORM = Chart("medusa-store"), Chart("platform")


@pytest.fixture(params=[STORE, PLATFORM], ids=lambda chart: chart.name)
def chart(request: pytest.FixtureRequest) -> Chart:
    return request.param


def test_readme_has_the_values_as_they_are(chart: Chart):
    assert chart.readme == values_table["with_table"](chart.readme, chart.text), (
        f"run: python charts/values_table.py charts/{chart.name}"
    )


def test_table_has_a_row_for_every_value(chart: Chart):
    found: dict[str, Any] = {}
    for name, default, description in values_table["rows"](chart.text):
        assert description
        *groups, key = name.split(".")
        place = found
        for group in groups:
            place = place.setdefault(group, {})
        place[key] = yaml.safe_load(default)
    assert found == chart.values


def test_a_value_without_a_comment_is_refused():
    with pytest.raises(ValueError, match=r"^shop\.size has no comment above it$"):
        values_table["rows"]("# The shop\n\nshop:\n  size: 1Gi\n")


def test_schema_knows_every_value_and_no_other(chart: Chart):
    def compare(values: dict[str, Any], schema: dict[str, Any], name: str) -> None:
        schema = chart.resolved(schema)
        assert set(schema["properties"]) == set(values), name
        for key, value in values.items():
            if isinstance(value, dict) and key not in FREE | FOREIGN | {"resources"}:
                compare(value, schema["properties"][key], f"{name}.{key}")

    compare(chart.values, chart.schema, "values")


@pytest.mark.parametrize(
    ("chart", "name", "schema"),
    [(chart, name, schema) for chart in (STORE, PLATFORM) for name, schema in chart.objects(chart.schema)],
    ids=lambda part: part.name if isinstance(part, Chart) else part if isinstance(part, str) else "",
)
def test_schema_refuses_unknown_keys(chart: Chart, name: str, schema: dict[str, Any]):
    refused = schema["additionalProperties"]
    if name.rpartition(".")[2] in FREE and refused is not False:
        assert chart.resolved(refused)["type"] == "string"
    else:
        assert refused is False


def test_production_values_name_only_what_there_is(chart: Chart):
    def compare(overlay: dict[str, Any], values: dict[str, Any], name: str) -> None:
        for key, value in overlay.items():
            assert key in values, f"{name}.{key}"
            if isinstance(value, dict) and key not in FREE | FOREIGN:
                compare(value, values[key], f"{name}.{key}")

    compare(chart.production, chart.values, "values")
    compare(PLATFORM.production["storeValues"], STORE.values, "storeValues")


def test_twenty_stores_fit_two_cores_and_twenty_gibibytes():
    """Beside what the cluster itself asks for: half a core and 1 GiB."""
    requests = [STORE.values[part]["resources"]["requests"] for part in ("medusa", "postgresql")]
    millicores = sum(int(request["cpu"].removesuffix("m")) for request in requests)
    mebibytes = sum(int(request["memory"].removesuffix("Mi")) for request in requests)
    assert 20 * millicores <= 1500
    assert 20 * mebibytes <= 19 * 1024


def test_a_starting_shop_is_not_held_back():
    """Starting takes about 15 s of CPU; a limit of one core would be felt."""
    assert int(STORE.values["medusa"]["resources"]["limits"]["cpu"]) >= 2


def test_no_value_holds_a_secret(chart: Chart):
    words = ("password", "token", "apikey", "credential", "privatekey")
    for name, _, _ in values_table["rows"](chart.text):
        assert not any(word in name.lower() for word in words), name

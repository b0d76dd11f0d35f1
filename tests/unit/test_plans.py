"""Plans: what the operator may say of them, and that what a store asks for fits."""

from pathlib import Path

import pytest
import yaml

from provisioning.plans import PLANS, laid_over, plan_of, shortfalls
from provisioning.templates import TEMPLATES, all_values

PRODUCTION = Path(__file__).resolve().parents[2] / "charts" / "medusa-store" / "values-prod.yaml"


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("plan", PLANS)
def test_every_plan_has_room_for_its_own_store(plan, template):
    assert shortfalls(PLANS[plan], all_values(template, plan, {})) == []


def test_the_default_quota_is_what_was_promised():
    hard = plan_of("small").hard
    assert hard["requests.storage"] == "5Gi"
    assert {"requests.cpu", "limits.memory", "pods", "secrets", "services.nodeports"} <= hard.keys()


def test_production_values_need_a_larger_plan_than_small():
    production = yaml.safe_load(PRODUCTION.read_text())
    found = {plan: shortfalls(PLANS[plan], all_values("medusa", plan, production)) for plan in PLANS}
    assert "storage of 10240Mi, its quota is 5Gi" in found["small"]
    assert found["medium"] == found["large"] == []


def test_what_the_operator_writes_is_laid_over():
    written = {
        "small": {"cpu": 2, "storage": "8Gi"},
        "huge": {"title": "Huge", "cpu": 8, "memory": "32Gi", "storage": "100Gi", "values": {"medusa": {}}},
    }
    found = laid_over(written, PLANS)
    assert (found["small"].cpu, found["small"].memory, found["small"].storage) == ("2", "3Gi", "8Gi")
    assert (found["huge"].title, found["huge"].hard["requests.storage"]) == ("Huge", "100Gi")
    assert found["medium"] == PLANS["medium"]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (["small"], "has to hold a mapping of plans by name"),
        ({"small": {"disk": "5Gi"}}, "small.disk: Extra inputs are not permitted"),
        ({"small": {"cpu": "many"}}, "small.cpu: is not a size"),
        ({"small": {"memory": "-1Gi"}}, "small.memory: is not a size"),
        ({"small": {"storage": 0}}, "small.storage: is not a size"),
        ({"small": "5Gi"}, "small: Input should be a valid dictionary"),
        ({"huge": {"cpu": 8}}, "huge: a new plan needs memory, storage"),
        ({"very large": {"cpu": 8}}, "calls a plan “very large”"),
        ({"small": {"values": []}}, "small.values: Input should be a valid dictionary"),
    ],
)
def test_what_cannot_be_used_is_told(written, says):
    with pytest.raises(ValueError, match=says):
        laid_over(written, PLANS)


def test_a_store_whose_plan_is_not_known_any_more_loses_nothing():
    assert plan_of("gone") is PLANS["large"]


@pytest.mark.parametrize(
    ("values", "short"),
    [
        ({"medusa": {"replicas": 4}}, ["memory limits of 4480Mi, its quota is 3Gi"]),
        ({"medusa": {"resources": {"requests": {"cpu": "1"}}}}, ["CPU requests of 2.04, its quota is 1"]),
        ({"postgresql": {"persistence": {"size": "6Gi"}}}, ["storage of 6144Mi, its quota is 5Gi"]),
        ({"postgresql": {"persistence": {"size": "6Gi", "enabled": False}}}, []),
        ({"postgresql": {"enabled": False, "persistence": {"size": "6Gi"}}}, []),
    ],
)
def test_what_a_store_asks_for_beyond_its_quota(values, short):
    assert shortfalls(PLANS["small"], all_values("medusa", "small", values)) == short

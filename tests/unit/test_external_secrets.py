"""The cause of a Secret that an external secret store does not make."""

from datetime import UTC, datetime

from provisioning.failures import diagnose
from provisioning.failures.steps import finding_of
from provisioning.helm import HelmError
from tests.unit.cluster_objects import obj, warning

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def shop(**annotations: str):
    found = obj("Deployment", "medusa", part="medusa", spec={"replicas": 1}, status={})
    found["metadata"]["annotations"] = {f"storefleet.dev/{key}": value for key, value in annotations.items()}
    return found


def test_the_operators_own_words_are_told():
    asked = obj("ExternalSecret", "store-secrets")
    said = warning(asked, "UpdateFailed", "error processing spec.dataFrom[0].extract: could not get secret data")
    finding = diagnose([shop(secrets="external"), said], NOON)
    assert finding is not None
    assert finding.reason.code == "external_secret"
    assert finding.reason.message.startswith("External secret not synced: error processing spec.dataFrom[0].extract")
    assert finding.reason.evidence[0].startswith("externalsecret/store-secrets UpdateFailed: ")
    assert not finding.lasting


def test_one_that_is_there_is_no_cause():
    assert diagnose([shop(secrets="external"), obj("Secret", "store-secrets", type="Opaque")], NOON) is None
    assert diagnose([shop()], NOON) is None


def test_a_cluster_that_does_not_know_them():
    words = (
        "unable to build kubernetes objects from release manifest: resource mapping not found for name: "
        '"store-secrets" namespace: "" from "": no matches for kind "ExternalSecret" in version '
        '"external-secrets.io/v1"'
    )
    finding = finding_of(HelmError(words), "store-shop")
    assert (finding.reason.code, finding.lasting) == ("external_secret", True)
    assert "Install External Secrets" in finding.reason.hint

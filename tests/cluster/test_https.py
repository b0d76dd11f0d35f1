"""On a real cluster: a shop that is reached by HTTPS, its certificate issued for it; the test is cert-manager here."""

import base64
import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.cluster import Kubectl, served_on_the_cluster
from tests.cluster.test_whole_line import assert_nothing_is_left, wait_for, wait_until_gone

INGRESS = os.environ.get("STOREFLEET_TEST_INGRESS_TLS", "")
ISSUER, SECRET = "by-the-test", "medusa-tls"
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "certificates.cert-manager.io"},
    "spec": {
        "group": "cert-manager.io",
        "scope": "Namespaced",
        "names": {"kind": "Certificate", "plural": "certificates", "singular": "certificate"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}

pytestmark = pytest.mark.skipif(not INGRESS, reason="needs the ingress's TLS: set STOREFLEET_TEST_INGRESS_TLS")

Key = ec.EllipticCurvePrivateKey


def certificate(name: str, key: Key, issuer: str, by: Key, until: datetime, *, is_authority: bool) -> bytes:
    """PEM."""
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if is_authority:
        uses = dict.fromkeys(
            (
                *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
                *("encipher_only", "decipher_only", "digital_signature"),
            ),
            False,
        )
        signs = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **uses)
        built = built.add_extension(signs, critical=True)
    else:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return built.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def until(look: Callable[[], Any], within: float = 60) -> Any:
    """The first true answer of `look`."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.3)
    return found


def test_a_certificate_is_waited_for_and_then_the_shop_is_asked_by_its_name(
    kubectl: Kubectl, kubectl_apply: Callable[[Any], None], tmp_path: Path
):
    if CRD["metadata"]["name"] in kubectl.names("customresourcedefinitions"):
        pytest.skip("this cluster has cert-manager itself")
    name, authority = f"tls-{secrets.token_hex(3)}", ec.generate_private_key(ec.SECP256R1())
    host, space = f"{name}.localhost", f"store-{name}"
    lasts_until = datetime.now(UTC) + timedelta(days=60)
    trusted, values = tmp_path / "authority.pem", tmp_path / "values.json"
    trusted.write_bytes(certificate("test", authority, "test", authority, lasts_until, is_authority=True))
    values.write_text(json.dumps({"ingress": {"tls": {"clusterIssuer": ISSUER}}}))
    served = served_on_the_cluster(tmp_path, SSL_CERT_FILE=str(trusted), STOREFLEET_STORE_VALUES=str(values))
    served.settings |= {"STOREFLEET_STORE_URL": "https://{name}.localhost", "STOREFLEET_INGRESS_URL": INGRESS}
    kubectl_apply(CRD)
    kubectl.run("wait", "--for=condition=Established", f"crd/{CRD['metadata']['name']}", "--timeout=30s")
    try:
        with served.start().client(served.token()) as api:
            store = api.post("/api/v1/stores", json={"name": name}).raise_for_status().json()

            def part() -> dict[str, Any]:
                parts = api.get(f"/api/v1/stores/{name}/parts").json()["items"]
                return next(each for each in parts if each["key"] == "certificate")

            def waits() -> str:
                return (api.get(f"/api/v1/stores/{name}").json()["reason"] or {}).get("message", "")

            until(lambda: "certificate" in waits(), 120)
            print(waits())
            assert part()["health"] == "degraded"
            ingress = json.loads(kubectl.run("get", "ingress", "medusa", "--namespace", space, "--output", "json"))
            assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == ISSUER
            assert ingress["spec"]["tls"] == [{"hosts": [host], "secretName": SECRET}]

            kubectl_apply(issued(space, {"type": "Ready", "status": "False", "message": "Waiting for the order"}))
            until(lambda: "Waiting for the order" in part()["note"])
            assert "Waiting for the order" in str(api.get(f"/api/v1/stores/{name}").json()["reason"])

            key = ec.generate_private_key(ec.SECP256R1())
            kubectl_apply(tls(space, key, certificate(host, key, "test", authority, lasts_until, is_authority=False)))
            kubectl_apply(issued(space, {"type": "Ready", "status": "True"}, lasts_until))
            ready = wait_for(api, name, "READY", "FAILED")
            assert ready["state"] == "READY", ready
            assert ready["url"] == f"https://{host}"
            until(lambda: part()["health"] == "ok")
            assert part()["detail"] == f"valid until {lasts_until:%Y-%m-%d}"
            api.delete(f"/api/v1/stores/{name}").raise_for_status()
            wait_until_gone(api, name)
            assert_nothing_is_left(kubectl, store)
    finally:
        served.stop()


def issued(space: str, ready: dict[str, str], lasts_until: datetime | None = None) -> dict[str, Any]:
    """What cert-manager says of the certificate that an Ingress's annotation asks for."""
    status: dict[str, Any] = {"conditions": [ready]}
    if lasts_until:
        status["notAfter"] = f"{lasts_until:%Y-%m-%dT%H:%M:%SZ}"
    metadata = {"name": SECRET, "namespace": space}
    spec = {"secretName": SECRET, "issuerRef": {"kind": "ClusterIssuer", "name": ISSUER}}
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def tls(space: str, key: Key, pem: bytes) -> dict[str, Any]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    data = {"tls.crt": base64.b64encode(pem).decode(), "tls.key": base64.b64encode(private).decode()}
    metadata = {"name": SECRET, "namespace": space}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}

"""What the failure of a step means: the cluster's answers, Helm's words, and the way in to the shop."""

import pytest

from provisioning.act import Foreign
from provisioning.cluster import ClusterError
from provisioning.failures import trouble_with
from provisioning.failures.front_door import WayIn, not_reached
from provisioning.failures.steps import finding_of
from provisioning.helm import HelmError
from provisioning.probe import Answer, Problem
from provisioning.secrets import SealBroken
from tests.unit.cluster_objects import obj

RBAC = (
    'secrets "store-secrets" is forbidden: User "system:serviceaccount:platform:storefleet" cannot patch resource '
    '"secrets" in API group "" in the namespace "store-shop"'
)

STEPS = {
    "permission": (
        ClusterError(RBAC, 403),
        ("permission_denied", "The platform is not permitted to patch secrets in store-shop", True),
    ),
    "permission in the whole cluster": (
        ClusterError('namespaces is forbidden: User "x" cannot create resource "namespaces" in API group ""', 403),
        ("permission_denied", "The platform is not permitted to create namespaces", True),
    ),
    "permission, told by Helm": (
        HelmError(f"failed to create resource: {RBAC.replace('patch', 'create')}"),
        ("permission_denied", "The platform is not permitted to create secrets in store-shop", True),
    ),
    "credentials": (
        ClusterError("Unauthorized", 401),
        ("permission_denied", "The cluster does not accept the platform's credentials", False),
    ),
    "namespace that goes": (
        ClusterError(
            'secrets "x" is forbidden: unable to create new content in namespace store-shop because it is being '
            "terminated",
            403,
        ),
        ("namespace_terminating", "The store's namespace is being deleted", False),
    ),
    "silence": (
        ClusterError("the cluster at https://10.0.0.1:6443 does not answer: no answer in time"),
        ("cluster_unreachable", "The cluster does not answer", False),
    ),
    "busy": (ClusterError("try later", 429), ("cluster_unreachable", "The cluster does not answer", False)),
    "silence, told by Helm": (
        HelmError('Kubernetes cluster unreachable: Get "https://10.0.0.1:6443/version": dial tcp: connection refused'),
        ("cluster_unreachable", "The cluster does not answer", False),
    ),
    "webhook that is away": (
        ClusterError('Internal error occurred: failed calling webhook "a.example.com": Post: no endpoints', 500),
        (
            "admission_webhook",
            "A part of the store is held up: the admission webhook a.example.com does not answer",
            False,
        ),
    ),
    "policy, told by Helm": (
        HelmError(
            "services \"medusa\" is forbidden: ValidatingAdmissionPolicy 'teams' with binding 'all' denied request: "
            "no team"
        ),
        ("admission_denied", "A part of the store is refused by teams: no team", True),
    ),
    "quota, told by Helm": (
        HelmError(
            'services "medusa" is forbidden: exceeded quota: store, requested: services=1, used: services=5, '
            "limited: services=5"
        ),
        ("quota_exceeded", "A part of the store is refused: quota exceeded (services: 1 asked, 5 of 5 used)", False),
    ),
    "malformed": (
        ClusterError('Secret "x" is invalid: metadata.name: too long', 422),
        ("cluster_refused", 'The cluster refused a step: Secret "x" is invalid: metadata.name: too long', True),
    ),
    "forbidden in words that nobody knows": (
        ClusterError("not today", 403),
        ("forbidden", "The cluster forbids a step of the platform", False),
    ),
    "gone in between": (
        ClusterError('namespaces "store-shop" not found', 404),
        ("cluster_refused", 'The cluster refused a step: namespaces "store-shop" not found', False),
    ),
    "values": (
        HelmError(
            "values don't meet the specifications of the schema(s) in the following chart(s): medusa-store: - at "
            "'/postgresql': additional properties 'imagex' not allowed"
        ),
        (
            "helm_error",
            "Helm refused the store values: at '/postgresql': additional properties 'imagex' not allowed",
            True,
        ),
    ),
    "template": (
        HelmError("execution error at (medusa-store/templates/x.yaml:3:4): no host"),
        (
            "helm_error",
            "The chart cannot be rendered: execution error at (medusa-store/templates/x.yaml:3:4): no host",
            True,
        ),
    ),
    "hook": (
        HelmError("failed pre-install: 1 error occurred: * job prepare failed: BackoffLimitExceeded"),
        (
            "helm_error",
            "A hook of the chart failed: failed pre-install: 1 error occurred: * job prepare failed: "
            "BackoffLimitExceeded",
            False,
        ),
    ),
    "no change of what is fixed": (
        HelmError(
            'cannot patch "postgres" with kind StatefulSet: StatefulSet.apps "postgres" is invalid: spec: Forbidden'
        ),
        (
            "cluster_refused",
            'The cluster refused a part of the store: cannot patch "postgres" with kind StatefulSet: StatefulSet.apps '
            '"postgres" is invalid: spec: Forbidden',
            True,
        ),
    ),
    "no Helm": (
        HelmError("There is no Helm: put helm, version 4, on the PATH"),
        ("helm_error", "Helm cannot be used: put helm, version 4, on the PATH", True),
    ),
    "Helm that takes too long": (
        HelmError("helm upgrade did not end within 60 s and was stopped"),
        ("helm_error", "Helm failed: helm upgrade did not end within 60 s and was stopped", False),
    ),
    "somebody else's namespace": (
        Foreign("the namespace store-shop belongs to somebody else"),
        ("foreign_namespace", "The namespace store-shop belongs to somebody else", True),
    ),
    "somebody else's release": (
        Foreign("the Helm release store-shop belongs to somebody else", release=True),
        ("foreign_release", "The Helm release store-shop belongs to somebody else", True),
    ),
    "another key": (
        SealBroken("no key opens them"),
        ("secrets_unreadable", "The store's secrets cannot be opened", True),
    ),
}


@pytest.mark.parametrize("case", STEPS)
def test_a_step_that_failed_says_what_it_means(case):
    error, (code, message, lasting) = STEPS[case]
    finding = finding_of(error, "store-shop")
    assert (finding.reason.code, finding.reason.message, finding.lasting) == (code, message, lasting)
    assert finding.reason.evidence
    assert finding.reason.hint
    assert "{" not in finding.reason.hint


def test_a_missing_permission_comes_with_the_question_to_ask():
    hint = finding_of(ClusterError(RBAC, 403)).reason.hint
    assert hint.endswith("kubectl auth can-i patch secrets --as system:serviceaccount:platform:storefleet")


def test_secrets_in_an_error_are_masked():
    reason = finding_of(HelmError("cannot use postgres://medusa:S3CR3T@host/x")).reason
    assert "S3CR3T" not in str(reason.as_dict())


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ("the cluster at https://10.0.0.1:6443 does not answer: no answer in time", "cluster_unreachable"),
        ('pods is forbidden: User "x" cannot list resource "pods" in API group ""', "permission_denied"),
        ("Unauthorized", "permission_denied"),
    ],
)
def test_trouble_with_the_watches_has_a_cause(trouble, code):
    assert trouble_with(trouble).reason.code == code


def test_trouble_that_nobody_knows_has_none():
    assert trouble_with("the first look at the cluster") is None


# The way in

URL = "https://shop.example.com"
ADDRESS = {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}
NOT_FOUND = Answer(Problem.STATUS, "GET / answers 404", 404)
SILENCE = Answer(Problem.SILENCE, "nothing answers")


def ingress(class_name="traefik", status=None, **spec):
    if class_name:
        spec["ingressClassName"] = class_name
    return obj("Ingress", "medusa", part="medusa", spec=spec, status=status or {})


def tls_ingress():
    return ingress(status=ADDRESS, tls=[{"hosts": ["shop.example.com"], "secretName": "medusa-tls"}])


def certificate(status, reason, message):
    ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return obj("Certificate", "medusa-tls", status={"conditions": [ready]})


WAYS = {
    "no Ingress": (NOT_FOUND, WayIn(), ("ingress_missing", "The store has no Ingress", False)),
    "no such class": (
        NOT_FOUND,
        WayIn(ingress("nope"), class_there=False),
        ("ingress_class", "Ingress is not served: there is no ingress class nope", True),
    ),
    "no class at all": (
        NOT_FOUND,
        WayIn(ingress("")),
        ("ingress_class", "Ingress is not served: it has no class, and the cluster no default one", False),
    ),
    "a class that nobody serves": (
        NOT_FOUND,
        WayIn(ingress(), class_there=True),
        ("ingress_no_address", "Ingress has no address: no controller of the class traefik takes it up", False),
    ),
    "a host that the controller does not know": (
        NOT_FOUND,
        WayIn(ingress(status=ADDRESS), class_there=True),
        ("ingress_no_address", "The ingress does not know the host shop.example.com: it answers 404", False),
    ),
    "no way from the controller to the pods": (
        Answer(Problem.STATUS, "GET / answers 503", 503),
        WayIn(ingress(status=ADDRESS), class_there=True),
        ("ingress_unreachable", "The ingress does not get through to the shop: it answers 503", False),
    ),
    "silence": (
        SILENCE,
        WayIn(ingress(status=ADDRESS), class_there=True),
        ("ingress_unreachable", "Nothing answers at the store's address", False),
    ),
    "another answer": (
        Answer(Problem.STATUS, "GET / answers 302", 302),
        WayIn(ingress(status=ADDRESS), class_there=True),
        ("shop_answers_wrong", "The store's address answers 302", False),
    ),
    "a name that does not resolve": (
        Answer(Problem.NAME, "Name or service not known"),
        WayIn(ingress(status=ADDRESS), class_there=True),
        ("dns_missing", "The host name shop.example.com does not resolve", False),
    ),
    "a certificate of somebody else's": (
        Answer(Problem.TLS, "Hostname mismatch"),
        WayIn(ingress(status=ADDRESS), class_there=True),
        ("tls_missing", "HTTPS to shop.example.com fails: Hostname mismatch", False),
    ),
    "a certificate that is being issued": (
        Answer(Problem.TLS, "self-signed certificate"),
        WayIn(tls_ingress(), True, False, certificate("False", "DoesNotExist", "waiting for the HTTP-01 challenge")),
        ("tls_missing", "TLS certificate medusa-tls is not ready: waiting for the HTTP-01 challenge", False),
    ),
    "a certificate that nobody makes": (
        Answer(Problem.TLS, "self-signed certificate"),
        WayIn(tls_ingress(), class_there=True, secret_there=False),
        ("tls_missing", "TLS certificate is missing: no Secret medusa-tls", False),
    ),
    "where nothing may be read, the answer alone": (
        NOT_FOUND,
        WayIn(tls_ingress()),
        ("ingress_no_address", "The ingress does not know the host shop.example.com: it answers 404", False),
    ),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_shop_that_is_not_reached_says_where_the_way_ends(case):
    answer, way, (code, message, lasting) = WAYS[case]
    finding = not_reached(answer, URL, way)
    assert (finding.reason.code, finding.reason.message, finding.lasting) == (code, message, lasting)
    assert finding.reason.evidence[-1] == answer.detail
    assert "{" not in finding.reason.hint

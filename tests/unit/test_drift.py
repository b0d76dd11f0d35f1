"""What counts as drift: what was asked for and is not so.  What others set beside it does not."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.drift import changed_by, differences

WANTED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "medusa", "labels": {"app.kubernetes.io/name": "medusa"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "medusa"}},
        "template": {
            "spec": {
                "nodeSelector": {},
                "containers": [
                    {
                        "name": "medusa",
                        "image": "shop:1",
                        "args": ["start"],
                        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
                        "ports": [{"name": "http", "containerPort": 9000}],
                        "resources": {"limits": {"memory": "1024Mi"}, "requests": {"cpu": 0.5}},
                        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "tmp", "mountPath": "/var"}],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "0.25Gi"}}],
            }
        },
    },
}


def as_stored():
    """WANTED as an API server gives it back: defaults, other words for quantities, what is empty left out."""
    there = copy.deepcopy(WANTED)
    there["metadata"] |= {"uid": "u", "generation": 1, "annotations": {"deployment.kubernetes.io/revision": "1"}}
    there["status"] = {"replicas": 1}
    there["spec"] |= {"progressDeadlineSeconds": 600, "strategy": {"type": "RollingUpdate"}}
    pod = there["spec"]["template"]["spec"]
    del pod["nodeSelector"]
    pod |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
    container = pod["containers"][0]
    container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}
    container["env"][1] = {"name": "EMPTY"}
    container["ports"][0]["protocol"] = "TCP"
    container["resources"] = {"limits": {"memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
    pod["volumes"][0]["emptyDir"] = {"sizeLimit": "256Mi"}
    return there


def test_defaults_and_other_words_are_no_drift():
    assert differences(WANTED, as_stored()) == ()


def _set(path, value):
    def change(there):
        *parents, last = path
        for key in parents:
            there = there[key]
        if value is None:
            del there[last]
        else:
            there[last] = value

    return change


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set(("spec", "replicas"), 0), "spec.replicas was 0, not 1"),
        (_set((*CONTAINER, "image"), "evil:1"), "spec.template.spec.containers[medusa].image was evil:1, not shop:1"),
        (_set((*CONTAINER, "image"), None), "spec.template.spec.containers[medusa].image was missing, not shop:1"),
        (_set((*CONTAINER, "args"), ["start", "-v"]), "spec.template.spec.containers[medusa].args was changed"),
        # What stands in an environment may be a secret that somebody typed in.
        (_set((*CONTAINER, "env", 0, "value"), "x"), "spec.template.spec.containers[medusa].env[A].value was changed"),
        (
            _set((*CONTAINER, "env", 0, "name"), "B"),
            "spec.template.spec.containers[medusa].env[A] was missing",
        ),
        (
            _set((*CONTAINER, "resources", "limits", "memory"), "2Gi"),
            "spec.template.spec.containers[medusa].resources.limits.memory was 2Gi, not 1024Mi",
        ),
        (_set(("metadata", "labels"), {}), "metadata.labels.app.kubernetes.io/name was missing, not medusa"),
        (_set(("spec", "selector", "matchLabels", "more"), "x"), "spec.selector.matchLabels was changed"),
        (_set((*POD, "nodeSelector"), {"disk": "ssd"}), "spec.template.spec.nodeSelector was changed"),
        (_set((*POD, "volumes"), []), "spec.template.spec.volumes[tmp] was missing"),
    ],
)
def test_what_was_changed_is_named(change, said):
    there = as_stored()
    change(there)
    assert str(differences(WANTED, there)[0]) == said


@pytest.mark.parametrize(
    "change",
    [
        _set(("metadata", "annotations"), {"note": "mine"}),
        _set(("metadata", "labels", "team"), "blue"),
        _set(
            (*POD, "containers", 0, "env"),
            [{"name": "EMPTY"}, {"name": "MORE", "value": "x"}, {"name": "A", "value": "1"}],
        ),
        _set(("status",), {"replicas": 7}),
    ],
)
def test_what_others_set_beside_it_is_theirs(change):
    there = as_stored()
    change(there)
    assert differences(WANTED, there) == ()


def test_replicas_that_were_not_asked_for_are_an_autoscalers():
    wanted, there = copy.deepcopy(WANTED), as_stored()
    del wanted["spec"]["replicas"]
    there["spec"]["replicas"] = 4
    assert differences(wanted, there) == ()


def test_a_rule_of_a_policy_that_lets_more_in():
    rule = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
    wanted = {"kind": "NetworkPolicy", "metadata": {"name": "dns"}, "spec": {"podSelector": {}, "egress": [rule]}}
    there = copy.deepcopy(wanted)
    assert differences(wanted, there) == ()
    there["spec"]["egress"].append({})
    assert [each.path for each in differences(wanted, there)] == ["spec.egress"]
    narrowed = copy.deepcopy(wanted)
    narrowed["spec"]["podSelector"] = {"matchLabels": {"app": "none"}}
    assert [each.path for each in differences(wanted, narrowed)] == ["spec.podSelector"]


def test_no_value_of_a_secret_is_shown():
    wanted = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aGVsbG8="}}
    (found,) = differences(wanted, {**wanted, "data": {"password": "aGF4"}})
    assert str(found) == "data.password was changed"


values = st.recursive(
    st.one_of(st.integers(-5, 5), st.booleans(), st.text("ab", max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["spec", "rules", "type"]), values, max_size=3))
def test_an_object_never_differs_from_itself(content):
    obj = {"kind": "X", "metadata": {"name": "x"}, **content}
    assert differences(obj, copy.deepcopy(obj)) == ()


def test_who_changed_it_is_the_last_who_is_no_controller():
    fields = [
        {"manager": "helm", "time": "2026-01-01T00:00:00Z"},
        {"manager": "kubectl-edit", "time": "2026-01-03T00:00:00Z"},
        {"manager": "kubectl-scale", "time": "2026-01-02T00:00:00Z"},
        {"manager": "kube-controller-manager", "time": "2026-01-04T00:00:00Z", "subresource": "status"},
    ]
    assert changed_by({"metadata": {"managedFields": fields}}, ("helm",)) == "kubectl-edit"
    assert changed_by({"metadata": {}}, ("helm",)) == ""

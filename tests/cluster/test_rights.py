"""The chart's roles allow what the engine was seen to do, and nothing else.

Compared with the API server's audit log, which STOREFLEET_TEST_AUDIT_LOG names, of all that the tests before this one
did (it runs last): the calls of the account of a platform that was installed by its chart, and those of `storefleet`
processes and their helms that had an administrator's kubeconfig.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from provisioning.cache import WATCHED
from provisioning.kinds import KINDS
from tests.cluster.audit_log import Call, calls
from tests.integration.charts import Obj, rendered

LOG = os.environ.get("STOREFLEET_TEST_AUDIT_LOG", "")
ACCOUNT = re.compile(r"system:serviceaccount:storefleet-[0-9a-f]{6}:storefleet")
# Namespaces that are called as stores' are, and in which tests use Helm for themselves, or plant what no store has.
TESTS_OWN = re.compile(r"store-(chart|bare)-")

Right = tuple[str, str, str]  # group, resource, verb

# Everybody who is known to the cluster may ask what he may do.
EVERYBODYS = {("authorization.k8s.io", "selfsubjectrulesreviews", "create")}

# Rights that not every run of the tests makes use of: group, resources, verbs, and why the engine has them.
SELDOM = [
    ("", "namespaces", "patch", "one that lost its labels gets them back"),
    ("", "limitranges resourcequotas", "get", "read once more before they are put back, where somebody changed them"),
    ("networking.k8s.io", "networkpolicies", "get", "the same"),
    ("", "persistentvolumes", "delete get patch", "of deleted stores, where the policy is Retain"),
    ("", "pods", "delete", "one that hangs is replaced"),
    ("", "pods/exec", "create get", "a new password is set in a database; `create` is asked for by Kubernetes 1.35"),
    ("metrics.k8s.io", "pods", "list", "where there is a metrics server, once a minute"),
    (
        "autoscaling",
        "horizontalpodautoscalers",
        "create delete get patch",
        "store values for several pods, and a Redis",
    ),
    ("policy", "poddisruptionbudgets", "create delete get patch", "the same"),
    ("cert-manager.io", "certificates", "get", "a shop is not reached by HTTPS"),
    ("networking.k8s.io", "ingressclasses", "get", "a shop is not reached"),
]

pytestmark = pytest.mark.skipif(not LOG, reason="needs the API server's audit log: set STOREFLEET_TEST_AUDIT_LOG")


def rules(kind: str) -> list[Obj]:
    objects = rendered("platform", "storefleet")
    return [rule for (each, _), obj in objects.items() if each == kind for rule in obj["rules"]]


def rights(rules: Iterable[Obj]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


EVERYWHERE, AT_HOME = rights(rules("ClusterRole")), rights(rules("Role"))


@pytest.fixture(scope="module")
def seen() -> set[Call]:
    return calls(Path(LOG))


@pytest.fixture(scope="module")
def by_the_account(seen: set[Call]) -> set[Call]:
    found = {call for call in seen if ACCOUNT.fullmatch(call.user)}
    if not found:
        pytest.skip("no platform was installed by its chart before")
    return found


def engines(seen: Iterable[Call]) -> Iterator[Call]:
    """Calls that an engine made, or a helm of its."""
    for call in seen:
        if TESTS_OWN.match(call.namespace):
            continue
        ours = ACCOUNT.fullmatch(call.user) or call.agent.startswith("storefleet/")
        a_store_s = call.namespace.startswith("store-")
        a_store_s = a_store_s and not call.resource.startswith("pods")  # `helm test`, which people run, and no engine
        if ours or (call.agent.startswith("Helm/") and a_store_s):
            yield call


def test_the_account_was_never_refused(by_the_account: set[Call]):
    assert sorted({(call.right, call.namespace) for call in by_the_account if call.forbidden}) == []


def test_what_an_administrators_engine_does_the_account_may_do(seen: set[Call]):
    # Looking for what is left in a namespace, it lists every kind that it may list: an administrator, all there are.
    kinds = [KINDS[each] for each in (*(watched.kind for watched in WATCHED), "Node")]
    listed = {(kind.api_version.rpartition("/")[0], kind.plural) for kind in kinds}
    needed = {call.right for call in engines(seen) if call.verb != "list" or call.right[:2] in listed}
    if not needed:
        pytest.skip("no engine was at work before")
    assert sorted(needed - EVERYWHERE - AT_HOME - EVERYBODYS) == []


def test_what_the_account_may_do_it_needs(seen: set[Call], by_the_account: set[Call]):
    used = {call.right for call in engines(seen)}
    seldom = rights(
        {"apiGroups": [group], "resources": plurals.split(), "verbs": verbs.split()}
        for group, plurals, verbs, _ in SELDOM
    )
    assert sorted(seldom - EVERYWHERE - AT_HOME) == [], "these are not its rights"
    print("not used:", sorted((EVERYWHERE | AT_HOME) - used))
    if not os.environ.get("CI"):
        pytest.skip("the whole suite has to have run before, as it has in CI")
    assert sorted((EVERYWHERE | AT_HOME) - used - seldom) == []


def test_the_role_at_home_is_used_nowhere_else(by_the_account: set[Call]):
    for call in by_the_account:
        if call.right in AT_HOME - EVERYWHERE:
            assert call.user.split(":")[2] == call.namespace

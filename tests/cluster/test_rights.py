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

from provisioning.cluster import KINDS
from tests.cluster.audit_log import Call, calls
from tests.integration.charts import Obj, rendered

LOG = os.environ.get("STOREFLEET_TEST_AUDIT_LOG", "")
ACCOUNT = re.compile(r"system:serviceaccount:storefleet-[0-9a-f]{6}:storefleet")
# Namespaces that are called as stores' are, and in which tests use Helm for themselves.
TESTS_OWN = re.compile(r"store-chart-")

Right = tuple[str, str, str]  # group, resource, verb

# Rights that no test makes use of, and why the engine has them all the same.
UNUSED: dict[Right, str] = {}

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
        ours = ACCOUNT.fullmatch(call.user) or call.agent.startswith("storefleet/")
        a_store_s = call.namespace.startswith("store-") and not TESTS_OWN.match(call.namespace)
        if ours or (call.agent.startswith("Helm/") and a_store_s):
            yield call


def test_the_account_was_never_refused(by_the_account: set[Call]):
    assert sorted({(call.right, call.namespace) for call in by_the_account if call.forbidden}) == []


def test_what_an_administrators_engine_does_the_account_may_do(seen: set[Call]):
    # Looking for what is left in a namespace, it lists every kind that it may list: an administrator, all there are.
    known = {(kind.api_version.rpartition("/")[0], kind.plural) for kind in KINDS.values()}
    needed = {call.right for call in engines(seen) if call.verb != "list" or call.right[:2] in known}
    assert needed
    assert sorted(needed - EVERYWHERE - AT_HOME) == []


def test_what_the_account_may_do_it_needs(seen: set[Call], by_the_account: set[Call]):
    used = {call.right for call in engines(seen)}
    print("not used:", sorted((EVERYWHERE | AT_HOME) - used))
    if not os.environ.get("CI"):
        pytest.skip("the whole suite has to have run before, as it has in CI")
    assert sorted((EVERYWHERE | AT_HOME) - used - UNUSED.keys()) == []
    assert sorted(UNUSED.keys() - EVERYWHERE - AT_HOME) == [], "these are not rights of its"


def test_the_role_at_home_is_used_nowhere_else(by_the_account: set[Call]):
    for call in by_the_account:
        if call.right in AT_HOME - EVERYWHERE:
            assert call.user.split(":")[2] == call.namespace

"""Each cause, from what the cluster shows to the sentence that a person reads."""

from datetime import UTC, datetime

import pytest

from provisioning.failures import ADMIN, OWNER, diagnose
from provisioning.failures.logs import waits_for_database
from tests.unit.cluster_objects import crashed, gone_pod, obj, pod, running, waiting, warning, workload

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOT_FOUND = 'Back-off pulling image "postgres:17-trixi": ErrImagePull: rpc error: code = NotFound desc = not found'
PREEMPTION = " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
FORBIDDEN = 'pods "medusa-7d8b-x" is forbidden: '


def claim(phase="Pending", **more):
    return obj("PersistentVolumeClaim", "data-postgres-0", part="postgres", status={"phase": phase}, **more)


def unplaced(said, part="medusa", **spec):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said + PREEMPTION}
    return pod(f"{part}-1", part, conditions=(condition,), spec=spec)


def asking(**requests):
    return [{"name": "c", "resources": {"requests": requests}}]


def events_of_claim(*said, phase="Pending", **more):
    subject = claim(phase, **more)
    return [subject, *(warning(subject, *each) for each in said)]


def refused_deployment(said, *, now=True):
    """A Deployment whose ReplicaSet may not make pods; `now`: the ReplicaSet tried again in this attempt."""
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}
    replica_set = obj("ReplicaSet", "medusa-7d8b")
    return [
        workload("Deployment", "medusa", conditions=(failed,)),
        *([warning(replica_set, "FailedCreate", said)] * now),
    ]


def refused_set(said):
    subject = workload("StatefulSet", "postgres")
    return [subject, warning(subject, "FailedCreate", said)]


def evicted(said, number=1):
    pods = [gone_pod("postgres-0") for _ in range(number)]
    return [workload("StatefulSet", "postgres", pods=1), *(warning(each, "Evicted", said) for each in pods)]


def on_lost_node(**metadata):
    conditions = ({"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": "False"})
    subject = pod(
        *("postgres-0", "postgres", running(ready=True)),
        phase="Running",
        conditions=conditions,
        spec={"nodeName": "node-1"},
    )
    subject["metadata"] |= metadata
    return [subject, warning(subject, "NodeNotReady", "Node is not ready")]


def unhealthy(said, *containers, times=1):
    subject = pod("medusa-1", "medusa", *containers, phase="Running")
    return [subject, {**warning(subject, "Unhealthy", said), "count": times}]


def killed_by_probe():
    again = {**running(started=False, restarts=1), "lastState": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    subject = pod("medusa-1", "medusa", again, phase="Running")
    said = "Liveness probe failed: Get http://10.1.0.9:9000/health: context deadline exceeded"
    killing = warning(subject, "Killing", "Container c failed liveness probe, will be restarted")
    return [subject, warning(subject, "Unhealthy", said), {**killing, "type": "Normal"}]


def leaving_namespace():
    held = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "Some content has finalizers: x"}
    namespace = obj("Namespace", "store-shop", status={"conditions": [held]})
    namespace["metadata"]["deletionTimestamp"] = "2026-01-02T12:01:00Z"
    return [namespace, pod("medusa-1", "medusa", waiting("ErrImagePull"))]


def deleted_claim():
    subject = claim("Bound")
    subject["metadata"]["deletionTimestamp"] = "2026-01-02T12:01:00Z"
    return [subject]


def limited_crash(limit, crash):
    spec = {"containers": [{"name": "c", "resources": {"limits": {"memory": limit}}}]}
    return pod("medusa-1", "medusa", crash, spec=spec)


def last_words(*lines):
    return [pod("medusa-1", "medusa", crashed(3, message="\n".join(lines)))]


def postgres_said(*lines):
    return [pod("postgres-0", "postgres", crashed(3, message="\n".join(lines)))]


CASES = {
    # Images
    "image that is not there": (
        [pod("postgres-0", "postgres", waiting("ImagePullBackOff", NOT_FOUND))],
        ("image_pull", "PostgreSQL pod failed to start: ImagePullBackOff", True),
    ),
    "image that was refused for the first time": (
        [pod("postgres-0", "postgres", waiting("ErrImagePull", NOT_FOUND))],
        ("image_pull", "PostgreSQL pod failed to start: ErrImagePull", False),
    ),
    "image that wants credentials": (
        [pod("medusa-1", "medusa", waiting("ImagePullBackOff", "failed to authorize: 401 Unauthorized"))],
        ("image_pull", "Medusa pod failed to start: ImagePullBackOff", True),
    ),
    "image whose name is none": (
        [pod("medusa-1", "medusa", waiting("InvalidImageName", 'couldn\'t parse image name "A:b:c"'))],
        ("image_pull", "Medusa pod failed to start: InvalidImageName", True),
    ),
    "registry that is away": (
        [pod("medusa-1", "medusa", waiting("ImagePullBackOff", "dial tcp 10.0.0.1:443: i/o timeout"))],
        ("image_pull", "Medusa pod failed to start: ImagePullBackOff", False),
    ),
    # Containers
    "crash loop": (
        last_words("Error: boom"),
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", True),
    ),
    "one crash": (
        [pod("medusa-1", "medusa", crashed(1))],
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", False),
    ),
    "crashed, and running again": (
        [pod("medusa-1", "medusa", crashed(4, now="running"))],
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", False),
    ),
    "a program that ends without an error": (
        [pod("medusa-1", "medusa", crashed(3, code=0, reason="Completed"))],
        ("crash_loop", "Medusa pod failed to start: CrashLoopBackOff", True),
    ),
    "failed migration": (
        last_words("storefleet: failed: migration: no such column"),
        ("migration_failed", "Medusa pod failed to start: the database migration failed", True),
    ),
    "wrong password": (
        last_words('storefleet: failed: database: password authentication failed for user "medusa"'),
        ("database_refused", "Medusa pod failed to start: the database refuses it", True),
    ),
    "database that breaks off": (
        last_words("storefleet: failed: database: Connection terminated unexpectedly"),
        ("database_unreachable", "Medusa pod failed to start: the database does not answer", False),
    ),
    "database that answers with an error": (
        last_words('storefleet: failed: database: relation "store" already exists'),
        ("database_failed", "Medusa pod failed to start: the database answered with an error", True),
    ),
    "settings that the shop does not accept": (
        last_words("storefleet: failed: configuration: STORE_CURRENCY is not a currency code of three letters"),
        ("shop_configuration", "Medusa pod failed to start: its settings are not accepted", True),
    ),
    "full volume": (
        postgres_said('PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device'),
        ("volume_full", "PostgreSQL pod failed to start: no space left on its volume", True),
    ),
    "data of another version": (
        postgres_said("FATAL:  database files are incompatible with server"),
        ("database_version", "PostgreSQL pod failed to start: its data is of another version", True),
    ),
    "out of memory": (
        [pod("medusa-1", "medusa", crashed(3, reason="OOMKilled", code=137))],
        ("out_of_memory", "Medusa pod failed to start: OOMKilled", True),
    ),
    "too little memory to start at all": (
        [
            pod(
                "medusa-1",
                "medusa",
                crashed(
                    3, reason="StartError", code=128, message="container init was OOM-killed (memory limit too low?)"
                ),
            )
        ],
        ("out_of_memory", "Medusa pod failed to start: OOMKilled", True),
    ),
    "no such command": (
        [pod("medusa-1", "medusa", crashed(3, reason="StartError", code=128, message='exec: "x": not found in $PATH'))],
        ("container_start", "Medusa pod failed to start: StartError", True),
    ),
    "no such command, told while waiting": (
        [pod("medusa-1", "medusa", {**waiting("RunContainerError", 'exec: "x": not found'), "restartCount": 3})],
        ("container_start", "Medusa pod failed to start: RunContainerError", True),
    ),
    "reference to nothing": (
        [pod("medusa-1", "medusa", waiting("CreateContainerConfigError", 'secret "x" not found'))],
        ("container_config", 'Medusa pod failed to start: secret "x" not found', False),
    ),
    "readiness probe that fails": (
        unhealthy("Readiness probe failed: HTTP probe failed with statuscode: 503", running()),
        (
            "probe_failing",
            "Medusa pod is not ready: readiness probe failed: HTTP probe failed with statuscode: 503",
            False,
        ),
    ),
    "liveness probe that ended it": (
        killed_by_probe(),
        (
            "probe_failing",
            "Medusa pod is restarted: its liveness probe fails: liveness probe failed: "
            "Get http://10.1.0.9:9000/health: context deadline exceeded",
            False,
        ),
    ),
    "slow start": (
        unhealthy("Startup probe failed: HTTP probe failed with statuscode: 503", running(started=False), times=15),
        (
            "probe_failing",
            "Medusa pod is still starting: startup probe failed: HTTP probe failed with statuscode: 503",
            False,
        ),
    ),
    # Nodes
    "no memory": (
        [unplaced("0/1 nodes are available: 1 Insufficient memory.", containers=asking(memory="64Gi"))],
        ("unschedulable", "Medusa pod cannot be placed on 1 node: not enough memory (asks for 64Gi)", False),
    ),
    "no CPU": (
        [unplaced("0/3 nodes are available: 3 Insufficient cpu.", "postgres", containers=asking(cpu="64"))],
        ("unschedulable", "PostgreSQL pod cannot be placed on 3 nodes: not enough cpu (asks for 64)", False),
    ),
    "too many pods": (
        [unplaced("0/1 nodes are available: 1 Too many pods.")],
        ("unschedulable", "Medusa pod cannot be placed on 1 node: no room for one more pod", False),
    ),
    "a label that no node has": (
        [
            unplaced(
                "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
                nodeSelector={"disk": "fast"},
            )
        ],
        (
            "unschedulable",
            "Medusa pod cannot be placed on 2 nodes: no node has the labels that it selects (disk=fast)",
            False,
        ),
    ),
    "a taint": (
        [unplaced("0/1 nodes are available: 1 node(s) had untolerated taint {team: red}.")],
        ("unschedulable", "Medusa pod cannot be placed on 1 node: the taint team: red keeps it off", False),
    ),
    "a taint of newer words": (
        [unplaced("0/1 nodes are available: 1 node(s) had untolerated taint(s).")],
        ("unschedulable", "Medusa pod cannot be placed on 1 node: the taint of the nodes keeps it off", False),
    ),
    "cordoned": (
        [unplaced("0/1 nodes are available: 1 node(s) were unschedulable.")],
        ("unschedulable", "Medusa pod cannot be placed on 1 node: the nodes are cordoned", False),
    ),
    "a volume on another node": (
        [unplaced("0/2 nodes are available: 2 node(s) had volume node affinity conflict.")],
        (
            "unschedulable",
            "Medusa pod cannot be placed on 2 nodes: its volume is not where the free nodes are",
            False,
        ),
    ),
    "words that nobody knows": (
        [unplaced("0/1 nodes are available: 1 node(s) are shy.")],
        ("unschedulable", "Medusa pod cannot be placed on 1 node: no node takes it", False),
    ),
    "all nodes gone": (
        [unplaced("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.")],
        ("node_lost", "Medusa pod cannot be placed on 1 node: no node answers", False),
    ),
    "node that is gone": (
        on_lost_node(),
        ("node_lost", "PostgreSQL pod is on a node that does not answer: node-1", False),
    ),
    "evicted from a full node": (
        evicted("The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi."),
        ("evicted", "PostgreSQL pod was evicted: its node was short of memory", False),
    ),
    "evicted for its own use, again and again": (
        evicted('Usage of EmptyDir volume "data" exceeds the limit "16Mi". ', number=3),
        ("evicted", "PostgreSQL pod was evicted: its volume data grew beyond 16Mi", True),
    ),
    # Volumes
    "no storage class": (
        events_of_claim(("FailedBinding", "no persistent volumes available and no storage class is set")),
        ("volume_not_bound", "PostgreSQL volume is not provided: no storage class", True),
    ),
    "storage class that is not there": (
        events_of_claim(("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')),
        ("volume_not_bound", "PostgreSQL volume is not provided: there is no storage class fast", True),
    ),
    "storage that fails": (
        events_of_claim(("ExternalProvisioning", "Waiting for a volume"), ("ProvisioningFailed", "disk full")),
        ("volume_not_bound", "PostgreSQL volume is not provided: ProvisioningFailed", False),
    ),
    "storage that nobody provides": (
        events_of_claim(("ExternalProvisioning", "Waiting for a volume to be created by 'csi.example.com'")),
        ("volume_not_bound", "PostgreSQL volume is not provided: its provisioner has not come yet", False),
    ),
    "volume that was deleted": (
        events_of_claim(("ClaimLost", "Bound claim has lost its PersistentVolume. Data is lost!"), phase="Lost"),
        ("volume_lost", "PostgreSQL volume is lost: its data is gone", True),
    ),
    "claim that was deleted by hand": (
        deleted_claim(),
        ("volume_deleted", "PostgreSQL volume was deleted: its data is lost when the pod restarts", False),
    ),
    # Refusals
    "quota that is full": (
        refused_deployment(
            FORBIDDEN + "exceeded quota: store, requested: limits.memory=1Gi, used: limits.memory=2560Mi, "
            "limited: limits.memory=3Gi"
        ),
        (
            "quota_exceeded",
            "Medusa pod is refused: quota exceeded (limits.memory: 1Gi asked, 2560Mi of 3Gi used)",
            False,
        ),
    ),
    "more than the whole quota": (
        refused_set(
            FORBIDDEN + "exceeded quota: store, requested: pods=1,requests.cpu=64, used: pods=10,requests.cpu=70m, "
            "limited: pods=10,requests.cpu=1"
        ),
        (
            "quota_exceeded",
            "PostgreSQL pod is refused: quota exceeded (pods: 1 asked, 10 of 10 used; "
            "requests.cpu: 64 asked, 70m of 1 used)",
            True,
        ),
    ),
    "volume beyond the quota": (
        refused_set(
            "create Claim data-postgres-0 for Pod postgres-0 in StatefulSet postgres failed error: "
            'persistentvolumeclaims "data-postgres-0" is forbidden: exceeded quota: store, requested: '
            "requests.storage=100Gi, used: requests.storage=0, limited: requests.storage=5Gi"
        ),
        (
            "quota_exceeded",
            "PostgreSQL volume is refused: quota exceeded (requests.storage: 100Gi asked, 0 of 5Gi used)",
            True,
        ),
    ),
    "quota that wants to be told": (
        refused_deployment(FORBIDDEN + "failed quota: store: must specify limits.memory for: medusa"),
        ("quota_exceeded", "Medusa pod is refused: the quota store wants limits.memory for: medusa", True),
    ),
    "limit range": (
        refused_deployment(FORBIDDEN + "maximum memory usage per Container is 1Gi, but limit is 2Gi"),
        ("limit_range", "Medusa pod is refused: maximum memory usage per Container is 1Gi, but limit is 2Gi", True),
    ),
    "pod security": (
        refused_deployment(
            FORBIDDEN + 'violates PodSecurity "restricted:latest": runAsNonRoot != true (pod must not set '
            'securityContext.runAsNonRoot=false), hostPath volumes (volume "x" (of pod "y"))'
        ),
        (
            "pod_security",
            "Medusa pod is refused: Pod Security restricted: runAsNonRoot != true, hostPath volumes",
            True,
        ),
    ),
    "webhook that refuses": (
        refused_deployment('admission webhook "policy.example.com" denied the request: no team label'),
        ("admission_denied", "Medusa pod is refused by policy.example.com: no team label", True),
    ),
    "policy that refuses": (
        refused_deployment(FORBIDDEN + "ValidatingAdmissionPolicy 'teams' with binding 'all' denied request: no team"),
        ("admission_denied", "Medusa pod is refused by teams: no team", True),
    ),
    "webhook that is away": (
        refused_deployment(
            'Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: Post '
            '"https://policy.x.svc:443/?timeout=10s": no endpoints available for service "policy"'
        ),
        (
            "admission_webhook",
            "Medusa pod is held up: the admission webhook policy.example.com does not answer",
            False,
        ),
    ),
    "a refusal in words that nobody knows": (
        refused_deployment("pods are not wanted today"),
        ("forbidden", "Medusa pod cannot be created: FailedCreate", False),
    ),
    "namespace that goes": (
        leaving_namespace(),
        ("namespace_terminating", "The store's namespace is being deleted", False),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named(case):
    objects, (code, message, lasting) = CASES[case]
    finding = diagnose(objects, NOON)
    assert (finding.reason.code, finding.reason.message, finding.lasting) == (code, message, lasting)
    assert finding.reason.hint
    assert "{" not in finding.reason.hint
    assert finding.reason.who in (OWNER, ADMIN)
    assert "/" in finding.reason.evidence[0], "it names the object"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (NOT_FOUND, "There is no image postgres:17-trixi:"),
        ("pull access denied, repository does not exist or may require authorization", "imagePullSecrets"),
        ("dial tcp: i/o timeout", "It is tried again by itself"),
    ],
)
def test_an_image_that_cannot_be_pulled_has_the_hint_that_fits(said, hint):
    finding = diagnose([pod("postgres-0", "postgres", waiting("ImagePullBackOff", said))], NOON)
    assert hint in finding.reason.hint


@pytest.mark.parametrize(
    ("said", "lasting"),
    [
        ("something new went wrong", True),
        (
            "dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: dial udp 10.0.0.53:53: connect: no route to host",
            True,
        ),
        ("dial tcp 10.0.0.1:443: connect: connection refused", False),
    ],
)
def test_three_pulls_are_enough_unless_the_registry_is_away(said, lasting):
    subject = pod("medusa-1", "medusa", waiting("ImagePullBackOff", said))
    pulling = {**warning(subject, "Pulling", "Pulling image"), "type": "Normal"}
    assert not diagnose([subject, {**pulling, "count": 1}], NOON).lasting
    assert diagnose([subject, {**pulling, "count": 3}], NOON).lasting is lasting


def test_a_crash_shows_the_lines_that_tell():
    log = [
        '{"level":"info","message":"Starting Medusa"}',
        "Error: boom",
        "    at start (/app/main.js:1:2)",
        "    at Object.<anonymous> (/app/main.js:3:4)",
        '{"level":"error","message":"it cannot go on","stack":["x"]}',
        "",
        "storefleet: failed: prepare: boom",
    ]
    finding = diagnose(last_words(*log), NOON)
    assert finding.reason.evidence == [
        "pod/medusa-1 container c: exit code 1, 3 times",
        "Starting Medusa",
        "Error: boom",
        "it cannot go on",
        "storefleet: failed: prepare: boom",
    ]


def test_out_of_memory_names_the_container_and_its_limit():
    finding = diagnose([limited_crash("16Mi", crashed(3, reason="OOMKilled", code=137))], NOON)
    assert finding.reason.evidence == ["pod/medusa-1 container c: OOMKilled at the memory limit 16Mi, 3 times"]


@pytest.mark.parametrize(
    "secret",
    [
        "postgres://medusa:S3CR3T@postgres:5432/medusa",
        "redis://:S3CR3T@redis:6379",
        "PGPASSWORD=S3CR3T",
        "password: 'S3CR3T'",
        '{"token": "S3CR3T"}',
        "Authorization: Bearer S3CR3T",
        "cookie_secret=S3CR3T",
        "eyJhbGciOiJIUzI1NiJ9.S3CR3T.S3CR3T",
    ],
)
def test_secrets_in_a_log_are_masked(secret):
    finding = diagnose(last_words(f"cannot go on with {secret} any more"), NOON)
    assert "S3CR3T" not in str(finding.reason.as_dict())
    assert "***" in finding.reason.evidence[-1]
    assert "cannot go on" in finding.reason.evidence[-1]


def test_evidence_is_bounded_and_has_no_control_characters():
    said = "\n".join(["\x1b[31mred\x1b[0m \x07 \u202e" + "x" * 2000] * 100)
    evidence = diagnose(last_words(said), NOON).reason.evidence
    assert len(evidence) <= 12
    assert all(len(line) <= 1000 and line.isprintable() for line in evidence)


def test_a_shop_that_waits_for_its_database_says_so_in_its_log():
    shop = pod("medusa-1", "medusa", running(started=False))
    log = (
        "2026-01-02T12:00:10Z storefleet: waiting for the database since 10 s: connect ECONNREFUSED 10.0.0.7:5432\n"
        "2026-01-02T12:00:20Z storefleet: waiting for the database since 20 s: getaddrinfo ENOTFOUND postgres\n"
    )
    finding = waits_for_database(shop, log)
    assert finding.reason.code == "database_unreachable"
    assert finding.reason.message == "Medusa waits for its database since 20 s: getaddrinfo ENOTFOUND postgres"
    assert not finding.lasting
    assert waits_for_database(shop, log + "2026-01-02T12:00:21Z storefleet: database migrated\n") is None
    assert waits_for_database(shop, "") is None


def test_a_lasting_cause_is_told_before_a_passing_one():
    passing = pod("medusa-1", "medusa", waiting("ErrImagePull", "i/o timeout"))
    lasting = pod("postgres-0", "postgres", crashed(3))
    assert diagnose([passing, lasting], NOON).reason.code == "crash_loop"


def test_a_database_that_is_not_let_in_is_told_before_a_shop_that_finds_no_node():
    held_up = refused_set('Internal error occurred: failed calling webhook "a.example.com": Post: no endpoints')
    shop = unplaced("0/1 nodes are available: 1 Insufficient memory.")
    assert diagnose([shop, *held_up], NOON).reason.code == "admission_webhook"


# What is only history is no finding.

WELL = pod("postgres-0", "postgres", running(ready=True), phase="Running")
WHOLE = workload("Deployment", "medusa", pods=1, ready=1)
BOUND = claim("Bound")
ENDED = pod("medusa-old", "medusa", phase="Failed", said={"reason": "Evicted", "message": "low on resource: memory"})

HISTORY = {
    "all is well": [WELL, WHOLE, BOUND],
    "a ready container that crashed": [pod("medusa-1", "medusa", {**crashed(5, now="running"), "ready": True})],
    "a ready container whose image was refused": [WELL, warning(WELL, "Failed", "Error: ImagePullBackOff")],
    "a ready container whose probe failed": [WELL, warning(WELL, "Unhealthy", "Readiness probe failed: 503")],
    "a ready container whose volume was not mounted": [WELL, warning(WELL, "FailedMount", "timed out")],
    "a pod that was not placed and now runs": [WELL, warning(WELL, "FailedScheduling", "0/1 nodes are available")],
    "a bound claim that had no class": [BOUND, warning(BOUND, "FailedBinding", "no storage class is set")],
    "a whole Deployment whose pods were refused": [
        WHOLE,
        warning(obj("ReplicaSet", "medusa-7d8b"), "FailedCreate", "exceeded quota: store"),
    ],
    "a whole Deployment whose pod was evicted": [WHOLE, ENDED, warning(ENDED, "Evicted", "low on resource: memory")],
    "a pod that leaves": [
        {
            **pod("medusa-1", "medusa", crashed(9)),
            "metadata": {**WELL["metadata"], "deletionTimestamp": "2026-01-02T12:01:00Z"},
        }
    ],
    "a test of helm's": [
        {
            **pod("medusa-test", "medusa-test", crashed(9)),
            "metadata": {**WELL["metadata"], "annotations": {"helm.sh/hook": "test"}},
        }
    ],
    "a container that only starts": unhealthy(
        "Startup probe failed: HTTP probe failed with statuscode: 503", running(started=False), times=14
    ),
}


@pytest.mark.parametrize("case", HISTORY)
def test_what_is_only_history_is_no_finding(case):
    assert diagnose(HISTORY[case], NOON) is None


def test_warnings_of_an_earlier_attempt_do_not_count():
    claim_ = claim()
    old = warning(claim_, "FailedBinding", "no storage class is set", at="2026-01-02T11:59:00Z")
    assert diagnose([claim_, old], NOON) is None


def test_a_refusal_from_before_this_attempt_is_told_but_no_cause_to_give_up():
    said = FORBIDDEN + "ValidatingAdmissionPolicy 'teams' with binding 'all' denied request: no team"
    assert diagnose(refused_deployment(said), NOON).lasting
    old = diagnose(refused_deployment(said, now=False), NOON)
    assert (old.reason.code, old.lasting) == ("admission_denied", False)


@pytest.mark.parametrize(("made", "counts"), [("2026-01-02T12:00:00Z", True), ("2026-01-02T11:58:00Z", False)])
def test_in_the_second_in_which_an_attempt_began_only_warnings_of_new_objects_count(made, counts):
    claim_ = obj("PersistentVolumeClaim", "data-postgres-0", part="postgres", at=made, status={"phase": "Pending"})
    said = warning(claim_, "FailedBinding", "no storage class is set", at="2026-01-02T12:00:00Z")
    assert (diagnose([claim_, said], NOON.replace(microsecond=700_000)) is not None) is counts

"""Every cause of a failure that is told apart, as data: what is seen, who can mend it, what to try, how it ends.

The rules beside this file find them; docs/failures.md is this table.  Several causes may share a code: programs need
the kind of failure, people the hint that fits.
"""

from provisioning.failures.cause import Cause, Ends
from provisioning.failures.reason import OWNER

_DESCRIBE = "kubectl --namespace {namespace} describe pod {name}"

# Images

IMAGE_MISSING = Cause(
    "image_pull",
    "The registry has no such image or tag.",
    Ends.AT_ONCE,
    "There is no image {image}: correct its repository or tag in the store values, then retry.",
)
IMAGE_UNAUTHORISED = Cause(
    "image_pull",
    "The registry wants credentials, or others than it was given.",
    Ends.AT_ONCE,
    "Name a Secret with the registry's credentials under imagePullSecrets in the store values, then retry. {image} may "
    "also be misspelt: many registries say so of what they do not have.",
)
IMAGE_NAME = Cause(
    "image_pull",
    "The image's name is malformed.",
    Ends.AT_ONCE,
    "{image} is no name of an image: correct it in the store values, then retry.",
)
REGISTRY_UNREACHABLE = Cause(
    "image_pull",
    "The nodes have no way to the registry: its name does not resolve, or no route leads there.",
    Ends.AFTER_TRIES,
    "Correct the registry in {image}, give the nodes a way to it, or put the image onto the nodes; then retry.",
)
REGISTRY_AWAY = Cause(
    "image_pull",
    "The registry does not answer in time, or asks to come later.",
    Ends.WAITS,
    "It is tried again by itself. Check that the nodes reach the registry of {image}.",
)
IMAGE_PULL = Cause(
    "image_pull",
    "The image cannot be pulled for another cause.",
    Ends.AFTER_TRIES,
    "See what the node says of {image}: " + _DESCRIBE,
)

# Containers

CRASH_LOOP = Cause(
    "crash_loop",
    "A container ends again and again.",
    Ends.AFTER_TRIES,
    "Read the last lines of its log in the evidence, mend what they name, then retry. All of it: kubectl --namespace "
    "{namespace} logs {name} --previous",
)
MIGRATION_FAILED = Cause(
    "migration_failed",
    "The shop could not bring its database to its version.",
    Ends.AFTER_TRIES,
    "Mend the tables that the evidence names, or go back to the version before, then retry: kubectl --namespace "
    "{namespace} exec -it postgres-0 -- psql -U medusa medusa",
)
DATABASE_REFUSES = Cause(
    "database_refused",
    "The database does not accept the shop's user, password or database name.",
    Ends.AT_ONCE,
    "The shop's password was set again in its database and is refused all the same, or the database is not the "
    "store's own: see that the one of the Secret store-secrets is right there, then retry.",
)
DATABASE_UNREACHABLE = Cause(
    "database_unreachable",
    "The shop does not get through to its database.",
    Ends.WAITS,
    "Check that the Service leads to the database: kubectl --namespace {namespace} get endpointslices,networkpolicies",
    usual=True,
)
DATABASE_FAILED = Cause(
    "database_failed",
    "The database answered the shop with an error.",
    Ends.AFTER_TRIES,
    "Mend what the evidence names, then retry. The database's own log: kubectl --namespace {namespace} logs postgres-0",
)
DATABASE_VERSION = Cause(
    "database_version",
    "The volume holds the data of another version of PostgreSQL.",
    Ends.AT_ONCE,
    "Set postgresql.image.tag in the store values to the version that the evidence names, then retry.",
)
SHOP_CONFIGURATION = Cause(
    "shop_configuration",
    "The shop does not accept its settings.",
    Ends.AT_ONCE,
    "Correct the setting that the evidence names in the store values, then retry.",
)
OUT_OF_MEMORY = Cause(
    "out_of_memory",
    "A container used more memory than its limit.",
    Ends.AFTER_TRIES,
    "Give it more memory: choose a larger plan, then retry.",
    OWNER,
)
BAD_COMMAND = Cause(
    "container_start",
    "The node cannot start the container: no such command, or what it needs is not in the image.",
    Ends.AFTER_TRIES,
    "Check that {image} is an image of this shop: " + _DESCRIBE,
)
CONTAINER_CONFIG = Cause(
    "container_config",
    "The container refers to a Secret, ConfigMap or key that is not there.",
    Ends.WAITS,
    "Make what the evidence names, or correct the reference in the store values. It then goes on by itself.",
)
POD_NOT_STARTED = Cause(
    "pod_not_started",
    "The node cannot set up the pod: a volume that is not mounted, no network.",
    Ends.WAITS,
    "The node tries again by itself. If it stays so: " + _DESCRIBE,
    usual=True,
)
PROBE_FAILING = Cause(
    "probe_failing",
    "A container runs, but does not answer its readiness probe, or is restarted because of its liveness probe.",
    Ends.WAITS,
    "See what it is busy with: kubectl --namespace {namespace} logs {name} --tail=100",
    usual=True,
)
STARTING_SLOWLY = Cause(
    "probe_failing",
    "A container runs, and its startup probe has failed 15 times or more.",
    Ends.WAITS,
    "It may only be slow. See what it is busy with: kubectl --namespace {namespace} logs {name} --tail=100",
    usual=True,
)

# Where pods run

UNSCHEDULABLE_ROOM = Cause(
    "unschedulable",
    "No node has enough free CPU, memory, disk, or room for one more pod.",
    Ends.WAITS,
    "Add a node or delete stores; it then goes on by itself. What is taken: kubectl describe nodes",
)
UNSCHEDULABLE_RULE = Cause(
    "unschedulable",
    "No node has the labels that the pod selects, or a taint, a cordon or the volume's place keeps it off.",
    Ends.WAITS,
    "Compare the nodeSelector and tolerations in the store values with the nodes: kubectl get nodes --show-labels",
)
EVICTED = Cause(
    "evicted",
    "The node ended the pod because it had too little memory or disk.",
    Ends.WAITS,
    "A new pod comes by itself. Give the node room, or add one: kubectl describe node {node}",
)
EVICTED_OWN_LIMIT = Cause(
    "evicted",
    "The node ended the pod because it used more disk than it may.",
    Ends.AFTER_TRIES,
    "Raise the size or the ephemeral-storage limit that the evidence names in the store values, then retry.",
)
NODE_LOST = Cause(
    "node_lost",
    "The node that the pod runs on does not answer.",
    Ends.WAITS,
    "Bring the node back, or remove it for good so that its pods move: kubectl describe node {node}",
)

# Volumes

VOLUME_NO_CLASS = Cause(
    "volume_not_bound",
    "The cluster has no default storage class, and the store values name none.",
    Ends.AT_ONCE,
    "Mark a storage class as the default, or name one in postgresql.persistence.storageClass, then retry: kubectl get "
    "storageclasses",
)
VOLUME_WRONG_CLASS = Cause(
    "volume_not_bound",
    "There is no storage class of the name that the claim asks for.",
    Ends.AT_ONCE,
    "Create it, or correct postgresql.persistence.storageClass in the store values and make the store anew: kubectl "
    "get storageclasses",
)
VOLUME_NOT_PROVIDED = Cause(
    "volume_not_bound",
    "The storage class's provisioner fails, or does not come.",
    Ends.WAITS,
    "See what the provisioner says: kubectl --namespace {namespace} describe persistentvolumeclaim {name}",
    usual=True,
)
VOLUME_LOST = Cause(
    "volume_lost",
    "The volume behind the database's claim was deleted.",
    Ends.AT_ONCE,
    "The data is gone with the volume. Restore a backup, or delete the store and create it anew.",
)
VOLUME_LEAVING = Cause(
    "volume_deleted",
    "Somebody deleted the database's volume claim; it goes as soon as no pod uses it.",
    Ends.WAITS,
    "Back up now, before the pod restarts: kubectl --namespace {namespace} exec postgres-0 -- pg_dump -U medusa medusa",
)
VOLUME_FULL = Cause(
    "volume_full",
    "The database has no space left on its volume.",
    Ends.AFTER_TRIES,
    "Make the volume larger, if its class allows that: kubectl --namespace {namespace} edit persistentvolumeclaim "
    "data-postgres-0",
)

# What the API server does not let in

QUOTA_EXCEEDED = Cause(
    "quota_exceeded",
    "The namespace's quota has no room; lasting where the object alone asks for more than the quota.",
    Ends.WAITS,
    "Choose a larger plan, then retry.",
    OWNER,
)
QUOTA_UNSPECIFIED = Cause(
    "quota_exceeded",
    "A quota demands a request or limit that the pod does not state.",
    Ends.AT_ONCE,
    "State the resources that the evidence names in the store values, then retry.",
)
LIMIT_RANGE = Cause(
    "limit_range",
    "A LimitRange of the namespace allows less, or demands more, than the object asks for.",
    Ends.AT_ONCE,
    "Change the resources in the store values, or the bounds: kubectl --namespace {namespace} get limitranges -o yaml",
)
POD_SECURITY = Cause(
    "pod_security",
    "The namespace's Pod Security level does not allow the pod.",
    Ends.AT_ONCE,
    "Take what the evidence names out of the store values: a store's pods run under the level restricted.",
)
ADMISSION_DENIED = Cause(
    "admission_denied",
    "A webhook or policy of the cluster refuses the object.",
    Ends.AT_ONCE,
    "The evidence names the rule and its words. Meet it in the store values, or exempt the store's namespace; then "
    "retry.",
)
WEBHOOK_AWAY = Cause(
    "admission_webhook",
    "An admission webhook of the cluster does not answer, so nothing gets in.",
    Ends.WAITS,
    "Bring the webhook's service back, or remove it: kubectl get validatingwebhookconfigurations,"
    "mutatingwebhookconfigurations",
)
PERMISSION_DENIED = Cause(
    "permission_denied",
    "The platform's account may not do a step.",
    Ends.AT_ONCE,
    "Permit it to the platform's account, then retry: kubectl auth can-i {verb} {resource} --as {user}",
)
FORBIDDEN = Cause(
    "forbidden",
    "The API server forbids it for another cause.",
    Ends.WAITS,
    "The evidence names the rule that forbids it.",
)
UNAUTHORISED = Cause(
    "permission_denied",
    "The cluster does not know the platform's credentials, or they ran out.",
    Ends.WAITS,
    "Renew the kubeconfig or the service account's token: kubectl auth whoami",
)
NAMESPACE_LEAVING = Cause(
    "namespace_terminating",
    "The store's namespace is being deleted, and not by Storefleet.",
    Ends.WAITS,
    "It is made anew once it is gone. What holds it: kubectl get namespace {namespace} -o yaml",
)
FOREIGN_NAMESPACE = Cause(
    "foreign_namespace",
    "There is a namespace of the store's name that belongs to somebody else.",
    Ends.AT_ONCE,
    "Remove or rename that namespace, or choose another name for the store.",
)
FOREIGN_RELEASE = Cause(
    "foreign_release",
    "There is a Helm release of the store's name that belongs to somebody else.",
    Ends.AT_ONCE,
    "Uninstall or rename that release, or choose another name for the store.",
)

# The cluster and Helm

CLUSTER_UNREACHABLE = Cause(
    "cluster_unreachable",
    "The API server does not answer, or only that it cannot.",
    Ends.WAITS,
    "It is tried again by itself. See whether it answers you: kubectl cluster-info",
)
CLUSTER_REFUSED = Cause(
    "cluster_refused",
    "The API server refuses an object; lasting where it calls it invalid.",
    Ends.WAITS,
    "The evidence says what it does not accept. Correct it in the store values, then retry.",
)
HELM_VALUES = Cause(
    "helm_error",
    "The store values do not meet the chart's schema.",
    Ends.AT_ONCE,
    "Correct the value that the evidence names in the store values, then retry.",
)
HELM_TEMPLATE = Cause(
    "helm_error",
    "The chart cannot be rendered, or what it renders is no Kubernetes object.",
    Ends.AT_ONCE,
    "Correct the template or value that the evidence names, then retry: helm template charts/medusa-store",
)
HELM_HOOK = Cause(
    "helm_error",
    "A hook of the chart failed.",
    Ends.WAITS,
    "See what the hook's pod printed: kubectl --namespace {namespace} get events",
)
HELM_ABSENT = Cause(
    "helm_error",
    "There is no usable Helm where the platform runs.",
    Ends.AT_ONCE,
    "Put helm, version 4, on the platform's PATH, then retry.",
)
HELM_FAILED = Cause(
    "helm_error",
    "Helm failed for another cause, or did not end in time.",
    Ends.WAITS,
    "It is tried again by itself; the evidence has Helm's own words: helm history --namespace {namespace} {namespace}",
)
SECRETS_UNREADABLE = Cause(
    "secrets_unreadable",
    "The store's sealed secrets cannot be opened with the present key.",
    Ends.AT_ONCE,
    "Start Storefleet with the STOREFLEET_KEY that sealed them (several keys may be given), then retry.",
)

EXTERNAL_SECRET = Cause(
    "external_secret",
    "An external secret store is to make the store's Secret, and it is not there yet.",
    Ends.WAITS,
    "Put the shop's secrets into the secret store, and see why they are not read: kubectl --namespace {namespace} "
    "describe externalsecrets",
    usual=True,
)
NO_EXTERNAL_SECRETS = Cause(
    "external_secret",
    "The cluster does not know external secrets, and the store values ask for them.",
    Ends.AT_ONCE,
    "Install External Secrets (external-secrets.io/v1), or leave secrets.provider out of the store values, then retry.",
)

# The way in

INGRESS_MISSING = Cause(
    "ingress_missing",
    "The store has no Ingress.",
    Ends.WAITS,
    "Set ingress.enabled to true in the store values, or route {host} to the Service medusa.",
)
INGRESS_CLASS_MISSING = Cause(
    "ingress_class",
    "There is no ingress class of the name that the Ingress asks for.",
    Ends.AT_ONCE,
    "Create it, or correct ingress.className in the store values, then retry: kubectl get ingressclasses",
)
INGRESS_NO_CLASS = Cause(
    "ingress_class",
    "The Ingress names no class, the cluster has no default one, and no controller takes it up.",
    Ends.WAITS,
    "Mark an ingress class as the default, or name one in ingress.className in the store values, then retry: kubectl "
    "get ingressclasses",
)
INGRESS_NOT_TAKEN = Cause(
    "ingress_no_address",
    "No ingress controller gives the Ingress an address, or the one that answers does not know the store's host.",
    Ends.WAITS,
    "Check that the controller of the class runs and watches this namespace: kubectl --namespace {namespace} describe "
    "ingress {name}",
    usual=True,
)
SHOP_UNREACHABLE = Cause(
    "ingress_unreachable",
    "The ingress answers 502, 503 or 504 although the shop's pods are ready.",
    Ends.WAITS,
    "Check what leads the controller to the pods: kubectl --namespace {namespace} get endpointslices,networkpolicies",
    usual=True,
)
SHOP_ANSWERS_WRONG = Cause(
    "shop_answers_wrong",
    "The shop, or what stands before it, answers its readiness address with another status than 200.",
    Ends.WAITS,
    "Ask it yourself: curl --include {url}/ready",
    usual=True,
)
FRONT_DOOR_AWAY = Cause(
    "ingress_unreachable",
    "Nothing answers at the store's address.",
    Ends.WAITS,
    "Check that the address leads to the ingress controller and that no firewall stands between: curl --include "
    "{url}/ready",
    usual=True,
)
NAME_UNKNOWN = Cause(
    "dns_missing",
    "The store's host name does not resolve.",
    Ends.WAITS,
    "Point {host}, or a wildcard for all stores, to the ingress controller; or set STOREFLEET_INGRESS_URL where the "
    "platform itself reaches it by another way.",
    usual=True,
)
CERTIFICATE_PENDING = Cause(
    "tls_missing",
    "cert-manager has not issued the store's certificate yet, or the Secret that holds it is not there.",
    Ends.WAITS,
    "See what holds it up: kubectl --namespace {namespace} describe certificates,certificaterequests",
    usual=True,
)
CERTIFICATE_WRONG = Cause(
    "tls_missing",
    "HTTPS does not come about: the certificate is not this host's, ran out, or nobody trusts its issuer.",
    Ends.WAITS,
    "Look at the certificate that is served: openssl s_client -connect {host}:443 -servername {host}",
)

# What else is told of a store

NAMESPACE_LOST = Cause(
    "namespace_lost",
    "The namespace of a READY store was deleted from outside.",
    Ends.WAITS,
    "It comes back by itself, empty.",
)
NOT_READY = Cause(
    "not_ready",
    "A part of a READY store is missing or not ready, and nothing above shows why.",
    Ends.WAITS,
    "It is put back, or started again, by itself.",
)
DELETION_HELD = Cause(
    "deletion_held",
    "An object keeps the store's deletion from ending.",
    Ends.WAITS,
    "It ends by itself when that object goes. The reason names it and, if nobody will let go of it, the command.",
)
TIMEOUT = Cause(
    "timeout",
    "None of the above ended the wait in time. The message, the evidence and what to do are those of the cause that "
    "was waited for.",
    Ends.AT_ONCE,
    "Look at the timeline for the last step that ended, then retry: the store goes on from there.",
)

CAUSES = tuple(each for each in list(globals().values()) if isinstance(each, Cause))
"""All of them, in the order of this file."""

USUAL = frozenset(each.code for each in CAUSES if each.usual)
"""Codes of what a store may wait for in the normal course of its start."""

"""Why a store fails or waits: the words around a reason, and each reason said plainly, by its code.

The codes, and the exact words for administrators, are those of provisioning.failures.causes.
"""

from typing import Any

FAILURE: dict[str, Any] = {
    "who": "Who can fix it",
    "hint": "What to try",
    "evidence": "Evidence",
    "said": "What the cluster said",
    "retry": "Retry",
    "retrying": "Retrying …",
    "rollback": "Roll back …",
    "copy_command": "Copy the command",
    "copy_report": "Copy the details",
    "copied": "Copied",
    "ask_admin": "Copy the details and send them to the platform’s administrator. Once it is mended, retry.",
    "ask_admin_passing": "Nothing, for now: it goes on by itself. If it stays so, copy the details and send them to "
    "the platform’s administrator.",
    "report": {"store": "Store", "state": "State", "problem": "Problem", "code": "Code", "who": "Who can fix it"},
}

_PULL = "The shop’s software could not be fetched."
_INGRESS = "The shop runs, but the way to it from outside is not set up."
_NOT_ALLOWED = "The cluster’s rules do not allow what the shop needs."
_FULL = "The cluster has no room for the shop at the moment."
_DATABASE = "The shop and its database do not get on with each other."
_FOREIGN = "The name is in use in the cluster already, by something that is not this store."
_STARTS = "The shop’s software starts, and ends again."
FAILURE_PLAIN = {
    "image_pull": _PULL,
    "crash_loop": _STARTS,
    "migration_failed": "The shop could not bring its database up to date.",
    "database_refused": _DATABASE,
    "database_unreachable": "The shop does not reach its database.",
    "database_failed": _DATABASE,
    "database_version": "The database’s data is of another version than the database.",
    "shop_configuration": "The shop does not accept one of its settings.",
    "out_of_memory": "The shop needs more memory than its plan gives it.",
    "container_start": "The shop’s software cannot be started.",
    "container_config": "Something that the shop’s software needs is missing in the cluster.",
    "pod_not_started": "The machine that is to run the shop cannot set it up.",
    "probe_failing": "The shop runs, but does not answer yet.",
    "unschedulable": _FULL,
    "evicted": "The machine that ran the shop had no room for it any more.",
    "node_lost": "The machine that runs the shop does not answer.",
    "volume_not_bound": "There is no disk for the shop’s database.",
    "volume_lost": "The disk of the shop’s database is gone, and the data with it.",
    "volume_deleted": "Somebody deleted the disk of the shop’s database. It goes at the next restart.",
    "volume_full": "The disk of the shop’s database is full.",
    "quota_exceeded": "The shop needs more than its plan allows.",
    "limit_range": _NOT_ALLOWED,
    "pod_security": _NOT_ALLOWED,
    "admission_denied": _NOT_ALLOWED,
    "admission_webhook": "The cluster takes nothing new at the moment.",
    "permission_denied": "The platform may not do what it has to do in the cluster.",
    "forbidden": _NOT_ALLOWED,
    "namespace_terminating": "Somebody is removing this store’s place in the cluster.",
    "foreign_namespace": _FOREIGN,
    "foreign_release": _FOREIGN,
    "cluster_unreachable": "The cluster does not answer.",
    "cluster_refused": "The cluster refuses a part of the shop.",
    "helm_error": "The shop could not be installed.",
    "secrets_unreadable": "The shop’s passwords cannot be read any more by the platform.",
    "external_secret": "The shop’s passwords do not come from where they are kept.",
    "ingress_missing": _INGRESS,
    "ingress_class": _INGRESS,
    "ingress_no_address": _INGRESS,
    "ingress_unreachable": "The shop runs, but visitors do not get through to it.",
    "shop_answers_wrong": "The shop runs, but says that it is not ready.",
    "dns_missing": "The shop runs, but its address is not known on the network.",
    "tls_missing": "The shop runs, but its certificate is not in order.",
    "namespace_lost": "The store’s place in the cluster was removed. The shop is set up anew.",
    "not_ready": "A part of the shop is not ready at the moment.",
    "deletion_held": "Something in the cluster keeps the store from being removed.",
    "timeout": "The shop did not come up in time.",
}
"""What happened, in everyday words, by the reason’s code.
"""

WAITING = {
    "database_unreachable": "The shop waits for its database",
    "dns_missing": "Waiting for the address to become known",
    "external_secret": "Waiting for the passwords from where they are kept",
    "ingress_no_address": "Waiting for the way in",
    "ingress_unreachable": "Waiting for the way in",
    "pod_not_started": "Waiting for the machine to set it up",
    "probe_failing": "Waiting for the first answer",
    "shop_answers_wrong": "Waiting for the first page",
    "tls_missing": "Waiting for the certificate",
    "volume_not_bound": "Waiting for the disk",
}
"""What a start waits for in its normal course, by the reason’s code.
"""

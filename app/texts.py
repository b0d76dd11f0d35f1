"""Every English text of the pages, in one place.  `{n}` and the like are filled in; a list is [one, many]."""

from typing import Any

SHELL = {
    "skip": "Skip to the content",
    "notices": "Notices",
    "navigation": "Main",
    "stores": "Stores",
    "platform": "Platform",
    "account": "Account",
    "signed_in_as": "Signed in as",
    "theme": "Theme",
    "theme_system": "System",
    "theme_light": "Light",
    "theme_dark": "Dark",
    "sign_out": "Sign out",
}

SIGN_IN = {
    "title": "Sign in",
    "lead": "Your shops on Kubernetes, one click each.",
    "email": "E-mail address",
    "password": "Password",
    "submit": "Sign in",
}

SETUP = {
    "title": "Welcome to Storefleet",
    "lead": "Make the first account. It is the platform’s administrator.",
    "email": "E-mail address",
    "password": "Password",
    "rule": "At least 8 characters; a few words in a row are best.",
    "submit": "Create the account",
}

CLUSTER = {
    "sandbox": "Sandbox: this cluster is a simulation. Nothing runs for real.",
    "away": "The cluster does not answer. Shops go on by themselves; changes are made as soon as it is back.",
    "connecting": "Connecting to the cluster …",
    "connected": "Connected",
    "is_away": "Cluster away",
    "another": "These stores live in another cluster than the one that answers here, so nothing is done. "
    "An administrator has to start Storefleet with the right one.",
    "is_another": "Another cluster",
    "sandbox_line": "Sandbox",
    "nodes": ["{n} node", "{n} nodes"],
}

MISSING: dict[str, Any] = {
    "page": ("404", "There is no such page", "The address may be mistyped, or what was here is gone."),
    "store": ("404", "There is no such store", "It may have been deleted, or it belongs to somebody else."),
    "broken": (
        "500",
        "Something went wrong here",
        "It is not your fault, and it has been noted. If you ask for help, quote",
    ),
    "back": "Back to the stores",
}

BROKEN = "Something went wrong. If you ask for help, quote {id}."
SIGNED_OUT = "You are signed out. Sign in again to go on."

STATES = {
    "REQUESTED": "Requested",
    "PROVISIONING": "Provisioning",
    "READY": "Ready",
    "FAILED": "Failed",
    "DELETING": "Deleting",
}
DEGRADED = "Degraded"  # of a READY store that is not well

STORES: dict[str, Any] = {
    "title": "Stores",
    "create": "Create store",
    "search": "Search by name",
    "filter": "Filter by state",
    "all": "All",
    "columns": {
        "store": "Store",
        "state": "State",
        "happening": "",
        "owner": "Owner",
        "version": "Version",
        "age": "Age",
    },
    "happening": "What is happening",
    "more": "Show more",
    "shown": ["{n} store shown", "{n} stores shown"],
    "empty_title": "No stores yet",
    "empty": "Give a store a name and watch it come up: database, shop and address, in less than a minute.",
    "nothing_title": "Nothing matches",
    "nothing": "No store fits this search and filter.",
    "clear": "Show all stores",
    "queue": "Place {n} in the queue",
    "eta": "about {time} left",
    "open": "Open the shop {name} in a new tab",
    "changed": "{name} is {state}",
    "table": "Stores",
    "states": STATES,
    "degraded": DEGRADED,
    "filters": {**STATES, "DELETING": "Deleted"},
    "undo": "Undo",
    "undo_of": "Undo the deletion of {name}",
    "destroyed_in": "Stopped. Destroyed in {time}",
}

CREATE: dict[str, Any] = {
    "title": "Create a store",
    "name": "Name",
    "name_hint": "Small letters, digits and dashes. It becomes the shop’s address.",
    "free": "This name is free.",
    "checking": "Checking …",
    "address": "Address",
    "template": "Template",
    "plan": "Plan",
    "cpu": "CPU",
    "memory": "memory",
    "storage": "disk",
    "details": "Shop details",
    "shop_title": "Title of the shop",
    "currency": "Currency",
    "samples": "Begin with sample products",
    "cancel": "Cancel",
    "submit": "Create store",
    "creating": "Creating …",
    "left": "{n} of {of} stores left",
}

STORE: dict[str, Any] = {
    "crumb": "Stores",
    "open_shop": "Open shop",
    "open_admin": "Open admin",
    "new_tab": "opens in a new tab",
    "delete": "Delete",
    "delete_now": "Delete now",
    "undo": "Undo deletion",
    "destroyed_in": "Stopped, with its data kept. Destroyed in {time}",
    "plan": "Plan",
    "owner": "Owner",
    "version": "Version",
    "created": "Created",
    "address": "Address",
    "states": STATES,
    "degraded": DEGRADED,
    "timeline": "Timeline",
    "progress": "Progress",
    "levels": {"warning": "Warning", "error": "Error"},
    "evidence": "Evidence",
    "level": "Show",
    "all_levels": "All levels",
    "level_names": {"info": "Information", "success": "Steps", "warning": "Warnings", "error": "Errors"},
    "none_of_level": "The timeline has no line of this level.",
    "earlier": ["Show {n} earlier line", "Show {n} earlier lines"],
    "copy_timeline": "Copy timeline",
    "copied": "Copied",
    "object": "Object",
    "time": "Time",
    "cluster_time": "Cluster’s time",
    "seen": "Seen",
    "seen_times": ["once, at {time}", "{n} times, last at {time}"],
    "said": "The cluster said",
    "copy_address": "Copy the address",
    "about": "About this store",
    "steps": {
        "requested": "Requested",
        "namespace": "Namespace",
        "postgres": "PostgreSQL",
        "medusa": "Medusa",
        "ingress": "Ingress",
        "page": "First page",
        "deleting": "Deletion",
        "release": "Release",
        "namespace_gone": "Namespace",
        "volumes": "Volumes",
    },
    "usually": "usually {time}",
    "longer": "longer than usual ({time})",
    "step_state": {"done": "done", "now": "in progress", "next": "to come", "failed": "failed"},
    "ready_in": "Ready in {time}",
    "eta": "about {time} left",
    "notes": {
        "REQUESTED": "Waiting for its turn",
        "PROVISIONING": "Being set up",
        "READY": "Up and running",
        "DEGRADED": "It was ready, and is not well now",
        "FAILED": "Stopped before it was ready",
        "DELETING": "Being removed from the cluster",
    },
}

FAILURE: dict[str, Any] = {
    "who": "Who can fix it",
    "hint": "What to try",
    "evidence": "Evidence",
    "said": "What the cluster said",
    "retry": "Retry",
    "retrying": "Retrying …",
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
"""What happened, in everyday words, by the reason’s code."""

PARTS: dict[str, Any] = {
    "title": "Parts",
    "names": {
        "postgres": "PostgreSQL",
        "medusa": "Medusa",
        "ingress": "Ingress",
        "certificate": "Certificate",
        "volume": "Volume",
    },
    "health": {
        "ok": "Healthy",
        "starting": "Starting",
        "degraded": "Not well",
        "stopped": "Stopped",
        "absent": "Not there",
        "unused": "Not used",
        "unknown": "Unknown",
    },
    "pods": ["{n} pod", "{n} pods"],
    "leaving": "ending",
    "since": "for {time}",
    "restarts": ["{n} restart", "{n} restarts"],
    "running": {"running": "running", "waiting": "waiting"},
    "not_ready": "running, not ready yet",
    "log": "Log",
    "log_before": "Log before the restart",
}

LOGS: dict[str, Any] = {
    "title": "Logs",
    "source": "Container",
    "newest_pod": "{part}",
    "of_pod": "{part}, pod {pod}",
    "container": "{label}, container {container}",
    "before": "before the restart",
    "find": "Find in the log",
    "pause": "Pause",
    "follow": "Follow",
    "download": "Download",
    "lines": "Lines of the log",
    "newest": "Go to the newest",
    "counted": "{n} lines",
    "found": "{n} of {of} lines match",
    "dropped": "older ones are in the download",
    "from": "From here on: {pod}, container {container}",
    "states": {
        "idle": "Not read yet",
        "opening": "Opening …",
        "open": "Live",
        "waiting": "Waiting …",
        "lost": "The log broke off. It is tried again by itself.",
        "paused": "Paused",
        "ended": "The end of the log",
    },
}

USE: dict[str, Any] = {
    "title": "Use",
    "lead": "What the store’s pods use, measured while this platform runs.",
    "simulated": "Simulated figures: in the sandbox nothing runs for real.",
    "names": PARTS["names"],
    "cpu": "CPU, in cores",
    "memory": "Memory",
    "of": "{used} of {limit}",
    "limit_of": "{part} limit",
    "range": "Time",
    "ranges": {"hour": "1 hour", "day": "1 day"},
    "scale": "Scale",
    "scales": {"limit": "To the limit", "peak": "To the peak"},
    "measured": {
        "idle": "Nothing of this store runs at the moment.",
        "not_yet": "The first figures come within a minute of the store’s start.",
        "absent": "No metrics in this cluster: it has no metrics server (metrics.k8s.io), or the platform may not "
        "read it.",
        "away": "The cluster does not tell at the moment.",
    },
    "disk": "Disk",
    "disk_note": "requested for the database. How full it is, Kubernetes tells only to those who may read every node, "
    "which the platform does not ask for; a full volume is shown as a problem.",
}

DETAILS = {
    "title": "Admin sign-in",
    "lead": "The account of the shop’s own admin. Looking at it is noted in the timeline.",
    "reveal": "Reveal",
    "hide": "Hide",
    "email": "E-mail",
    "password": "Password",
    "copy": "Copy {what}",
    "copied": "Copied",
}

DELETE = {
    "title": "Delete {name}?",
    "text": "The shop, its database and everything customers left in it are removed for good.",
    "type": "Type the store’s name to confirm: ",
    "cancel": "Keep it",
    "submit": "Delete for good",
    "deleting": "Deleting …",
}

MINUTES = ["{n} minute", "{n} minutes"]
MOMENT = "a moment"

DELETE_WITH_UNDO = {
    **DELETE,
    "text": "The shop is stopped at once. For {time} you can take it back as it was; after that its database and "
    "everything customers left in it are removed for good.",
    "submit": "Delete",
}

GONE = {
    "title": "{name} is deleted",
    "text": "Nothing of it is left in the cluster. Its name is free again.",
    "back": "Back to the stores",
}

PLATFORM: dict[str, Any] = {
    "title": "Platform",
    "at_work": "At work",
    "places": "Places",
    "taken": "{n} of {of} taken",
    "on_the_way": "{n} of {of} on their way",
    "deletions": ["{n} deletion", "{n} deletions"],
    "leader": "Engine",
    "leads_here": "Runs in this process",
    "leads": "Runs in another process",
    "nobody_leads": "No process runs it right now",
    "since": "for {time}",
    "view": "View of the cluster",
    "view_good": "Up to date",
    "view_bad": "Not to be trusted",
    "view_age": "last heard {time} ago",
    "states": STATES,
    "columns": {"store": "Store", "state": "State", "owner": "Owner", "left": "Expected"},
    "place": "Place {n}",
    "eta": "in about {time}",
    "unknown": "not known yet",
    "quiet_title": "Nothing to do",
    "quiet": "No store is being set up or deleted, and none waits.",
    "capacity": "Capacity",
    "cpu": "CPU",
    "memory": "Memory",
    "cores": "{used} of {total} cores asked for",
    "bytes": "{used} of {total} asked for",
    "storage": "Storage",
    "storage_free": "{free} free",
    "storage_unknown": "The storage does not tell what it has left.",
    "room": "Room for more stores",
    "room_for": "{plan} {n}",
    "capacity_unknown": "The cluster does not tell what it has, so no store is refused or warned for want of room.",
}

ORPHANS: dict[str, Any] = {
    "title": "Orphans",
    "lead": "Objects in the cluster that carry this platform’s label and whose store is not known any more.",
    "policy": {
        "report": "They are only reported.",
        "clean": "Those that stay for ten minutes are removed by themselves, if the deletion of their store is known.",
    },
    "look": "Look again",
    "looking": "Looking through the cluster …",
    "looked": "Looked {ago}",
    "columns": {"object": "Object", "age": "Age", "size": "Storage", "clean": "Remove"},
    "in": "in {namespace}",
    "with": ["with {n} object in it", "with {n} objects in it"],
    "row": "Nothing of this store is in the cluster. It is repaired by itself.",
    "deleting": "Being removed",
    "clean": "Remove",
    "clean_named": "Remove {name}",
    "none_title": "No orphans",
    "none": "Everything that carries this platform’s label belongs to a store.",
    "confirm_title": "Remove {name}?",
    "confirm": "It is deleted from the cluster for good, with all that is in it.",
    "confirm_size": "{size} of storage go with it.",
    "keep": "Keep it",
    "submit": "Remove for good",
    "removing": "Removing …",
}

DOCUMENT_TITLES = {"platform": "Platform · Storefleet", "stores": "Stores · Storefleet", "store": "{name} · Storefleet"}


def count(forms: list[str], n: int) -> str:
    """The form that fits `n`."""
    return forms[0 if n == 1 else 1].replace("{n}", str(n))

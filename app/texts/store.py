"""A store's own page: what it is, what happens to it, what is inside, and the dialogs that change it."""

from typing import Any

from app.texts.states import DEGRADED, STATES

DOCUMENT_TITLE = "{name} · Storefleet"

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
    "revision": "revision {n}",
    "release_failed": "The new release did not come up; the one before may still serve",
    "rollback": "Roll back …",
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
    "late": "longer than usual",
    "notes": {
        "REQUESTED": "Waiting for its turn",
        "PROVISIONING": "Being set up",
        "READY": "Up and running",
        "DEGRADED": "It was ready, and is not well now",
        "FAILED": "Stopped before it was ready",
        "DELETING": "Being removed from the cluster",
    },
}

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
    "rotate": "New secrets …",
}

ROTATE: dict[str, Any] = {
    "title": "New secrets for {name}",
    "text": "The shop serves all the while. It takes a minute or two; the timeline says when it is done.",
    "which": "What is to be made anew",
    "kinds": {
        "admin": ("Admin password", "The present one stops working; Reveal then shows the new one."),
        "database": ("Database password", "Nobody but the shop uses it."),
        "sessions": ("Sign-in keys", "Customers and administrators have to sign in again; carts and orders stay."),
    },
    "cancel": "Cancel",
    "submit": "Make new secrets",
    "asking": "Asking …",
    "asked": "New secrets are on their way",
}

UPDATE: dict[str, Any] = {
    "upgrade": "Upgrade …",
    "to_version": "Update available: {from} → {to}",
    "same_version": "Update available",
}

UPGRADE: dict[str, Any] = {
    "title": "Upgrade {name}?",
    "to_version": "The shop goes from {from} to {to}.",
    "same_version": "The shop is set up as the platform does it now; its version stays {from}.",
    "points": [
        "It serves all the while: the present one goes when the new one is ready.",
        "Its database gets a new password. Customers stay signed in; the shop’s administrators may have to sign in "
        "again.",
        "If it does not work out, you can roll back to the present release. What the new one changes in the database "
        "stays changed.",
    ],
    "cancel": "Cancel",
    "submit": "Upgrade",
    "asking": "Asking …",
    "asked": "The upgrade is on its way",
}

ROLLBACK: dict[str, Any] = {
    "title": "Roll back {name}?",
    "to_version": "The shop goes from {from} back to {to}, revision {n}.",
    "same_version": "The shop goes back to revision {n}; its version stays {from}.",
    "points": [
        "It serves all the while: the present one goes when the other is ready.",
        "The database is not rolled back: orders and products stay, and so does what the newer release changed in its "
        "tables.",
        "It stays on this release until you upgrade it.",
    ],
    "cancel": "Cancel",
    "submit": "Roll back",
    "asking": "Asking …",
    "asked": "The rollback is on its way",
}

DELETE = {
    "title": "Delete {name}?",
    "text": "The shop, its database and everything customers left in it are removed for good.",
    "type": "Type the store’s name to confirm: ",
    "cancel": "Keep it",
    "submit": "Delete for good",
    "deleting": "Deleting …",
}

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

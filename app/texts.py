"""Every English text of the pages, in one place.  `{n}` and the like are filled in; a list is [one, many]."""

from typing import Any

SHELL = {
    "skip": "Skip to the content",
    "notices": "Notices",
    "navigation": "Main",
    "stores": "Stores",
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
}

STORE: dict[str, Any] = {
    "crumb": "Stores",
    "open_shop": "Open shop",
    "open_admin": "Open admin",
    "new_tab": "opens in a new tab",
    "delete": "Delete",
    "plan": "Plan",
    "owner": "Owner",
    "version": "Version",
    "created": "Created",
    "address": "Address",
    "states": STATES,
    "timeline": "Timeline",
    "progress": "Progress",
    "levels": {"warning": "Warning", "error": "Error"},
    "evidence": "Evidence",
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
    "step_state": {"done": "done", "now": "in progress", "next": "to come", "failed": "failed"},
    "ready_in": "Ready in {time}",
    "eta": "about {time} left",
    "notes": {
        "REQUESTED": "Waiting for its turn",
        "PROVISIONING": "Being set up",
        "READY": "Up and running",
        "FAILED": "Stopped before it was ready",
        "DELETING": "Being removed from the cluster",
    },
}

FAILURE = {
    "who": "Who can fix it",
    "hint": "What to try",
    "evidence": "Evidence",
    "retry": "Retry",
    "retrying": "Retrying …",
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

GONE = {
    "title": "{name} is deleted",
    "text": "Nothing of it is left in the cluster. Its name is free again.",
    "back": "Back to the stores",
}

DOCUMENT_TITLES = {"stores": "Stores · Storefleet", "store": "{name} · Storefleet"}


def count(forms: list[str], n: int) -> str:
    """The form that fits `n`."""
    return forms[0 if n == 1 else 1].replace("{n}", str(n))

"""Every English text of the pages, in one place.  `{n}` and the like are filled in; a list is [one, many]."""

from typing import Any

SHELL = {
    "skip": "Skip to the content",
    "notices": "Notices",
    "navigation": "Main",
    "stores": "Stores",
    "platform": "Platform",
    "users": "Users",
    "account": "Account",
    "account_page": "Account",
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
    "or": "or",
    "by_provider": "Sign in with {name}",
}

SETUP = {
    "title": "Welcome to Storefleet",
    "lead": "Make the first account. It is the platform’s administrator.",
    "email": "E-mail address",
    "password": "Password",
    "rule": "At least 8 characters; a few words in a row are best.",
    "submit": "Create the account",
}

INVITATION = {
    "title": "You are invited",
    "lead": "Choose a password, and your account is made.",
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
    "invitation": (
        "404",
        "This invitation cannot be used",
        "It has been used, taken back, replaced by a newer one, or it is older than three days. Ask whoever invited "
        "you for another.",
    ),
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
        "DEGRADED": "It was ready, and is not well now",
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
        "clean": "Those that stay for ten minutes are removed by themselves.",
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

SESSIONS: dict[str, Any] = {
    "sessions": "Signed-in browsers",
    "browser_on": "{browser} on {system}",
    "unknown_browser": "Unknown browser",
    "this_one": "this one",
    "session_about": "{address} · seen {ago} · signed in {since}",
    "end": "Sign out",
    "end_named": "Sign out {name}",
    "nowhere": "Signed in nowhere.",
    "loading": "Looking …",
}

USERS: dict[str, Any] = {
    **SESSIONS,
    "title": "Users",
    "invite": "Invite",
    "search": "Search by e-mail address",
    "columns": {"person": "Person", "stores": "Stores", "seen": "Last seen", "manage": "Manage"},
    "roles": {"owner": "Owner", "admin": "Administrator"},
    "you": "you",
    "disabled": "Disabled",
    "stores_of": "{n} of {of}",
    "stores_any": "{n}",
    "never": "not signed in",
    "by_identity": "signs in by the provider",
    "manage": "Manage",
    "manage_named": "Manage {name}",
    "more": "Show more",
    "none_title": "Nobody matches",
    "none": "No account has an address like this.",
    "invitations": "Open invitations",
    "invited_by": "{role}, invited by {by}, for another {time}",
    "take_back": "Take back",
    "take_back_named": "Take back the invitation of {name}",
    "invite_title": "Invite somebody",
    "invite_lead": "You get a link to send to them. It is for this address only, and works once, within three days.",
    "email": "E-mail address",
    "role": "Role",
    "role_owner": "Sees and manages their own stores",
    "role_admin": "Sees and manages everything, people included",
    "cancel": "Cancel",
    "invite_submit": "Make the link",
    "inviting": "Making it …",
    "invited_title": "The invitation of {name}",
    "invited_lead": "Send this link to them. It is shown only now.",
    "link": "Link",
    "copy": "Copy",
    "copied": "Copied",
    "close": "Close",
    "limit": "Stores they may have",
    "limit_usual": "As the settings say: {n}",
    "limit_own": "Another number",
    "limit_admin": "Administrators are not limited.",
    "save": "Save",
    "saved": "Saved",
    "end_all": "Sign out everywhere",
    "disable": "Disable account",
    "enable": "Enable account",
    "disable_text": "{name} is signed out everywhere and cannot sign in any more; their API tokens stop working. Their "
    "stores go on.",
    "disable_keep": "Keep it",
    "disable_submit": "Disable",
    "disabled_text": "This account is disabled: nobody can sign in by it.",
}

ACCOUNT: dict[str, Any] = {
    **SESSIONS,
    "title": "Account",
    "password": "Password",
    "password_lead": "When it is changed, every other browser is signed out.",
    "old": "Present password",
    "new": "New password",
    "rule": "At least 8 characters; a few words in a row are best.",
    "change": "Change password",
    "changing": "Changing …",
    "changed": "The password is changed.",
    "sessions_lead": "Browsers that are signed in to your account.",
    "end_others": "Sign out everywhere else",
    "end_all": "Sign out everywhere",
    "tokens": "API tokens",
    "tokens_lead": "For programs that act for you. Give each its own, and no more than it needs.",
    "no_tokens": "No tokens yet.",
    "make": "New token",
    "make_title": "A new API token",
    "name": "Name",
    "name_hint": "What it is for: “ci”, “backup script”",
    "scope": "It may",
    "scopes": {
        "read": ["Read", "Look at your stores, but at no password"],
        "write": ["Write", "Create, change and delete your stores as well"],
        "admin": ["Administer", "All that you may as an administrator"],
    },
    "expires": "It expires",
    "days": ["after {n} day", "after {n} days"],
    "days_never": "never",
    "cancel": "Cancel",
    "submit": "Make the token",
    "making": "Making it …",
    "made_title": "The token “{name}”",
    "made_lead": "Copy it now: it is not shown again.",
    "token": "Token",
    "copy": "Copy",
    "copied": "Copied",
    "close": "Done",
    "scope_named": {"read": "may read", "write": "may write", "admin": "may administer"},
    "used": "used {ago}",
    "unused": "never used",
    "until": "expires in {time}",
    "for_ever": "does not expire",
    "expired": "expired",
    "revoke": "Revoke",
    "revoke_named": "Revoke {name}",
    "notifications": "Notifications",
    "notify": "Tell me when a store of mine is ready or has failed",
    "notify_lead": "By this browser, while a page of Storefleet is open in it.",
    "notify_denied": "This browser does not allow it. Its settings for this site can change that.",
    "provider": "Sign-in by {name}",
    "provider_no": "Connect your account, and you can sign in without a password.",
    "provider_yes": "Your account is connected.",
    "connect": "Connect",
    "disconnect": "Disconnect",
    "connected_no": "It could not be connected: the provider knows you by another e-mail address, or the identity "
    "belongs to another account.",
}

NOTIFICATIONS = {"READY": "{name} is ready", "FAILED": "{name} has failed"}

DOCUMENT_TITLES = {
    "platform": "Platform · Storefleet",
    "stores": "Stores · Storefleet",
    "store": "{name} · Storefleet",
    "users": "Users · Storefleet",
    "account": "Account · Storefleet",
}


def count(forms: list[str], n: int) -> str:
    """The form that fits `n`."""
    return forms[0 if n == 1 else 1].replace("{n}", str(n))

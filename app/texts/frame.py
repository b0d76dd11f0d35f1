"""What stands on every page: navigation, the state of the cluster, what went wrong."""

SHELL = {
    "skip": "Skip to the content",
    "notices": "Notices",
    "navigation": "Main",
    "stores": "Stores",
    "activity": "Activity",
    "platform": "Platform",
    "users": "Users",
    "settings": "Settings",
    "account": "Account",
    "signed_in_as": "Signed in as",
    "theme": "Theme",
    "theme_system": "System",
    "theme_light": "Light",
    "theme_dark": "Dark",
    "sign_out": "Sign out",
    "lost": "Connection lost.",
    "again": "It comes back by itself.",
    "offline": "Not connected right now. Try again when the connection is back.",
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

BROKEN = "Something went wrong. If you ask for help, quote {id}."
SIGNED_OUT = "You are signed out. Sign in again to go on."

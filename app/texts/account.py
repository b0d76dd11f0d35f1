"""Everybody's own account: password, browsers, API tokens, notifications, provider."""

from typing import Any

from app.texts.passwords import RULE
from app.texts.sessions import SESSIONS

DOCUMENT_TITLE = "Account · Storefleet"

ACCOUNT: dict[str, Any] = {
    **SESSIONS,
    "title": "Account",
    "password": "Password",
    "password_lead": "When it is changed, every other browser is signed out.",
    "old": "Present password",
    "new": "New password",
    "rule": RULE,
    "change": "Change password",
    "changing": "Changing …",
    "changed": "The password is changed.",
    "sessions_lead": "Browsers that are signed in to your account.",
    "end_others": "Sign out everywhere else",
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

"""The forms of those who are not signed in yet."""

SIGN_IN = {
    "title": "Sign in",
    "lead": "Your shops on Kubernetes, one click each.",
    "email": "E-mail address",
    "password": "Password",
    "submit": "Sign in",
    "or": "or",
    "by_provider": "Sign in with {name}",
    "forgotten": "Password forgotten? Ask an administrator for a link to a new one.",
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

NEW_PASSWORD = {
    "title": "Choose a new password",
    "lead": "Every browser that is signed in to your account is signed out.",
    "email": "E-mail address",
    "password": "New password",
    "rule": "At least 8 characters; a few words in a row are best.",
    "submit": "Set the password",
}

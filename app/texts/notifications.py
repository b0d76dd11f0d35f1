"""What the browser tells when no page is looked at, by the state that a store has come to."""

NOTIFICATIONS = {"READY": "{name} is ready", "FAILED": "{name} has failed"}

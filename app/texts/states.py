"""What the states of a store are called."""

STATES = {
    "REQUESTED": "Requested",
    "PROVISIONING": "Provisioning",
    "READY": "Ready",
    "FAILED": "Failed",
    "DELETING": "Deleting",
}
DEGRADED = "Degraded"  # of a READY store that is not well

"""What the engine counts and times, for Prometheus.

Names by rule: `storefleet_`, then what it is, then its unit (`_seconds`) or, for what only grows, `_total`.  Labels
have few values and none is a store's or a person's name.  Counted in this process since its start; of several processes
the one that leads does the work, and so counts it.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

PROVISIONING_SECONDS = Histogram(
    "storefleet_provisioning_seconds",
    "From a store's place among those at work to READY.",
    buckets=(5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600),
    registry=REGISTRY,
)
FAILURES = Counter(
    "storefleet_failures_total", "Stores that became FAILED, by the code of their reason.", ["code"], registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "storefleet_reconcile_seconds",
    "One look at one store, with whatever it led to.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
HELM_RUN_SECONDS = Histogram(
    "storefleet_helm_run_seconds",
    "Runs of helm, by its command and whether it did what was asked.",
    ["command", "outcome"],
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
    registry=REGISTRY,
)

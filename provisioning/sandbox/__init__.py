"""The sandbox: a Kubernetes in this process, for machines without a cluster and for fast tests.

It speaks the real protocol over TLS on loopback, so that the same client, Helm and chart work on it unchanged; its
controllers bring objects to where a cluster's would, its kubelet only pretends to run containers, its ingress answers
for each store.  It is a simulation and says so.

    objects, errors, resources, selectors     words that everything here shares
    store                                     the objects, their versions and changes
    registry                                  what a write goes through: shape, defaults, validation, admission,
                                              pod_security, patches, schema, fieldsets,
                                              ownership (server-side apply)
    api, watches, discovery, protobuf         the protocol
    control, controllers, scheduler, kubelet  what makes things happen
    containers, behaviour, logs               what pretends to run
    ingress, listener, credentials, journal   doors, papers and memory
    faults                                    what can go wrong on request
"""

from provisioning.sandbox.faults import (
    ApiFault,
    CrashFault,
    EvictionFault,
    Faults,
    HeldFinalizerFault,
    ImageFault,
    KubeletFault,
    UnboundVolumeFault,
    UnreadyFault,
    UnschedulableFault,
    WatchFault,
)
from provisioning.sandbox.sandbox import Sandbox, SandboxOptions

__all__ = [
    "ApiFault",
    "CrashFault",
    "EvictionFault",
    "Faults",
    "HeldFinalizerFault",
    "ImageFault",
    "KubeletFault",
    "Sandbox",
    "SandboxOptions",
    "UnboundVolumeFault",
    "UnreadyFault",
    "UnschedulableFault",
    "WatchFault",
]

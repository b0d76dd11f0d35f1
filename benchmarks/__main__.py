"""`make bench`: measures, prints figures and ratios, and never judges.

    python -m benchmarks start                from the start of the process to the first page
    python -m benchmarks sandbox              from the wish to READY, on the sandbox at the speed of tests
    python -m benchmarks provisioning [RUNS]  from the click to READY, on the cluster that KUBECONFIG names, beside what
                                              people do by hand on the same cluster in the same run (default: 5 runs)
    python -m benchmarks scale [STORES]       a thousand quiet stores on simulated nodes: a full pass, memory, API calls

Without a name: all of them.  `provisioning` needs KUBECONFIG, STOREFLEET_TEST_INGRESS, helm and kubectl.
"""

import sys

from benchmarks import provisioning, sandbox, scale, start

BENCHMARKS = {"start": start.run, "sandbox": sandbox.run, "provisioning": provisioning.run, "scale": scale.run}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] not in BENCHMARKS:
        sys.exit(__doc__)
    for name in arguments[:1] or BENCHMARKS:
        print(f"--- {name}", flush=True)
        BENCHMARKS[name](arguments[1:])


main(sys.argv[1:])

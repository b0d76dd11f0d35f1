"""`make bench`: measures, prints figures and ratios, and never judges.

    python -m benchmarks start                from the start of the process to the first page
    python -m benchmarks sandbox              from the wish to READY, on the sandbox at the speed of tests
    python -m benchmarks provisioning [RUNS]  from the click to READY, on the cluster that KUBECONFIG names, beside what
                                              people do by hand on the same cluster in the same run (default: 5 runs)
    python -m benchmarks pages                the dashboard: 1,000 stores, 100 open pages, how soon a change is seen
    python -m benchmarks scale [STORES]       a thousand quiet stores on simulated nodes: a full pass, memory, API calls
    python -m benchmarks schema [REQUESTS]    what the API answers to requests made up from its description (10,000)
    python -m benchmarks drift [SEED]         from a change by hand to its repair, on a shop of the real cluster
    python -m benchmarks deletion [PAIRS]     a shop's deletion, beside helm and kubectl by hand (default: 3 pairs)
    python -m benchmarks side-by-side [STORES] [WAYS]
                                              many stores, a crash, changes by hand, the end of all: beside what people
                                              script (default: 20 stores, all ways: storefleet, xargs, helmfile)

Without a name: all of them.  What needs a real cluster needs KUBECONFIG, STOREFLEET_TEST_INGRESS, helm and kubectl, and
says so where they are not there.
"""

import sys

from benchmarks import deletion, drift, pages, provisioning, sandbox, scale, schema, side_by_side, start

BENCHMARKS = {
    "start": start.run,
    "sandbox": sandbox.run,
    "provisioning": provisioning.run,
    "pages": pages.run,
    "scale": scale.run,
    "schema": schema.run,
    "drift": drift.run,
    "deletion": deletion.run,
    "side-by-side": side_by_side.run,
}


def main(arguments: list[str]) -> None:
    if arguments and arguments[0] not in BENCHMARKS:
        sys.exit(__doc__)
    for name in arguments[:1] or BENCHMARKS:
        print(f"--- {name}", flush=True)
        BENCHMARKS[name](arguments[1:])


main(sys.argv[1:])

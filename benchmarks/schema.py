"""Ten thousand requests made up from the API's description: how each was answered."""

import time

from tests.schema_requests import ask

REQUESTS = 10_000


def run(arguments: list[str]) -> None:
    begun = time.monotonic()
    statuses = ask(
        int(arguments[0]) if arguments else REQUESTS, derandomize=False, tell=lambda said: print(said, flush=True)
    )
    told = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
    print(f"{statuses.total()} requests in {time.monotonic() - begun:.0f} s, all answered as described ({told})")
    assert max(statuses) < 500

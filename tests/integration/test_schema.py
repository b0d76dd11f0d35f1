"""The API answers whatever is asked as its own description says, and breaks at none of it.

STOREFLEET_SCHEMA_REQUESTS=5000 pytest tests/integration/test_schema.py    # always the same ones
"""

import os

from tests.schema_requests import ask

REQUESTS = int(os.environ.get("STOREFLEET_SCHEMA_REQUESTS", "200"))


def test_every_answer_is_one_that_the_description_knows() -> None:
    statuses = ask(REQUESTS, derandomize=True)
    assert statuses.total() >= REQUESTS
    assert max(statuses) < 500
    assert {200, 202, 403, 404, 409, 422} <= set(statuses)  # it got to where something is done

"""Requests that the API's description allows and such as it forbids, made up by Schemathesis, asked in this process.

Every answer has to be one that the description knows: its status, its content type, its shape; and never a 5xx.
"""

import asyncio
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from app import api, services
from app.actor import Actor
from app.guard import Guard
from app.migrations import migrate
from app.models import User
from app.settings import Settings
from app.status import ClusterStatus

PATIENCE = 60  # seconds
MORE = 1.2  # to ask for: some operations have not so many different requests
OWN = "bikeshop"  # a store of whoever asks
NOT_ASKED = [
    ignored_auth,  # asks by itself, over a network; tests/integration/test_sweep.py does it for every route
    positive_data_acceptance,  # names can be taken or reserved: a sentence says so
]


@contextmanager
def owner(folder: Path) -> Iterator[tuple[Any, httpx.AsyncClient, asyncio.Runner]]:
    """(the API's description, somebody with a store who asks it, the loop to ask in)."""
    with asyncio.Runner() as runner:
        parts = services.compose(
            Settings(data_dir=folder, store_url="http://{name}.localhost", creations_an_hour=10_000)
        )

        parts.stopping.set()  # a stream ends at once
        nothing_runs: Any = SimpleNamespace(status=lambda: ClusterStatus("connected"), objects=lambda name: [])
        parts.inside.begin(nothing_runs, object(), None, simulated=True)  # a cluster in which there is nothing yet

        async def prepare() -> str:
            await migrate(parts.database)
            async with parts.database.session() as session:
                user = User(email="owner@example.com", password_hash="!")
                session.add(user)
                await session.commit()
            actor = Actor(user.id, user.email, False, "token")
            await parts.stores.create(actor, OWN)
            return (await parts.tokens.create(actor, user, "test")).token

        token = runner.run(prepare())
        application = api.build(parts)
        transport = httpx.ASGITransport(Guard(application), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60)
        client.headers["Authorization"] = f"Bearer {token}"
        try:
            yield schemathesis.openapi.from_dict(application.openapi()), client, runner
        finally:
            runner.run(client.aclose())
            runner.run(parts.database.close())


def ask(count: int, *, derandomize: bool, tell: Callable[[str], None] = lambda said: None) -> Counter[int]:
    """Ask at least `count` times, evenly over the operations; how often each status was answered.

    Raises what Schemathesis says of answers that are not as described, each kind of an operation once, when all is
    asked; `tell` hears of each at once.
    """
    statuses: Counter[int] = Counter()
    failures: dict[tuple[str, str, int], Failure] = {}
    with tempfile.TemporaryDirectory() as folder, owner(Path(folder)) as (description, client, runner):
        known = {"headers": {"Authorization": client.headers["Authorization"]}}

        def put(times: int, operation: Any, mode: GenerationMode, own: bool) -> bool:
            """Ask one operation; False where the description forbids nothing that could be sent."""

            @settings(
                max_examples=times,
                deadline=None,
                database=None,
                derandomize=derandomize,
                verbosity=Verbosity.quiet,  # that nothing can be sent is no failure to be told
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(mode, path_parameters={"name": OWN} if own else None, **known))
            def one(case: Any) -> None:
                sent = case.as_transport_kwargs(base_url="http://test")
                sent["content"], _ = sent.pop("data", None), sent.pop("cookies", None)
                given = {key: value for key, value in sent.items() if value is not None}
                answer = runner.run(asyncio.wait_for(client.request(**given), PATIENCE))
                statuses[answer.status_code] += 1
                try:
                    case.validate_response(answer, excluded_checks=NOT_ASKED)
                except FailureGroup as group:
                    found = {(operation.label, each.title, answer.status_code): each for each in group.exceptions}
                    if not found.keys() <= failures.keys():
                        tell(f"{operation.label}: {group}")
                    failures.update(found | failures)

            try:
                one()
            except Unsatisfiable:
                return False
            return True

        operations = [found.ok() for found in description.get_all_operations()]
        operations = [each for each in operations if each.path.startswith(api.PREFIX)]
        rounds = [(each, mode, own) for each in operations for mode in GenerationMode for own in own_too(each, mode)]
        rounds = [each for each in rounds if put(1, *each)]
        for left, each in zip(range(len(rounds), 0, -1), rounds, strict=True):
            put(max(1, math.ceil((count * MORE - statuses.total()) / left)), *each)
    if failures:
        raise FailureGroup(list(failures.values()))
    return statuses


def own_too(operation: Any, mode: GenerationMode) -> list[bool]:
    """Whether to ask about the asker's own store as well."""
    return [False, True] if "{name}" in operation.path and mode is GenerationMode.POSITIVE else [False]

"""The queue's three rules."""

import asyncio

from provisioning.workqueue import WorkQueue


class Work:
    """Handles names slowly, and remembers."""

    def __init__(self) -> None:
        self.queue = WorkQueue()
        self.done: list[str] = []
        self.at_once: dict[str, int] = {}
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.changed = asyncio.Event()

    async def handle(self, name: str) -> None:
        self.at_once[name] = self.at_once.get(name, 0) + 1
        self.most_at_once = max(self.most_at_once, self.at_once[name])
        await self.gate.wait()
        self.at_once[name] -= 1
        self.done.append(name)
        self.changed.set()

    async def enough(self, until: int) -> None:
        while len(self.done) < until:
            self.changed.clear()
            await self.changed.wait()

    async def run(self, until: int) -> None:
        workers = [asyncio.create_task(self.queue.work(self.handle)) for _ in range(4)]
        try:
            async with asyncio.timeout(5):
                await self.enough(until)
            await asyncio.sleep(0.02)  # time for one too many
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self.queue.close()


async def test_a_name_added_many_times_is_worked_on_once():
    work = Work()
    for _ in range(5):
        work.queue.add("a")
    work.gate.set()
    await work.run(1)
    assert work.done == ["a"]


async def test_a_name_is_never_worked_on_twice_at_once_and_once_more_when_added_meanwhile():
    work = Work()
    work.queue.add("a")
    asyncio.get_running_loop().call_later(0.05, work.queue.add, "a")
    asyncio.get_running_loop().call_later(0.06, work.queue.add, "a")
    asyncio.get_running_loop().call_later(0.1, work.gate.set)
    await work.run(2)
    assert (work.done, work.most_at_once) == (["a", "a"], 1)


async def test_different_names_are_worked_on_side_by_side():
    work = Work()
    for name in "abc":
        work.queue.add(name)
    asyncio.get_running_loop().call_later(0.05, work.gate.set)
    await work.run(3)
    assert sorted(work.done) == ["a", "b", "c"]


async def test_the_earliest_date_counts():
    work = Work()
    work.gate.set()
    work.queue.add_after("a", 60)
    work.queue.add_after("a", 0.01)
    work.queue.add_after("a", 30)
    await work.run(1)
    assert work.done == ["a"]


async def test_work_that_raises_does_not_end_the_worker(caplog):
    queue, seen = WorkQueue(), []

    async def handle(name: str) -> None:
        seen.append(name)
        if name == "bad":
            raise ValueError("broken")

    worker = asyncio.create_task(queue.work(handle))
    queue.add("bad")
    queue.add("good")
    await asyncio.sleep(0.05)
    worker.cancel()
    queue.close()
    assert seen == ["bad", "good"]
    assert "work on bad failed" in caplog.text


async def test_the_same_failure_of_many_is_one_traceback(caplog):
    queue = WorkQueue()

    async def handle(name: str) -> None:
        raise ValueError("no such table" if name != "other" else "another")

    worker = asyncio.create_task(queue.work(handle))
    for name in ("a", "b", "c", "other"):
        queue.add(name)
    await asyncio.sleep(0.05)
    worker.cancel()
    queue.close()
    assert [record.getMessage() for record in caplog.records if not record.exc_info] == [
        f"work on {name} failed, as before: ValueError: no such table" for name in ("b", "c")
    ]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        f"work on {name} failed" for name in ("a", "other")
    ]

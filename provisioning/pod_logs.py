"""The logs of a store's containers as people may read them: line by line, harmless, without secrets, bounded.

A log is followed over the ends of its container's runs: where one ends, the next is waited for and read on from the
last line, and so is what a run said that came and went meanwhile (the cluster keeps the last one).  Nothing is read
before it is asked for, so a slow reader slows the stream down and fills no memory.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from provisioning.cluster import Cluster, ClusterError
from provisioning.failures.reading import clean, log_line, time_of

LONGEST_LINE = 4000  # characters that are shown
SHORTEST_SECRET = 6  # characters: shorter ones stand in any text
LARGEST_LINE = 64 * 1024  # bytes that are kept of one while it comes
MOST_LINES = 10_000  # of the past, at one time
MOST_BYTES = 8 * 1024**2  # likewise
GATHER = 0.1  # seconds between two batches: a torrent comes in few large ones
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds until it is looked whether a container runs again


@dataclass(frozen=True)
class Source:
    """Whose log it is."""

    namespace: str
    pod: str
    container: str


@dataclass(frozen=True)
class LogLine:
    """`at`: by the node's clock, as the cluster writes it.  `text`: fit to be shown, yet never as markup."""

    at: str
    text: str


@dataclass(frozen=True)
class Note:
    """Something about the log itself: why nothing comes, or why it ends."""

    text: str


class Lines:
    """Makes lines of pieces.  `secrets`: values that are never shown, whatever stands around them; those that are added
    to it meanwhile count from then on."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets
        self._rest = b""

    def feed(self, piece: bytes) -> list[LogLine]:
        """The lines that are whole with this piece."""
        *whole, rest = (self._rest + piece).split(b"\n")
        self._rest = rest[:LARGEST_LINE]
        return [self._line(each) for each in whole]

    def end(self) -> list[LogLine]:
        """What came after the last line's end."""
        rest, self._rest = self._rest, b""
        return [self._line(rest)] if rest else []

    def _line(self, line: bytes) -> LogLine:
        whole = line[:LARGEST_LINE].decode(errors="replace").rstrip("\r")
        at, _, text = whole.partition(" ") if _TIME.match(whole) else ("", "", whole)
        for secret in sorted(self._secrets, key=len, reverse=True):  # one may be a part of another
            text = text.replace(secret, "***") if len(secret) >= SHORTEST_SECRET else text
        return LogLine(at, log_line(text, LONGEST_LINE))


async def read(
    cluster: Cluster, source: Source, *, lines: int, previous: bool = False, secrets: Sequence[str] = ()
) -> AsyncGenerator[list[LogLine], None]:
    """The last `lines` of what there is, up to MOST_BYTES.  Raises ClusterError: 400, 404 where there is none."""
    cut, size = Lines(secrets), 0
    pieces = cluster.follow_log(
        source.namespace, source.pod, source.container, lines=min(lines, MOST_LINES), previous=previous, follow=False
    )
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if batch := cut.feed(piece):
                yield batch
            size += len(piece)
            if size > MOST_BYTES:
                break
    if batch := cut.end():
        yield batch


async def follow(
    cluster: Cluster, source: Source, *, lines: int, since: str = "", secrets: Sequence[str] = ()
) -> AsyncGenerator[list[LogLine] | Note, None]:
    """The last `lines`, or those after `since`, and then what comes, over restarts; ends when the pod is gone.

    A note tells what is waited for.  While the cluster does not answer it is asked again.
    """
    last, told, pause = since, "", SHORTEST_PAUSE
    while True:
        cut, some = Lines(secrets), False
        if last:
            async with contextlib.aclosing(_missed(cluster, source, last, secrets)) as missed:
                async for batch in missed:
                    last, some, told = batch[-1].at or last, True, ""
                    yield batch
        known = last
        pieces = cluster.follow_log(
            source.namespace, source.pod, source.container, lines=None if last else min(lines, MOST_LINES), since=last
        )
        try:
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    batch = _later(cut.feed(piece), known)
                    if batch:
                        last, known, some, told = batch[-1].at or last, "", True, ""
                        yield batch
                        await asyncio.sleep(GATHER)
            if batch := _later(cut.end(), known):
                last, some, told = batch[-1].at or last, True, ""
                yield batch
            note = "The container ended. What its next run says follows here."
        except ClusterError as error:
            if error.status == 404:
                return
            note = words(error) if error.status == 400 else "The cluster does not answer. It is asked again."
        if note != told:
            told = note
            yield Note(note)
        pause = SHORTEST_PAUSE if some else min(pause * 2, LONGEST_PAUSE)
        await asyncio.sleep(pause)


async def _missed(
    cluster: Cluster, source: Source, last: str, secrets: Sequence[str]
) -> AsyncGenerator[list[LogLine], None]:
    """What the run before the present one said after `last`; nothing where there was none or it is not to be had."""
    cut = Lines(secrets)
    pieces = cluster.follow_log(source.namespace, source.pod, source.container, since=last, previous=True, follow=False)
    with contextlib.suppress(ClusterError):  # the log itself is asked for next, and tells what is wrong
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                if batch := _later(cut.feed(piece), last):
                    yield batch
        if batch := _later(cut.end(), last):
            yield batch


def words(error: ClusterError) -> str:
    """Why there is no log, in the cluster's words, which may be shown."""
    said = clean(str(error))
    return f"{said[:1].upper()}{said[1:]}" + ("" if said.endswith(".") else ".")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\S+ ")


def _later(lines: list[LogLine], known: str) -> list[LogLine]:
    """Those from after `known`: the cluster takes whole seconds for where a log goes on."""
    return [line for line in lines if not line.at or time_of(line.at) > time_of(known)] if known else lines

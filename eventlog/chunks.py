"""Commands that go to the log together, and what an answer of the log settles of them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redis.exceptions import ResponseError

from eventlog.append import (
    Appended,
    NotAppended,
    Submission,
    Unknown,
    Verdict,
    is_certain,
    is_passing,
)
from runtime.positions import Position


@dataclass(slots=True, eq=False)
class Chunk:
    """Some commands of one request for one partition; `maybe_sent` once their fate is not ours.

    `why` tells what stood in the way so far. At `deadline` (of the event loop's clock), set with
    the first try, it is given up.
    """

    partition: int
    submissions: Sequence[Submission]
    verdicts: asyncio.Future[list[Verdict]] = field(repr=False)
    deadline: float | None = None
    maybe_sent: bool = False
    why: str = "the log did not answer"
    settled: bool = False

    @property
    def commands(self) -> int:
        return sum(each.width for each in self.submissions)

    def settle(self, verdicts: list[Verdict]) -> None:
        self.settled = True
        if not self.verdicts.done():
            self.verdicts.set_result(verdicts)

    def give_up(self, why: str) -> None:
        verdict = Unknown(why) if self.maybe_sent else NotAppended(why)
        self.settle([verdict] * len(self.submissions))


# By partition, in the order in which they are to be appended.
Turn = dict[int, list[Chunk]]
# What became of each command of a chunk, this time.
Answered = tuple[Chunk, list[Verdict]]


def chunks_of(turn: Turn) -> list[Chunk]:
    return [chunk for chunks in turn.values() for chunk in chunks]


def drop_settled(turn: Turn) -> None:
    for partition, chunks in list(turn.items()):
        left = [chunk for chunk in chunks if not chunk.settled]
        if left:
            turn[partition] = left
        else:
            del turn[partition]


def share_out(chunks: Sequence[Chunk], verdicts: Sequence[Verdict]) -> list[Answered]:
    """Give every chunk of a partition the verdicts on its own commands."""
    shared: list[Answered] = []
    start = 0
    for chunk in chunks:
        end = start + len(chunk.submissions)
        shared.append((chunk, list(verdicts[start:end])))
        start = end
    return shared


def positions(verdicts: Sequence[Verdict]) -> list[Position]:
    return [each.position for each in verdicts if isinstance(each, Appended)]


def take_verdicts(answered: Answered, sent_before: Mapping[Chunk, bool]) -> None:
    """Settle a chunk, unless it is refused now and was sent before: what became of the first time
    stays open.
    """
    chunk, verdicts = answered
    refused = next((each for each in verdicts if isinstance(each, NotAppended)), None)
    if refused is None or not sent_before[chunk]:
        chunk.settle(verdicts)
    else:
        chunk.why = refused.why


def take_error(chunk: Chunk, error: ResponseError, sent_before: Mapping[Chunk, bool]) -> None:
    """Settle a certain refusal; leave what is uncertain, or only passing, to be sent again."""
    certain = is_certain(error)
    chunk.why = f"the log refused: {error}"
    if certain:
        # This time it was not written; what an earlier time may have done stays open.
        chunk.maybe_sent = sent_before[chunk]
    if certain and not chunk.maybe_sent and not is_passing(error):
        chunk.give_up(chunk.why)

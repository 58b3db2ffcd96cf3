"""From a valid request to an entry in the log, and back to an answer."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from api.counts import Counts
from api.turnstile import only_waits_now
from api.waiting import Waited, Waiters
from domain.commands import Command
from eventlog.append import Appended, NotAppended, Submission, Unknown, Verdict
from eventlog.batcher import Batcher
from eventlog.codec import encode
from eventlog.envelope import Atomic, Envelope
from eventlog.notices import Notice
from eventlog.partition import partition_of
from runtime.failpoints import Reach, nowhere
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid command that is not accepted yet, under the id it will have. After `deadline`,
    milliseconds since 1970, it is not wanted any more.
    """

    id: str
    command: Command
    fingerprint: str
    reason: str | None
    deadline: int | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks: the actor of the events to come, a W3C traceparent, and the id that the request was
    given on its way.
    """

    actor: str
    trace: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """On disk in the log; `replayed` where it was before. `notice` is set once it is final."""

    draft: Draft
    position: Position
    replayed: bool
    notice: Notice | None


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The id is that of another payload."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not accepted; `lasting` where an operator has to do something about it."""

    draft: Draft
    why: str
    lasting: bool


@dataclass(frozen=True, slots=True)
class Uncertain:
    """May have been accepted."""

    draft: Draft
    why: str


Answer = Accepted | KeyReused | Refused | Uncertain
Told = Callable[[Sequence[Answer], Sender], None]


def nobody(_answers: Sequence[Answer], _sender: Sender) -> None:
    """Be told how commands were answered, and pass it over."""


class Acceptor:
    """Puts commands on the log and, where asked to, waits for what becomes of them. `is_lasting`
    says of a reason not to accept whether an operator has to do something about it; `counts` and
    `told` are told how each command was answered.
    """

    def __init__(
        self,
        batcher: Batcher,
        waiters: Waiters,
        partitions: int,
        is_lasting: Callable[[str], bool],
        counts: Counts,
        reach: Reach = nowhere,
        told: Told = nobody,
    ) -> None:
        self._batcher = batcher
        self._waiters = waiters
        self._partitions = partitions
        self._is_lasting = is_lasting
        self._counts = counts
        self._reach = reach
        self._told = told

    async def accept(
        self, drafts: Sequence[Draft], sender: Sender, wait: float, *, with_items: bool = True
    ) -> list[Answer]:
        """Accept commands, in order per partition, and wait up to `wait` seconds for all of them,
        to be told of each with the item it left behind or without.

        Commands of one item keep their order. The answers stand in the order of the drafts.
        """
        answers = await self._accept(drafts, sender, wait, with_items=with_items)
        self._count(answers, sender)
        self._reach("api.before_answer")
        return answers

    async def accept_one(self, draft: Draft, sender: Sender) -> Answer:
        """Accept one command and wait for nothing more."""
        submission = _submission(draft, sender, None, with_items=True)
        (verdict,) = await self._batcher.append(self._partition(draft), [submission])
        answer = self._judge(draft, verdict)
        self._count([answer], sender)
        self._reach("api.before_answer")
        return answer

    async def _accept(
        self, drafts: Sequence[Draft], sender: Sender, wait: float, *, with_items: bool
    ) -> list[Answer]:
        if wait <= 0:
            verdicts = await self._append(drafts, sender, None, with_items=with_items)
            return list(map(self._judge, drafts, verdicts))
        waited = [
            Waited(draft.id, self._partition(draft), draft.fingerprint, with_items)
            for draft in drafts
        ]
        deadline = asyncio.get_running_loop().time() + wait
        with self._waiters.expect(waited) as futures:
            verdicts = await self._append(
                drafts, sender, self._waiters.instance, with_items=with_items
            )
            only_waits_now()
            judged = list(map(self._judge, drafts, verdicts))
            pending = [
                (place, answer)
                for place, answer in enumerate(judged)
                if isinstance(answer, Accepted)
            ]
            # What was accepted before has its outcome told to whoever waited then: ask for it.
            again = [waited[place] for place, answer in pending if answer.replayed]
            if again:
                self._waiters.ask(again)
            left = deadline - asyncio.get_running_loop().time()
            if pending and left > 0:
                await asyncio.wait([futures[place] for place, _ in pending], timeout=left)
            for place, answer in pending:
                if futures[place].done():
                    judged[place] = _settle(answer, futures[place].result())
            return judged

    async def accept_atomic(
        self, batch_id: str, fingerprint: str, drafts: Sequence[Draft], sender: Sender, wait: float
    ) -> list[Answer]:
        """Accept commands that are applied together or not at all; their ids are `row_id`s of the
        batch's. Where the batch is refused, so is each of them.
        """
        home = self._partition(drafts[0])
        waited = [Waited(each.id, home, each.fingerprint, with_item=False) for each in drafts]
        deadline = asyncio.get_running_loop().time() + wait
        with self._waiters.expect(waited if wait > 0 else ()) as futures:
            reply_to = self._waiters.instance if wait > 0 else None
            rows = [_envelope(each, sender, reply_to, with_items=False) for each in drafts]
            entry = encode(Atomic(batch_id, tuple(rows)))
            submission = Submission(batch_id, entry, fingerprint)
            (verdict,) = await self._batcher.append(home, [submission])
            only_waits_now()
            judged = [self._judge(each, verdict, fingerprint) for each in drafts]
            if futures and all(isinstance(each, Accepted) for each in judged):
                if isinstance(verdict, Appended) and verdict.known:
                    self._waiters.ask(waited)
                left = deadline - asyncio.get_running_loop().time()
                if left > 0:
                    await asyncio.wait(futures, timeout=left)
                judged = [
                    _settle(each, future.result())
                    if isinstance(each, Accepted) and future.done()
                    else each
                    for each, future in zip(judged, futures, strict=True)
                ]
        self._count(judged, sender)
        self._reach("api.before_answer")
        return judged

    def _count(self, answers: Sequence[Answer], sender: Sender) -> None:
        for each in answers:
            self._counts.commands[counted_as(each)] += 1
        self._told(answers, sender)

    async def _append(
        self,
        drafts: Sequence[Draft],
        sender: Sender,
        reply_to: str | None,
        *,
        with_items: bool,
    ) -> list[Verdict]:
        places: dict[int, list[int]] = defaultdict(list)
        for place, draft in enumerate(drafts):
            places[self._partition(draft)].append(place)
        appends = [
            self._batcher.append(
                partition,
                [
                    _submission(drafts[place], sender, reply_to, with_items=with_items)
                    for place in mine
                ],
            )
            for partition, mine in places.items()
        ]
        # One needs no task of its own.
        answers = [await appends[0]] if len(appends) == 1 else await asyncio.gather(*appends)
        verdict_of = {
            place: verdict
            for mine, verdicts in zip(places.values(), answers, strict=True)
            for place, verdict in zip(mine, verdicts, strict=True)
        }
        return [verdict_of[place] for place in range(len(drafts))]

    def _partition(self, draft: Draft) -> int:
        return partition_of(draft.command.item_id, self._partitions)

    def _judge(self, draft: Draft, verdict: Verdict, sent: str | None = None) -> Answer:
        """Say what became of a draft, or of the batch it was `sent` with."""
        expected = draft.fingerprint if sent is None else sent
        match verdict:
            case Appended(position, known, fingerprint):
                if known and fingerprint != expected:
                    return KeyReused(draft)
                # Without a key nobody but we ourselves can have sent it before, after a lost
                # answer.
                return Accepted(draft, position, known and bool(expected), None)
            case NotAppended(why):
                return Refused(draft, why, self._is_lasting(why))
            case Unknown(why):
                return Uncertain(draft, why)
            case _:
                assert_never(verdict)


def counted_as(answer: Answer) -> str:
    """Name an answer as it is counted and logged."""
    match answer:
        case Accepted():
            return "replayed" if answer.replayed else "accepted"
        case KeyReused():
            return "idempotency-key-reused"
        case Refused():
            return "not-accepted"
        case Uncertain():
            return "outcome-unknown"
        case _:
            assert_never(answer)


def _submission(
    draft: Draft, sender: Sender, reply_to: str | None, *, with_items: bool
) -> Submission:
    envelope = _envelope(draft, sender, reply_to, with_items=with_items)
    return Submission(draft.id, encode(envelope), draft.fingerprint)


def _envelope(draft: Draft, sender: Sender, reply_to: str | None, *, with_items: bool) -> Envelope:
    return Envelope(
        draft.id,
        draft.command,
        sender.actor,
        draft.fingerprint,
        reply_to,
        draft.reason,
        sender.trace,
        with_items,
        draft.deadline,
        sender.request_id,
    )


def _settle(answer: Accepted, notice: Notice) -> Answer:
    if notice.reused:
        return KeyReused(answer.draft)
    # The command of an earlier acceptance that Redis has forgotten stands at an earlier position.
    replayed = answer.replayed or notice.position != answer.position
    return Accepted(answer.draft, notice.position, replayed, notice)

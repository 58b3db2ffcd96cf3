"""From a valid request to an entry in the log, and back to an answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from api.counts import Counts
from api.packs import Delivered, first_of, parcels
from api.turnstile import only_waits_now
from api.waiting import Waited, Waiters
from domain.commands import Command
from eventlog.append import Appended, NotAppended, Submission, Unknown, Verdict
from eventlog.batcher import Batcher
from eventlog.codec import encode
from eventlog.envelope import Atomic, Envelope
from eventlog.notices import Notice
from eventlog.packing import Row, Shared
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

    async def accept(self, draft: Draft, sender: Sender, wait: float) -> Answer:
        """Accept a command, and wait up to `wait` seconds to be told what became of it, with the
        item it left behind.
        """
        if wait <= 0:
            return await self.accept_one(draft, sender)
        partition = self._partition(draft)
        waited = Waited(draft.id, partition, draft.fingerprint, with_item=True)
        deadline = asyncio.get_running_loop().time() + wait
        with self._waiters.expect([waited]) as futures:
            submission = _submission(draft, sender, self._waiters.instance)
            (verdict,) = await self._batcher.append(partition, [submission])
            only_waits_now()
            answers = [self._judge(draft, verdict)]
            await self._settle(answers, [waited], futures, deadline)
        self._count(answers, sender)
        self._reach("api.before_answer")
        return answers[0]

    async def accept_each(
        self,
        pack_id: str,
        drafts: Sequence[tuple[int, Draft]],
        sender: Sender,
        wait: float,
        *,
        keyed: bool,
    ) -> list[Answer]:
        """Accept numbered rows of a batch, each for itself and in order per partition; their ids
        are `row_id`s of the pack's. Wait up to `wait` seconds for all of them, to be told of each
        without the item it left behind.

        The answers stand in the order of the drafts.
        """
        first = drafts[0][1]
        shared = Shared(
            sender.actor,
            first.command.received_at,
            self._waiters.instance if wait > 0 else None,
            sender.trace,
            with_item=False,
            deadline=first.deadline,
            request_id=sender.request_id,
        )
        rows = [(number, each.command, each.fingerprint, each.reason) for number, each in drafts]
        waited = [
            Waited(each.id, self._partition(each), each.fingerprint, with_item=False)
            for _, each in (drafts if wait > 0 else ())
        ]
        deadline = asyncio.get_running_loop().time() + wait
        with self._waiters.expect(waited) as futures:
            delivered = await self.deliver(pack_id, shared, rows, keyed=keyed)
            only_waits_now()
            answers = self._judge_each(delivered, [each for _, each in drafts])
            if waited:
                await self._settle(answers, waited, futures, deadline)
        self._count(answers, sender)
        self._reach("api.before_answer")
        return answers

    async def deliver(
        self, pack_id: str, shared: Shared, rows: Sequence[Row], *, keyed: bool
    ) -> list[Delivered]:
        """Put rows on the log, and tell what became of those of each partition."""
        made = parcels(pack_id, shared, rows, self._partitions, keyed=keyed)
        appends = [self._batcher.append(each.partition, [each.submission]) for each in made]
        # One needs no task of its own.
        told = [await appends[0]] if len(appends) == 1 else await asyncio.gather(*appends)
        return [(parcel, verdict) for parcel, (verdict,) in zip(made, told, strict=True)]

    @property
    def tells(self) -> bool:
        """Whether somebody wants to hear of every command that is answered."""
        return self._told is not nobody

    def took(self, count: int) -> None:
        """Take note that so many rows are on the log, and are about to be answered."""
        self._counts.commands["accepted"] += count
        self._reach("api.before_answer")

    def judge(
        self, delivered: Sequence[Delivered], drafts: Sequence[Draft], sender: Sender
    ) -> list[Answer]:
        """Say what became of rows that were delivered, in the order of their drafts, and take note
        of it.
        """
        answers = self._judge_each(delivered, drafts)
        self._count(answers, sender)
        self._reach("api.before_answer")
        return answers

    async def accept_one(self, draft: Draft, sender: Sender) -> Answer:
        """Accept one command and wait for nothing more."""
        submission = _submission(draft, sender, None)
        (verdict,) = await self._batcher.append(self._partition(draft), [submission])
        answer = self._judge(draft, verdict)
        self._count([answer], sender)
        self._reach("api.before_answer")
        return answer

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
                    _settled(each, future.result())
                    if isinstance(each, Accepted) and future.done()
                    else each
                    for each, future in zip(judged, futures, strict=True)
                ]
        self._count(judged, sender)
        self._reach("api.before_answer")
        return judged

    async def _settle(
        self,
        answers: list[Answer],
        waited: Sequence[Waited],
        futures: Sequence[asyncio.Future[Notice]],
        deadline: float,
    ) -> None:
        """Wait until a deadline for what becomes of commands that were accepted."""
        pending = [
            (place, answer) for place, answer in enumerate(answers) if isinstance(answer, Accepted)
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
                answers[place] = _settled(answer, futures[place].result())

    def _count(self, answers: Sequence[Answer], sender: Sender) -> None:
        for each in answers:
            self._counts.commands[counted_as(each)] += 1
        self._told(answers, sender)

    def _partition(self, draft: Draft) -> int:
        return partition_of(draft.command.item_id, self._partitions)

    def _judge_each(self, delivered: Sequence[Delivered], drafts: Sequence[Draft]) -> list[Answer]:
        """Say what became of every row of a batch, in the order in which they were delivered."""
        answers: dict[int, Answer] = {}
        for parcel, verdict in delivered:
            sent = parcel.submission.fingerprint
            n = first_of(parcel, verdict.position) if isinstance(verdict, Appended) else 0
            for row, place in enumerate(parcel.places):
                mine = verdict
                if isinstance(mine, Appended):
                    mine = replace(mine, position=replace(mine.position, n=n + row))
                answers[place] = self._judge(drafts[place], mine, sent)
        return [answers[place] for place in range(len(drafts))]

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


def _submission(draft: Draft, sender: Sender, reply_to: str | None) -> Submission:
    envelope = _envelope(draft, sender, reply_to, with_items=True)
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


def _settled(answer: Accepted, notice: Notice) -> Answer:
    if notice.reused:
        return KeyReused(answer.draft)
    # The command of an earlier acceptance that Redis has forgotten stands at an earlier position.
    replayed = answer.replayed or notice.position != answer.position
    return Accepted(answer.draft, notice.position, replayed, notice)

"""Plain commands, one or a batch, made, accepted and answered without the framework."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from starlette.types import ASGIApp

from api import translate
from api.accept import Accepted, Acceptor, Draft, Sender
from api.answers import Answers
from api.batch_answers import PlainRow, accepted_rows, answer_batch
from api.hot_asked import BATCH, Asked
from api.ids import fingerprint, new_item_id, uuid7
from api.packs import Delivered, first_of
from api.problems import ProblemRaised
from api.requests import Clock, payload_of
from api.schemas import CreateBody, GoodBatch, PatchBody, ReplaceBody, Row
from domain.commands import Command, Existence, Expected
from eventlog import packing
from eventlog.append import Appended
from runtime.keyed_ids import keyed_id
from runtime.preferences import Preferences
from runtime.row_ids import row_id

# Headers and the body of the usual answer; or any other answer.
Told = tuple[Mapping[str, str], bytes] | ASGIApp

_PLAIN = Preferences()
_OF_BATCHES = {"Vary": "Prefer", "Retry-After": "1"}


class Commands:
    """`currency` is that of items that name none."""

    def __init__(self, acceptor: Acceptor, answers: Answers, clock: Clock, currency: str) -> None:
        self._acceptor = acceptor
        self._answers = answers
        self._clock = clock
        self._currency = currency

    async def accept(self, asked: Asked, body: bytes) -> Told | None:
        """Do what is asked; `None` where that is not plain, or not right, and nothing was done."""
        try:
            if asked.template == BATCH:
                return await self._batch(asked, GoodBatch.model_validate_json(body))
            draft = self._draft(asked, body)
        except ValidationError:
            return None
        answer = await self._acceptor.accept_one(draft, _sender(asked))
        if isinstance(answer, Accepted):
            return self._answers.plain(answer)
        return self._answers.single(answer, _PLAIN)

    def _draft(self, asked: Asked, body: bytes) -> Draft:
        """Make a command of the body. Raises ValidationError."""
        now, key = self._clock(), asked.key
        if key is None:
            command_id = uuid7(now)
        else:
            command_id = keyed_id(asked.caller.subject, asked.method, asked.path, key)
        parsed: CreateBody | ReplaceBody | PatchBody
        command: Command
        # Nothing is judged by a condition where an item is new.
        expected: Expected | None = None
        if asked.method == "POST":
            parsed = CreateBody.model_validate_json(body)
            item_id = new_item_id(command_id, now, keyed=key is not None)
            command = translate.create(parsed, item_id, now, self._currency)
        elif asked.method == "PUT":
            parsed, expected = ReplaceBody.model_validate_json(body), Existence.ANY
            command = translate.replace(parsed, asked.item_id, now, self._currency, expected)
        else:
            parsed, expected = PatchBody.model_validate_json(body), Existence.ANY
            command = translate.patch(parsed, asked.item_id, now, expected)
        printed = "" if key is None else fingerprint(payload_of(parsed, expected))
        return Draft(command_id, command, printed, parsed.reason)

    async def _batch(self, asked: Asked, body: GoodBatch) -> Told | None:
        if body.atomic or any(each.effective_at is not None for each in body.commands):
            return None
        now = self._clock()
        batch_id = uuid7(now)
        rows: list[packing.Row] = [
            (
                number,
                self._command(each, now),
                "",
                body.reason if each.reason is None else each.reason,
            )
            for number, each in enumerate(body.commands)
        ]
        shared = packing.Shared(
            asked.caller.subject,
            now,
            trace=asked.trace,
            with_item=False,
            request_id=asked.request_id,
        )
        delivered = await self._acceptor.deliver(batch_id, shared, rows, keyed=False)
        placed = _placed(rows, delivered)
        if placed is None or self._acceptor.tells:
            return self._each(asked, batch_id, rows, delivered)
        self._acceptor.took(len(rows))
        return _OF_BATCHES, accepted_rows(batch_id, placed)

    def _command(self, row: Row, now: int) -> Command:
        unnamed = row.op == "create" and row.id is None
        return translate.row(row, uuid7(now) if unnamed else "", now, self._currency)

    def _each(
        self,
        asked: Asked,
        batch_id: str,
        rows: Sequence[packing.Row],
        delivered: Sequence[Delivered],
    ) -> Told:
        """Answer every row for itself."""
        drafts = [
            Draft(row_id(batch_id, number), command, printed, reason)
            for number, command, printed, reason in rows
        ]
        judged = self._acceptor.judge(delivered, drafts, _sender(asked))
        try:
            return answer_batch(self._answers, _PLAIN, drafts, judged)
        except ProblemRaised as raised:
            return self._answers.raised(raised)


def _placed(rows: Sequence[packing.Row], delivered: Sequence[Delivered]) -> list[PlainRow] | None:
    """Tell of the rows, in their order, where each stands; `None` where not all are accepted."""
    placed: dict[int, PlainRow] = {}
    for parcel, verdict in delivered:
        if not isinstance(verdict, Appended):
            return None
        at = verdict.position
        n = first_of(parcel, at)
        for place in parcel.places:
            number, command, _, _ = rows[place]
            placed[place] = (number, command.item_id, at.partition, at.epoch, n)
            n += 1
    # Of one partition they are in their order already.
    return (
        list(placed.values()) if len(delivered) == 1 else [placed[each] for each in sorted(placed)]
    )


def _sender(asked: Asked) -> Sender:
    return Sender(asked.caller.subject, asked.trace, asked.request_id)

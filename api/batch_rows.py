"""The rows of a batch: commands, or what is wrong with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from api import translate
from api.accept import Draft
from api.bodies import spots
from api.ids import fingerprint, uuid7
from api.problems import ProblemRaised, invalid_body
from api.requests import Door
from api.schemas import ROW, ROWS, BatchBody, Row
from domain.commands import DeleteItem, PatchItem, ReplaceItem
from runtime.keyed_ids import uuid8
from runtime.problems import Problem
from runtime.row_ids import row_id


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no command."""

    item_id: str | None
    problem: Problem


@dataclass(frozen=True, slots=True)
class Making:
    """What the rows of one batch have in common; under a key their ids come out the same."""

    door: Door
    batch_id: str
    deadline: int | None
    now: int
    body: BatchBody
    keyed: bool

    def rows(self) -> list[Draft | BadRow]:
        """Make the command of every row."""
        raw = self.body.commands
        return [
            each if isinstance(each, BadRow) else self._row(raw[number], each, number)
            for number, each in enumerate(parsed(raw))
        ]

    def _row(self, raw: Any, row: Row, number: int) -> Draft | BadRow:
        command = translate.row(row, self._new_id(row, number), self.now, self.door.currency)
        try:
            if isinstance(command, ReplaceItem | PatchItem | DeleteItem):
                self.door.require_condition(command.expected)
        except ProblemRaised as raised:
            return BadRow(command.item_id, raised.problem)
        return Draft(
            row_id(self.batch_id, number),
            command,
            fingerprint(raw) if self.keyed else "",
            self.body.reason if row.reason is None else row.reason,
            self.deadline,
        )

    def _new_id(self, row: Row, number: int) -> str:
        if row.op != "create" or row.id is not None:
            return ""
        lasting = self.keyed or self.body.atomic
        return uuid8(self.batch_id, str(number), "item") if lasting else uuid7(self.now)


def parsed(raw: Sequence[Any]) -> Iterator[Row | BadRow]:
    """Read all rows at once; one by one only where some are not right."""
    try:
        yield from ROWS.validate_python(raw)
    except ValidationError:
        for number, each in enumerate(raw):
            yield _parsed(each, number)


def _parsed(raw: Any, number: int) -> Row | BadRow:
    try:
        return ROW.validate_python(raw)
    except ValidationError as error:
        return BadRow(_item_id(raw), invalid_body(spots(error, f"/commands/{number}", raw)))


def _item_id(raw: Any) -> str | None:
    """Find the id a bad row names, to be told which one it was."""
    if not isinstance(raw, dict):
        return None
    named = cast("dict[str, Any]", raw).get("id")
    return named if isinstance(named, str) else None

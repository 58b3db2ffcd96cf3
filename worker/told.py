"""Who is told of every batch that was applied: nobody, or whoever follows single commands."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from eventlog.envelope import Rows
from runtime.request_ids import named
from runtime.settings import Settings
from worker.apply import Applied, Decoded

if TYPE_CHECKING:
    from runtime.spans import Spans

# What a batch was made of, what it came to, and when it was begun, in nanoseconds since 1970.
Told = Callable[[Mapping[int, Sequence[Decoded]], Mapping[int, Applied], int], None]

log = structlog.get_logger()


def nobody(
    _batches: Mapping[int, Sequence[Decoded]], _applied: Mapping[int, Applied], _begun: int
) -> None:
    """Be told of a batch, and pass it over."""


def told_of(settings: Settings, spans: "Spans | None" = None) -> Told:
    """Find out who wants to be told."""
    wanting: list[Told] = [log_commands] if settings.log_requests else []
    if spans is not None:
        from worker.traced import told_in_spans  # noqa: PLC0415  heavy, and rarely wanted

        wanting.append(told_in_spans(spans))
    return partial(_all, wanting) if wanting else nobody


def _all(
    wanting: Sequence[Told],
    batches: Mapping[int, Sequence[Decoded]],
    applied: Mapping[int, Applied],
    begun: int,
) -> None:
    for tell in wanting:
        tell(batches, applied, begun)


def log_commands(
    batches: Mapping[int, Sequence[Decoded]], applied: Mapping[int, Applied], begun: int
) -> None:
    """Log a line for every command that has become final. Rows of imports are left out: what became
    of them stands in the import.
    """
    ms = round((time.time_ns() - begun) / 1_000_000, 1)
    rows = {
        row.id
        for batch in batches.values()
        for each in batch
        if isinstance(each.entry, Rows)
        for row in each.entry.rows
    }
    for each in applied.values():
        for command_id, kept in each.outcomes.items():
            if command_id not in rows:
                outcome = kept.outcome
                log.info(
                    outcome.status,
                    command_id=command_id,
                    item_id=outcome.item_id,
                    version=outcome.version,
                    position=kept.position.token,
                    **({} if outcome.code is None else {"code": outcome.code}),
                    **named(kept.request_id, kept.trace),
                    ms=ms,
                )

"""Spans of the commands that a worker applies. Loaded only where traces are asked for
(docs/tracing.md).
"""

import time
from collections.abc import Mapping, Sequence

from eventlog import keys
from ledger.outcomes import KeptOutcome
from runtime.errors import headline
from runtime.spans import Spans, Value
from worker.apply import Applied, Decoded
from worker.told import Told

_NAME, _KIND = "apply", "takes"


def told_in_spans(spans: Spans) -> Told:
    """Make a span of every command that has become final, from the begin of its batch until it was
    committed, in the trace that brought the command.
    """

    def tell(
        _batches: Mapping[int, Sequence[Decoded]], applied: Mapping[int, Applied], begun: int
    ) -> None:
        times = begun, time.time_ns()
        size = sum(len(each.outcomes) for each in applied.values())
        for each in applied.values():
            for command_id, kept in each.outcomes.items():
                if kept.trace is not None:
                    facts = _of_all(each.upto.partition, command_id, size) | _of_one(kept)
                    spans.done(_NAME, _KIND, kept.trace, times, facts)
            for command_id, dead in each.dead.items():
                if dead.trace is not None:
                    facts = _of_all(each.upto.partition, command_id, size)
                    facts |= {"itemledger.outcome": "dead"}
                    why = headline(dead.why)
                    spans.done(_NAME, _KIND, dead.trace, times, facts, why)

    return tell


def _of_all(partition: int, command_id: str, size: int) -> dict[str, Value | None]:
    return {
        "messaging.system": "redis",
        "messaging.operation.name": "apply",
        "messaging.operation.type": "process",
        "messaging.destination.name": keys.log(partition),
        "messaging.destination.partition.id": str(partition),
        "messaging.batch.message_count": size,
        "messaging.message.id": command_id,
    }


def _of_one(kept: KeptOutcome) -> dict[str, Value | None]:
    outcome = kept.outcome
    return {
        "itemledger.outcome": outcome.status,
        "itemledger.code": outcome.code,
        "itemledger.item_id": outcome.item_id,
        "itemledger.version": outcome.version,
        "itemledger.position": kept.position.token,
        "itemledger.request_id": kept.request_id,
    }

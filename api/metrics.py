"""What the command API tells Prometheus: what the process has counted, and what it saw at its last
look at the log. A scrape asks nobody.
"""

from collections.abc import Sequence

from api.counts import Counts
from api.imports.lanes import Lanes
from api.waiting import Waiters
from api.watch import Watch
from eventlog.batcher import Batcher
from runtime.auth.guard import Guard
from runtime.metrics import OF_PROCESSES, UP, Exposition, Metric, Reading

_COMMANDS = Metric(
    "itemledger_commands_received_total",
    "counter",
    "Commands by how they were answered: `accepted`, `replayed` (accepted before), or the code of "
    "the problem. Rows of a batch count each for itself, those of imports elsewhere.",
    ("answer",),
)
_ROWS = Metric(
    "itemledger_import_rows_accepted_total",
    "counter",
    "Rows of imports that were put on the log.",
)
_PROBLEMS = Metric(
    "itemledger_problems_total",
    "counter",
    "Requests that were answered with a problem, by its code.",
    ("code",),
)
_ACCEPTING = Metric(
    "itemledger_accepting",
    "gauge",
    "1 where commands are accepted; /health/ready says why not.",
)
_BACKLOG = Metric(
    "itemledger_backlog_commands",
    "gauge",
    "Commands on the log that are not applied yet, counted as itemledger_lag_commands does.",
)
_BACKLOG_LIMIT = Metric(
    "itemledger_backlog_limit",
    "gauge",
    "From how many on none is accepted (ITEMLEDGER_BACKLOG_LIMIT).",
)
_BACKLOG_SECONDS = Metric(
    "itemledger_backlog_seconds",
    "gauge",
    "For how long this process has seen the oldest of them wait, by its own clock.",
)
_STANDSTILL = Metric(
    "itemledger_standstill_seconds",
    "gauge",
    "For how long this process has seen commands wait without any being applied. From 10 on "
    "readiness is red. 0 where none waits.",
    ("partition",),
)
_APPEND_SECONDS = Metric(
    "itemledger_append_seconds",
    "histogram",
    "Seconds that the log took for what was written together, to the disk.",
)
_APPEND_ENTRIES = Metric(
    "itemledger_append_entries",
    "histogram",
    "How many commands were written together; an atomic batch and up to 100 rows of an import "
    "count as one.",
)
_TO_APPEND = Metric(
    "itemledger_appends_waiting",
    "gauge",
    "Commands that requests have ready and that are not on the log yet.",
)
_AWAITED = Metric(
    "itemledger_outcomes_awaited",
    "gauge",
    "Commands whose outcome a request waits for (`Prefer: wait`).",
)
_UPLOADS = Metric("itemledger_uploads_running", "gauge", "Imports that are being sent.")

METRICS: Sequence[Metric] = (
    *OF_PROCESSES,
    *(_COMMANDS, _ROWS, _PROBLEMS),
    *(_ACCEPTING, _BACKLOG, _BACKLOG_LIMIT, _BACKLOG_SECONDS, _STANDSTILL),
    *(_APPEND_SECONDS, _APPEND_ENTRIES, _TO_APPEND, _AWAITED, _UPLOADS),
)


def exposition(
    counts: Counts,
    watch: Watch,
    guard: Guard,
    batcher: Batcher,
    waiters: Waiters,
    lanes: Lanes,
) -> Exposition:
    """Make what is told of these."""

    def read() -> Reading:
        reading = Reading()
        reading.process(counts.requests)
        for answer, count in counts.commands.items():
            reading.put(_COMMANDS, count, answer)
        reading.put(_ROWS, lanes.fed)
        for code, count in counts.problems.items():
            reading.put(_PROBLEMS, count, code)
        reading.spread(_APPEND_SECONDS, batcher.seconds.seen())
        reading.spread(_APPEND_ENTRIES, batcher.sizes.seen())
        reading.put(_TO_APPEND, batcher.waiting)
        reading.put(_AWAITED, waiters.count)
        reading.put(_UPLOADS, counts.uploads)
        reading.put(_BACKLOG_LIMIT, watch.backlog_limit)
        backlog = watch.backlog()
        refused = watch.why() or guard.why_not()
        reading.put(_ACCEPTING, int(backlog is not None and refused is None))
        reading.put(UP, int(backlog is not None), "log")
        if backlog is not None:
            reading.put(_BACKLOG, backlog.commands)
            reading.put(_BACKLOG_SECONDS, backlog.seconds)
            for partition, seconds in backlog.still.items():
                reading.put(_STANDSTILL, seconds, partition)
        return reading

    return Exposition(METRICS, read)

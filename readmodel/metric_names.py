"""The metrics of the query API."""

from collections.abc import Sequence

from runtime.metrics import OF_PROCESSES, Metric

_PARTITION = ("partition",)
_STATE = ("state",)
_PROJECTION = ("projection",)

HEAD = Metric(
    "itemledger_log_head",
    "gauge",
    "The last position given out in the partition's newest epoch.",
    _PARTITION,
)
CHECKPOINT = Metric(
    "itemledger_ledger_checkpoint",
    "gauge",
    "The position up to which the ledger has taken the partition, in that epoch.",
    _PARTITION,
)
EPOCH = Metric(
    "itemledger_log_epoch",
    "gauge",
    "The epoch that both are of. It changes when the log's Redis is another one than before.",
    _PARTITION,
)
LAG = Metric(
    "itemledger_lag_commands",
    "gauge",
    "Commands on the log that the ledger has not taken yet, older epochs included. An atomic batch "
    "counts as one, and so do up to 100 rows of an import.",
    _PARTITION,
)
LAG_SECONDS = Metric(
    "itemledger_lag_seconds",
    "gauge",
    "For how long the oldest of them has waited, by the clocks of the machine that received it and "
    "of this one; 0 where none waits.",
    _PARTITION,
)
STANDSTILL = Metric(
    "itemledger_standstill_seconds",
    "gauge",
    "For how long this process has seen the same command be the first to wait. From 10 on "
    "readiness is red.",
    _PARTITION,
)
EVENTS = Metric(
    "itemledger_ledger_events_total",
    "counter",
    "Events in the ledger.",
    _PARTITION,
)
OUTCOMES = Metric(
    "itemledger_ledger_outcomes_total",
    "counter",
    "Outcomes there ever were: of commands, of rows of imports (dry runs too), of what was said "
    "about an import.",
    _PARTITION,
)
BY_STATUS = Metric(
    "itemledger_outcomes_total",
    "counter",
    "What became of commands, as all workers have counted it: `applied`, `unchanged`, `rejected`, "
    "`expired`, `skipped` (a row of an import that was over), `dead` (given up), and `set-aside`, "
    "which have no outcome yet since they met a defect. Only grows, until the log's Redis is lost.",
    ("status",),
)
DELAY = Metric(
    "itemledger_apply_delay_seconds",
    "histogram",
    "Seconds from a command's receipt to the commit that made it visible, as all workers have "
    "counted it; rows of imports are left out. Only grows, until the log's Redis is lost.",
)
PROJECTION_LAG = Metric(
    "itemledger_projection_lag_events",
    "gauge",
    "Events of the ledger that the view has not taken yet.",
    _PROJECTION,
)
PROJECTION_LAG_SECONDS = Metric(
    "itemledger_projection_lag_seconds",
    "gauge",
    "How old the oldest of them is; 0 where there is none.",
    _PROJECTION,
)
DETACHED = Metric(
    "itemledger_projection_detached",
    "gauge",
    "Partitions in which the view is left behind since an error of its own.",
    _PROJECTION,
)
UNBUILT = Metric(
    "itemledger_projection_unbuilt",
    "gauge",
    "1 where the view was never built, and can not be read yet.",
    _PROJECTION,
)
BUILD_FAILED = Metric(
    "itemledger_projection_build_failed",
    "gauge",
    "1 where the last build of the view failed; what was read before goes on.",
    _PROJECTION,
)
DEAD = Metric("itemledger_commands_dead", "gauge", "Commands that met a defect.")
PARKED = Metric("itemledger_commands_parked", "gauge", "Commands that wait behind a dead one.")
MISSING = Metric(
    "itemledger_log_positions_missing",
    "gauge",
    "Positions that the log gave out and has lost; of `kept` ones the ledger has the commands.",
    ("kind",),
)
WORKERS = Metric(
    "itemledger_workers",
    "gauge",
    "Workers: `working`, `paused` (waiting for a store), `silent` (gone without a word within the "
    "last hour).",
    _STATE,
)
WORKER_SECONDS = Metric(
    "itemledger_worker_state_seconds",
    "gauge",
    "For how long the longest of them has been in that state.",
    _STATE,
)
REPORT_SECONDS = Metric(
    "itemledger_worker_report_seconds",
    "gauge",
    "Since when the last worker has reported; they do every 5 s. Absent where none is heard of.",
)
WORKER_CPU = Metric(
    "itemledger_worker_cpu_seconds_total",
    "counter",
    "Seconds of processors that the worker has used, as it last told.",
    ("worker",),
)
WORKER_MEMORY = Metric(
    "itemledger_worker_memory_bytes",
    "gauge",
    "Memory that the worker has, as it last told.",
    ("worker",),
)
CRON_SECONDS = Metric(
    "itemledger_cron_tick_seconds",
    "gauge",
    "Since when cron has last looked whether a chore is due; it does every 5 s. Absent where it "
    "was never heard of.",
)
CRON_CHORES = Metric(
    "itemledger_cron_chores_total",
    "counter",
    "Chores that were due, and that cron asked a worker for. Only grows, until the log's Redis is "
    "lost.",
    ("chore",),
)
CRON_ERRORS = Metric(
    "itemledger_cron_errors_total",
    "counter",
    "Looks at which the Redis of the doorbells did not answer or refused. Only grows, until the "
    "log's Redis is lost.",
)
DURABILITY = Metric(
    "itemledger_durability",
    "gauge",
    "1 for the level at which the log is kept, 0 for the others.",
    ("level",),
)
SUFFICIENT = Metric(
    "itemledger_durability_sufficient",
    "gauge",
    "1 where the log is kept as safely as ITEMLEDGER_MIN_DURABILITY and ITEMLEDGER_WAIT_REPLICAS "
    "ask for; else no command is accepted.",
)
REPLICAS = Metric("itemledger_log_replicas", "gauge", "Replicas of the log's Redis that follow.")
MEMORY = Metric("itemledger_log_memory_used_bytes", "gauge", "Memory that the log's Redis uses.")
MEMORY_LIMIT = Metric(
    "itemledger_log_memory_limit_bytes", "gauge", "Its maxmemory; 0 where it has none."
)
CACHE_REQUESTS = Metric(
    "itemledger_item_cache_requests_total",
    "counter",
    "Reads of an item by its id that this process answered from memory (`hit`), and those that it "
    "looked up (`miss`); without those that name a state or a moment of the past.",
    ("result",),
)
CACHE_ITEMS = Metric("itemledger_item_cache_items", "gauge", "Items that it has in memory.")
CACHE_BYTES = Metric(
    "itemledger_item_cache_bytes", "gauge", "What they take, of at most ITEMLEDGER_ITEM_CACHE."
)
CACHE_SURE = Metric(
    "itemledger_item_cache_partitions_sure",
    "gauge",
    "Partitions of which it hears everything. Items of the others are read from the database; 0 "
    "where no worker is heard of.",
)
LISTS_REQUESTS = Metric(
    "itemledger_list_memory_requests_total",
    "counter",
    "Lists that this process answered from memory (`hit`), and those that it read (`miss`), "
    "without those that may wait; on SQLite.",
    ("result",),
)
LISTS_KEPT = Metric("itemledger_list_memory_lists", "gauge", "Lists that it has in memory.")
LISTS_BYTES = Metric(
    "itemledger_list_memory_bytes",
    "gauge",
    "What they take, of at most a quarter of ITEMLEDGER_ITEM_CACHE.",
)

METRICS: Sequence[Metric] = (
    *OF_PROCESSES,
    *(HEAD, CHECKPOINT, EPOCH, LAG, LAG_SECONDS, STANDSTILL),
    *(EVENTS, OUTCOMES, BY_STATUS, DELAY),
    *(PROJECTION_LAG, PROJECTION_LAG_SECONDS, DETACHED, UNBUILT, BUILD_FAILED),
    *(DEAD, PARKED, MISSING),
    *(CACHE_REQUESTS, CACHE_ITEMS, CACHE_BYTES, CACHE_SURE),
    *(LISTS_REQUESTS, LISTS_KEPT, LISTS_BYTES),
    *(WORKERS, WORKER_SECONDS, REPORT_SECONDS, WORKER_CPU, WORKER_MEMORY),
    *(CRON_SECONDS, CRON_CHORES, CRON_ERRORS),
    *(DURABILITY, SUFFICIENT, REPLICAS, MEMORY, MEMORY_LIMIT),
)

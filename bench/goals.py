"""The goals: what each wants, and of what it is computed. Figures are in bench/*.py, not here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """What a value has to reach, or, where `most`, must not exceed."""

    needed: float
    most: bool = False
    hoped: float | None = None
    unit: str = "times"

    def met(self, low: float, high: float) -> bool:
        """Tell whether the worse end of the interval is good enough."""
        return high <= self.needed if self.most else low >= self.needed


@dataclass(frozen=True, slots=True)
class Goal:
    title: str
    how: str
    bounds: Mapping[str, Bound]


# On the fastest server for it that we know; on the server of the query API it is slower.
HELLO = "of Flask's hello world on granian"
GOALS: Mapping[str, Goal] = {
    "G1": Goal(
        "Item by id, warm",
        "`GET /items/{id}` of the query API on SQLite with its defaults, ids drawn by "
        "Zipf's law, 64 connections in a closed loop. The plain services read a row of as many by "
        "its id.",
        {
            HELLO: Bound(3, hoped=5),
            "of the plain Flask CRUD read on gunicorn": Bound(15),
            "of the plain FastAPI CRUD read": Bound(40),
        },
    ),
    "G2": Goal(
        "Item by id, from the store",
        "As G1, but each request asks for another item and nothing is kept in memory "
        "(`ITEMLEDGER_ITEM_CACHE=0`).",
        {
            f"SQLite: {HELLO}": Bound(1, hoped=1.2),
            f"PostgreSQL: {HELLO}": Bound(0.25, hoped=0.4),
        },
    ),
    "G3": Goal(
        "Item by id, not modified",
        "As G1, with `If-None-Match` and the ETag that the client has; every answer is 304.",
        {"of the same read answered 200": Bound(1.1)},
    ),
    "G4": Goal(
        "A page of the list",
        "20 items by id: the first page, and the 5,000th (by its cursor). The plain services list "
        "20 rows of as many by id. Pages are read each time, as nothing is kept in memory "
        "(`ITEMLEDGER_ITEM_CACHE=0`); and once more the first page with the defaults, while "
        "nothing is written.",
        {
            "from memory, of the faster plain list": Bound(6),
            "read, of the faster plain list": Bound(6),
            "of the first page, the 5,000th": Bound(0.85),
        },
    ),
    "G5": Goal(
        "A command, on disk before it is answered",
        "`POST /items`, 64 connections in a closed loop, the worker applying beside it. Latencies "
        "from an open loop at half the rate that the side reached. The echo is FastAPI with our "
        "model on the same server and does nothing else.",
        {
            "of the FastAPI echo": Bound(0.55, hoped=0.75),
            "of the faster plain create on SQLite": Bound(10),
            "p99 of the echo's": Bound(4, most=True),
        },
    ),
    "G6": Goal(
        "A batch of 100 commands",
        "`POST /items/batch` with 100 rows, 8 connections, against `POST /items` (G5): commands "
        "per second, each on disk before its answer.",
        {"of single commands": Bound(15, hoped=30)},
    ),
    "G7": Goal(
        "Apply",
        "A worker is frozen while commands wait in the log, half of them creating, half changing a "
        "price; then the time until the database has their events, heads, rows of every view, "
        "outcomes and hash chain (`synchronous=FULL`). Stock RQ does one job per event: a session "
        "of the ORM, an event, an item, a commit; its Redis keeps nothing on disk.",
        {
            "of stock RQ, SimpleWorker": Bound(25, hoped=80),
            "of stock RQ, forking Worker": Bound(100),
        },
    ),
    "G8": Goal(
        "Apply, against raw COPY",
        "As G7 on PostgreSQL; the other side writes the same event rows into a table with the same "
        "indexes by binary `COPY`, a commit per 1,000, and nothing else.",
        {"of COPY of the event rows": Bound(0.2)},
    ),
    "G9": Goal(
        "Rebuild",
        "`itemledger rebuild` beside the running service, view by view, from the wish to "
        "the switch and with the comparison with the live view, against apply (G7).",
        {
            "of live apply, the slowest view": Bound(2.5),
        },
    ),
    "G10": Goal(
        "From accepted to visible",
        "500 commands a second at random moments (open loop) to random items. From the answer to "
        "the moment a reader of the database sees it, looked at every millisecond.",
        {
            "1 partition, SQLite: p50": Bound(6, most=True, hoped=4, unit="ms"),
            "1 partition, SQLite: p99": Bound(25, most=True, hoped=15, unit="ms"),
            "16 partitions, PostgreSQL: p50": Bound(6, most=True, hoped=4, unit="ms"),
            "16 partitions, PostgreSQL: p99": Bound(25, most=True, hoped=15, unit="ms"),
        },
    ),
    "G11": Goal(
        "Start and memory",
        "`itemledger up` with its embedded engines, in an empty folder and again in it: until both "
        "services are ready; and the memory (PSS) of all its processes after requests to "
        "both.",
        {
            "memory of all processes": Bound(300, most=True, unit="MB"),
            "ready, first start": Bound(2.5, most=True, unit="s"),
            "ready, second start": Bound(2.5, most=True, unit="s"),
        },
    ),
    "G12": Goal(
        "From few items to many",
        "Reads as in G1 and apply as in G7 (changes of prices of any items) with 10,000 and "
        "1,000,000 items in the catalogue, on SQLite; and the memory of each process after both "
        "(its own, without pages of files), of the query process less what it keeps of items "
        "and lists within its limits.",
        {
            "read, warm": Bound(0.9),
            "apply": Bound(0.7),
            "memory of the process that grew most": Bound(1.1, most=True),
        },
    ),
    "G13": Goal(
        "CPU per command, from request to row",
        "All processes, Valkey and PostgreSQL included, until everything is applied; as G5. The "
        "other side: the echo's CPU per request and that of stock RQ with one job per event "
        "(forking Worker), from `enqueue` to the commit, its Valkey and its database included.",
        {
            "SQLite: of echo and job per event": Bound(1 / 15, most=True),
            "PostgreSQL: of echo and job per event": Bound(1 / 15, most=True),
        },
    ),
    "G14": Goal(
        "A mix",
        "75 % reads by id, 15 % updates, 5 % lists, 5 % creations, over both services, 64 "
        "connections in a closed loop. The faster of the plain services, on SQLite.",
        {
            "of the faster plain service": Bound(6),
            "p99 of the faster plain service's": Bound(0.5, most=True),
        },
    ),
}

"""A run written by hand: what clients did, and the ledger that a right product makes of it."""

import zlib
from collections import defaultdict
from dataclasses import replace
from typing import Any

import orjson

from tests.chaos.evidence import Evidence, understand
from tests.chaos.final import (
    Entry,
    EventRow,
    Final,
    HeadRow,
    LogHead,
    OutcomeRow,
    PartitionRow,
    Position,
    ViewRow,
)
from tests.chaos.history import Line
from tests.chaos.invariants.stores import document
from tests.chaos.invariants.versions import GENESIS, link
from tests.chaos.model import State, after, judge
from tests.chaos.wishes import Wish

PARTITIONS = 2
EPOCH = 7


class Story:
    """`do` has one client after the other ask for something and be answered; `lines` is what the
    history then says, `final` what is there.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.events: list[EventRow] = []
        self.outcomes: list[OutcomeRow] = []
        self.log: list[Entry] = []
        self.states: dict[str, State] = {}
        self._clock = 0.0
        self._count = 0
        self._n: dict[int, int] = defaultdict(int)

    def now(self) -> float:
        self._clock += 1.0
        return self._clock

    def invoke(self, *wishes: Wish, proc: int = 1, key: str | None = None) -> int:
        self._count += 1
        self.lines.append(
            {
                "i": self._count,
                "proc": proc,
                "type": "invoke",
                "f": "write",
                "w": "w",
                "key": key,
                "wait": 0,
                "batch": len(wishes) > 1,
                "rows": [wish.line() for wish in wishes],
                "t": self.now(),
            }
        )
        return self._count

    def end(self, number: int, kind: str, *rows: dict[str, Any], proc: int = 1) -> None:
        self.lines.append(
            {
                "i": number,
                "proc": proc,
                "type": kind,
                "f": "write",
                "rows": list(rows),
                "t": self.now(),
            }
        )

    def apply(self, wish: Wish, command_id: str | None = None) -> dict[str, Any]:
        """Have the product do right by a command; the row of a 202."""
        command_id = command_id or f"id-{wish.tok}"
        item = wish.item or f"new-{wish.tok}"
        partition = zlib.crc32(item.encode()) % PARTITIONS
        self._n[partition] += 1
        position = Position(partition, EPOCH, self._n[partition])
        state = self.states.get(item)
        expected = judge(wish, state)
        for kind, data in expected.events:
            mine = [each for each in self.events if each.partition == partition]
            event = EventRow(
                partition,
                len(mine) + 1,
                item,
                1 if state is None else state.version + 1,
                kind,
                orjson.dumps(data).decode(),
                command_id,
                "anonymous",
                wish.tok,
                1000 + len(self.events),
                1000 + len(self.events),
                "",
            )
            previous = mine[-1].hash if mine else GENESIS
            event = replace(event, hash=link(previous, event))
            self.events.append(event)
            state = self.states[item] = after(state, event)
        self.outcomes.append(
            OutcomeRow(
                command_id,
                partition,
                EPOCH,
                position.n,
                item,
                expected.status,
                expected.http_status,
                expected.version,
                expected.code,
            )
        )
        self.log.append(Entry(position, command_id, wish.tok))
        token = f"{partition}.{EPOCH}.{position.n}"
        return {"st": "accepted", "cmd": command_id, "item": item, "token": token}

    def do(self, wish: Wish, proc: int = 1, key: str | None = None) -> dict[str, Any]:
        """Ask, be told 202, have it applied."""
        number = self.invoke(wish, proc=proc, key=key)
        row = self.apply(wish)
        self.end(number, "ok", row, proc=proc)
        return row

    def read(self, item: str, proc: int = 1, **otherwise: Any) -> None:
        self._count += 1
        state = self.states.get(item)
        self.lines.append(
            {
                "i": self._count,
                "proc": proc,
                "type": "invoke",
                "f": "read",
                "w": "sessions",
                "item": item,
                "t": self.now(),
            }
        )
        said: dict[str, Any] = {"status": 404, "ver": None}
        if state is not None:
            gone = state.deleted_at is not None
            said = {"status": 410 if gone else 200, "ver": state.version}
            if not gone:
                said["doc"] = document(item, state)
        self.lines.append(
            {
                "i": self._count,
                "proc": proc,
                "type": "ok",
                "f": "read",
                "item": item,
                "t": self.now(),
                **said,
                **otherwise,
            }
        )

    def follow(self, command_id: str, status: int, said: str | None, http: int | None) -> None:
        self._count += 1
        half = {"i": self._count, "proc": 9, "f": "follow", "cmd": command_id}
        self.lines.append({**half, "type": "invoke", "t": self.now()})
        self.lines.append(
            {**half, "type": "ok", "status": status, "said": said, "http": http, "t": self.now()}
        )

    def fault(self, name: str) -> None:
        for kind in ("start", "end"):
            self.lines.append(
                {"proc": "nemesis", "type": kind, "f": name, "detail": None, "t": self.now()}
            )

    def evidence(self) -> Evidence:
        return understand(orjson.loads(orjson.dumps(line)) for line in self.lines)

    def final(self) -> Final:
        partitions: list[PartitionRow] = []
        heads: list[LogHead] = []
        for partition in range(PARTITIONS):
            mine = [each for each in self.events if each.partition == partition]
            n = self._n[partition]
            partitions.append(
                PartitionRow(
                    partition,
                    EPOCH if n else 0,
                    n,
                    len(mine),
                    mine[-1].recorded_at if mine else 0,
                    mine[-1].hash if mine else GENESIS,
                )
            )
            heads.append(LogHead(partition, EPOCH if n else 0, n, f"{EPOCH}-{n}" if n else None))
        return Final(
            events=list(self.events),
            outcomes=list(self.outcomes),
            heads=[
                HeadRow(
                    item,
                    zlib.crc32(item.encode()) % PARTITIONS,
                    state.version,
                    state.name,
                    state.description,
                    state.price,
                    state.currency,
                    state.created_at,
                    state.updated_at,
                    state.deleted_at,
                )
                for item, state in self.states.items()
            ],
            view=[
                ViewRow(
                    item,
                    zlib.crc32(item.encode()) % PARTITIONS,
                    state.version,
                    state.deleted_at,
                    orjson.dumps(document(item, state)).decode(),
                )
                for item, state in self.states.items()
            ],
            partitions=partitions,
            checkpoints=[("items", each.partition, each.offset) for each in partitions],
            gaps=[],
            quarantined=[],
            log=list(self.log),
            log_heads=heads,
            pages={item: document(item, state) for item, state in self.states.items()},
        )

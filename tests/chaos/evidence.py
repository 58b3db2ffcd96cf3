"""The history, read back: every command with all that was ever answered to it, every read."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.history import Line
from tests.chaos.wishes import Wish


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a command once, and when; `row` is as in `wire`."""

    at: float
    row: dict[str, Any]


@dataclass(slots=True)
class Command:
    """One command under all its repeats. `place` is its row in a batch, `request` that batch."""

    wish: Wish
    proc: int
    request: int
    place: int
    keyed: bool
    invoked: float
    answers: list[Answer] = field(default_factory=list)

    @property
    def known(self) -> list[Answer]:
        """What tells that it was accepted."""
        return [each for each in self.answers if each.row["st"] in {"accepted", "final"}]

    @property
    def acknowledged_at(self) -> float | None:
        return next((each.at for each in self.known), None)

    @property
    def refused(self) -> bool:
        """It was never accepted: every attempt was answered, and refused."""
        return bool(self.answers) and all(
            each.row["st"] in {"refused", "reused"} for each in self.answers
        )

    @property
    def ids(self) -> set[str]:
        return {each.row["cmd"] for each in self.answers if each.row.get("cmd")}

    @property
    def tokens(self) -> set[str]:
        return {each.row["token"] for each in self.known if each.row.get("token")}


@dataclass(frozen=True, slots=True)
class Read:
    proc: int
    began: float
    at: float
    item: str
    workload: str
    status: int
    version: int | None
    document: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """An item's newest events as somebody has read them: version, type, command id, reason."""

    at: float
    item: str
    events: list[tuple[int, str, str, str | None]]


@dataclass(frozen=True, slots=True)
class Followed:
    """What the command resource said of an acknowledged command."""

    at: float
    id: str
    status: int
    said: str | None
    http: int | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    began: float
    ended: float
    detail: str | None


@dataclass(slots=True)
class Evidence:
    commands: dict[str, Command] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    failed_reads: list[float] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    followed: list[Followed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Line] = field(default_factory=list)
    # Every final answer of a write with a version, for sessions: process, item, time, version.
    finals: list[tuple[int, str, float, int]] = field(default_factory=list)

    def happened(self, *classes: str) -> bool:
        """Say whether a fault of such a name has happened."""
        return any(fault.name.startswith(classes) for fault in self.faults)


def understand(lines: Iterable[Line]) -> Evidence:
    """Put the halves together."""
    evidence = Evidence()
    begun: dict[int, Line] = {}
    starts: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        match line["type"]:
            case "invoke":
                begun[line["i"]] = line
                _take_invocation(evidence, line)
            case "ok" | "fail" | "info":
                _take_ending(evidence, begun.pop(line["i"]), line)
            case "start":
                starts[line["f"]].append(line["t"])
            case "end":
                _take_fault(evidence, line, starts[line["f"]].pop())
            case _:
                evidence.notes.append(line)
    for line in begun.values():
        # The run ended before the answer came: nobody knows.
        for each in line.get("rows", ()):
            unknown = Answer(line["t"], {"st": "unknown"})
            evidence.commands[each["tok"]].answers.append(unknown)
    return evidence


def _take_fault(evidence: Evidence, line: Line, began: float) -> None:
    if not (line["detail"] or "").startswith("did not happen"):
        evidence.faults.append(Fault(line["f"], began, line["t"], line["detail"]))


def _take_invocation(evidence: Evidence, line: Line) -> None:
    for place, each in enumerate(line.get("rows", ())):
        if each["tok"] not in evidence.commands:
            wish = Wish(**each)
            evidence.commands[wish.tok] = Command(
                wish, line["proc"], line["i"], place, line["key"] is not None, line["t"]
            )


def _take_ending(evidence: Evidence, began: Line, line: Line) -> None:
    match line["f"]:
        case "write":
            for wish, row in zip(began["rows"], line["rows"], strict=True):
                evidence.commands[wish["tok"]].answers.append(Answer(line["t"], row))
                if row["st"] == "final" and row.get("ver") and wish["item"]:
                    evidence.finals.append((line["proc"], wish["item"], line["t"], row["ver"]))
        case "read" if line["type"] == "ok":
            evidence.reads.append(
                Read(
                    line["proc"],
                    began["t"],
                    line["t"],
                    line["item"],
                    began["w"],
                    line["status"],
                    line["ver"],
                    line.get("doc"),
                )
            )
        case "read":
            evidence.failed_reads.append(line["t"])
        case "history" if line["type"] == "ok":
            evidence.stretches.append(
                Stretch(line["t"], line["item"], [tuple(each) for each in line["events"]])
            )
        case "follow" if line["type"] == "ok":
            evidence.followed.append(
                Followed(
                    line["t"],
                    line["cmd"],
                    line["status"],
                    line.get("said"),
                    line.get("http"),
                    line.get("ver"),
                )
            )
        case _:
            pass

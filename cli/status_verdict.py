"""Whether all is well, in words, and what is told of a table where there is no room for it."""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

_DETACHED, _FAILED = "detached", "failed"
_NAMES = {"projections": "views", "partitions": "partitions", "workers": "workers"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line about a status document; not `well` where anything in it is shown in red. That it
    is well says what the `backlog` is, too.
    """

    well: bool
    line: str
    backlog: str


def verdict(document: Mapping[str, Any]) -> Verdict:
    """Judge a status document."""
    wrong, backlog = list(_wrong(document)), _backlog(document)
    if wrong:
        return Verdict(well=False, line=f"Not well: {'; '.join(wrong)}", backlog=backlog)
    notes = "".join(f"; {each}" for each in _notes(document))
    return Verdict(well=True, line=f"All is well: {backlog}{notes}", backlog=backlog)


def _wrong(document: Mapping[str, Any]) -> Generator[str]:
    pump = document.get("pump", "ok")
    if pump != "ok":
        yield pump
    durability = cast("Mapping[str, Any]", document.get("durability") or {})
    # Those that a full Redis refuses are not heard of, and work all the same.
    if document.get("workers") == [] and not is_full(durability):
        yield "no worker is running"
    paused = _paused(document)
    if paused and len(paused) == len(document["workers"]) and _waiting(document):
        yield f"commands wait, and every worker is paused ({paused[0]['why']})"
    if durability.get("lack") or durability.get("short_of_memory"):
        yield "no command is accepted"
    dead, parked = document.get("dead") or 0, document.get("parked") or 0
    if dead:
        behind = f", {parked:,} more are parked behind" if parked else ""
        yield f"{dead:,} dead{behind} (`itemledger dead list`)"
    detached = sorted(
        {each["projection"] for each in document.get("projections", ()) if is_detached(each)}
    )
    if detached:
        yield f"detached from the ledger: {', '.join(detached)} (`itemledger rebuild`)"
    builds: Sequence[Mapping[str, Any]] = document.get("builds", ())
    failed = [each["view"] for each in builds if each.get("state") == _FAILED]
    if failed:
        yield f"could not be built: {', '.join(failed)} (`itemledger rebuild`)"


def is_detached(view: Mapping[str, Any]) -> bool:
    """Say whether a view was left behind by an error of its own."""
    return view.get("state") == _DETACHED


def is_red(row: Mapping[str, Any]) -> bool:
    """Say whether a row of a table is shown in red: a view's own error is the cause."""
    return row.get("state") in {_DETACHED, _FAILED}


def is_full(durability: object) -> bool:
    """Say whether Redis takes nothing any more, also of what workers say of themselves."""
    match durability:
        case {"used_memory": int(used), "maxmemory": int(limit)}:
            return 0 < limit < used
        case _:
            return False


def _backlog(document: Mapping[str, Any]) -> str:
    """Say how many commands wait, and for how long the first of them has."""
    partitions: Sequence[Mapping[str, Any]] = document.get("partitions", ())
    waiting = _waiting(document)
    if not waiting:
        return "no command waits"
    longest = max(each.get("lag_seconds") or 0 for each in partitions)
    wait = "command waits" if waiting == 1 else "commands wait"
    return f"{waiting:,} {wait}, the first for {longest:.1f} s"


def _waiting(document: Mapping[str, Any]) -> int:
    return sum(each.get("lag", 0) for each in document.get("partitions", ()))


def _paused(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [each for each in document.get("workers", ()) if each.get("state") == "paused"]


def _notes(document: Mapping[str, Any]) -> Generator[str]:
    """Tell what stops nothing, and somebody may want to look at."""
    paused = _paused(document)
    if paused:
        yield f"{paused[0]['name']} is paused ({paused[0]['why']})"
    for each in document.get("builds", ()):
        if each.get("state") == "different":
            view = each["view"]
            yield f"{view} was built anew and is not what is live (`itemledger rebuild {view}`)"
    gaps = len(document.get("gaps", ()))
    if gaps:
        yield f"the log has lost commands before (gaps: {gaps:,})"


def brief(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Say of a table in one line how many rows it has, and how they are."""
    told = _NAMES.get(name, name)
    if name == "partitions":
        waiting = sum(1 for each in rows if each.get("lag"))
        how = f"commands wait in {waiting:,} of them" if waiting else "all in step"
        return f"{told}: {len(rows):,}, {how}"
    states = Counter(str(each["state"]) for each in rows if "state" in each)
    match list(states.items()):
        case []:
            return f"{told}: {len(rows):,}"
        case [(state, _)]:
            return f"{told}: {len(rows):,}, all {state}"
        case several:
            counts = ", ".join(f"{count:,} {state}" for state, count in several)
            return f"{told}: {len(rows):,}, {counts}"

"""Everything that was ever read is part of what is there at the end, in an order that fits."""

from collections.abc import Iterator

from tests.chaos.case import Case, Violation
from tests.chaos.evidence import Read

_OK, _GONE, _ABSENT = 200, 410, 404
_FIELDS = ("name", "description", "price", "currency")


def prefixes(case: Case) -> Iterator[Violation]:
    """I8: an item as it was read at a version is what its events made of it up to there."""
    for read in case.evidence.reads:
        if read.status == _ABSENT or read.version is None:
            continue
        states = case.states.get(read.item, [])
        if read.version > len(states):
            yield Violation("I8", f"{read.item} was read at version {read.version}, which is gone")
            continue
        state = states[read.version - 1]
        deleted = state.deleted_at is not None
        if deleted != (read.status == _GONE):
            yield Violation("I8", f"{read.item} at {read.version} was answered {read.status}")
        elif read.document is not None:
            said = {name: read.document[name] for name in _FIELDS}
            made = {name: getattr(state, name) for name in _FIELDS}
            if said != made:
                yield Violation("I8", f"{read.item} at {read.version} was {said}, not {made}")


def histories(case: Case) -> Iterator[Violation]:
    """I8: a stretch of a history that was read is a stretch of the final one."""
    for stretch in case.evidence.stretches:
        events = case.events_of_item.get(stretch.item, [])
        for version, kind, command_id, reason in stretch.events:
            final = events[version - 1] if version <= len(events) else None
            found = None if final is None else (final.name, final.command_id, final.reason)
            if found != (kind, command_id, reason):
                yield Violation(
                    "I8",
                    f"{stretch.item} had {kind} of {command_id} at {version}, at the end {found}",
                )
                break


def sessions(case: Case) -> Iterator[Violation]:
    """I9, I10: nobody reads an item older than he has seen or made it."""
    set_backs = [fault for fault in case.evidence.faults if fault.name.startswith("sql-set-back")]
    seen: dict[tuple[int, str], tuple[float, int]] = {}
    moments: list[tuple[float, int, str, int | None, Read | None]] = [
        (at, proc, item, version, None) for proc, item, at, version in case.evidence.finals
    ]
    moments += [(read.at, read.proc, read.item, read.version, read) for read in case.evidence.reads]
    for at, proc, item, version, read in sorted(moments, key=lambda each: each[:3]):
        since, floor = seen.get((proc, item), (at, 0))
        begun = at if read is None else read.began
        if any(fault.began <= at and fault.ended >= since for fault in set_backs):
            # What a database that is set back has forgotten comes back, later.
            seen.pop((proc, item), None)
            continue
        if read is not None and begun >= since and (version or 0) < floor:
            kind = "I10" if read.workload == "sessions" else "I9"
            yield Violation(kind, f"client {proc} read {item} at {version} after it was at {floor}")
        seen[proc, item] = (at, max(floor, version or 0))


def availability(case: Case, figures: dict[str, float]) -> Iterator[Violation]:
    """I16: reads go on while Redis, the workers or the command API are in trouble."""
    disturbing = [
        (fault.began, fault.ended + 6)
        for fault in case.evidence.faults
        if fault.name.startswith(("query", "up", "postgresql", "sqlite", "sql-", "disk", "redis-"))
    ]

    def counts(at: float) -> bool:
        return not any(began <= at <= ended for began, ended in disturbing)

    good = sum(1 for read in case.evidence.reads if counts(read.began))
    bad = sum(1 for at in case.evidence.failed_reads if counts(at))
    figures["reads"] = len(case.evidence.reads) + len(case.evidence.failed_reads)
    figures["reads answered, %"] = 100 * len(case.evidence.reads) / max(1, figures["reads"])
    figures["reads answered while database and query API are well, %"] = (
        100 * good / max(1, good + bad)
    )
    if good + bad >= 1000 and bad > (good + bad) / 1000:
        yield Violation("I16", f"{bad} of {good + bad} reads had no answer without a reason")

"""Reverts of imports: whether the rows of an import are in force, and what took them back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ledger.bulk import among
from ledger.imports import Touched
from ledger.tables import import_counts, import_items, imports

# How long a chain of reverts that take each other back is followed, and how many of one step are
# looked at: far more than anybody asks for, and an end where somebody does.
_STEPS = 32
_MOST = 1000
_FAR = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an import's rows are in force. `by` is the import that took them back, or is doing
    so; with `has_more` rows came in after that. `undone` took them back and was reverted itself.
    """

    by: str | None = None
    has_more: bool = False
    undone: str | None = None


@dataclass(frozen=True, slots=True)
class _Revert:
    id: str
    reverts: str
    applied: int
    other: int
    is_done: bool

    @property
    def takes_back(self) -> bool:
        """Whether something was taken back, or may be yet."""
        return self.applied + self.other > 0 or not self.is_done


def standing(connection: Connection, import_id: str) -> Standing:
    return standings(connection, [import_id]).get(import_id, Standing())


def standings(connection: Connection, import_ids: Sequence[str]) -> dict[str, Standing]:
    """Tell of each of these imports that reverts have had to do with how it stands: by the revert
    in force that took back most, the first of those. One that was itself taken back is not in
    force, unless who took it back was taken back likewise, and so on.
    """
    chain = _chain(connection, import_ids)
    undone: set[str] = set()
    for step in reversed(chain):
        undone |= {
            import_id
            for import_id, reverts in step.items()
            if any(each.applied and each.id not in undone for each in reverts)
        }
    reverts_of = chain[0] if chain else {}
    in_force = {
        import_id: [each for each in reverts if each.id not in undone]
        for import_id, reverts in reverts_of.items()
    }
    more = _came_after(connection, in_force)
    return {
        import_id: _standing(reverts, in_force[import_id], has_more=import_id in more)
        for import_id, reverts in reverts_of.items()
    }


def _standing(
    reverts: Sequence[_Revert], in_force: Sequence[_Revert], *, has_more: bool
) -> Standing:
    taking = [each for each in in_force if each.takes_back]
    if taking:
        return Standing(max(taking, key=lambda each: each.applied).id, has_more)
    undone = [each for each in reverts if each not in in_force]
    return Standing(undone=undone[-1].id if undone else None)


def _chain(connection: Connection, import_ids: Sequence[str]) -> list[dict[str, list[_Revert]]]:
    """Find the reverts of imports, those of these, and so on: by the import that they take back."""
    steps: list[dict[str, list[_Revert]]] = []
    met, next_ids = set(import_ids), list(import_ids)
    while next_ids and len(steps) < _STEPS:
        step: dict[str, list[_Revert]] = {}
        for each in _reverts_of(connection, next_ids):
            step.setdefault(each.reverts, []).append(each)
        steps.append(step)
        next_ids = [each.id for some in step.values() for each in some if each.id not in met]
        met.update(next_ids)
    return steps


def _reverts_of(connection: Connection, import_ids: Sequence[str]) -> list[_Revert]:
    """Find the reverts of imports, the first begun first. One that has come to nothing yet may
    never do so, if only its beginning reached the log.
    """
    applied, other = func.sum(import_counts.c.applied), func.sum(import_counts.c.other)
    statement = (
        select(imports.c.import_id, imports.c.reverts, applied, other, imports.c.rows)
        .join(import_counts, import_counts.c.import_id == imports.c.import_id)
        .where(imports.c.reverts.in_(import_ids), imports.c.status != "failed")
        .group_by(imports.c.import_id)
        .order_by(imports.c.begun_at, imports.c.import_id)
        .limit(_MOST)
    )
    return [
        _Revert(row[0], row[1], int(row[2]), int(row[3]), row[4] is not None)
        for row in connection.execute(statement)
    ]


def _came_after(connection: Connection, back: Mapping[str, Sequence[_Revert]]) -> set[str]:
    """Tell which of these imports have changed something behind where all reverts began, in any
    partition; one that still goes on may not have got there.
    """
    ended = {
        import_id: [each.id for each in reverts]
        for import_id, reverts in back.items()
        if reverts and all(each.is_done for each in reverts)
    }
    if not ended:
        return set()
    counts = import_counts.c
    wanted = [*ended, *(each for some in ended.values() for each in some)]
    statement = select(
        counts.import_id, counts.partition, counts.after_offset, counts.last_offset
    ).where(counts.import_id.in_(wanted))
    rows = connection.execute(statement).all()
    began = {
        # Behind what the releases began a revert that did not tell is not known.
        (row.import_id, row.partition): _FAR if row.after_offset is None else row.after_offset
        for row in rows
    }
    return {
        row.import_id
        for row in rows
        if row.import_id in ended
        and row.last_offset is not None
        and row.last_offset
        > max(began.get((each, row.partition), -1) for each in ended[row.import_id])
    }


def left_behind(
    connection: Connection, import_id: str, partition: int, touched: Sequence[Touched]
) -> Mapping[str, frozenset[int]]:
    """Tell by item at which versions it is as an import has left it: the one that it made itself,
    and those at which a revert was reverted, where nothing else has come between.
    """
    moves: dict[str, dict[int, int]] = {}
    if touched and (reverts := _family(connection, import_id)):
        items = import_items.c
        statement = select(items.item_id, items.before, items.after).where(
            items.import_id.in_(reverts),
            items.partition == partition,
            among(connection, items.item_id, [each.item_id for each in touched]),
        )
        for item_id, before, after in connection.execute(statement):
            moves.setdefault(item_id, {})[before] = after
    return {each.item_id: _as_left(each.after, moves.get(each.item_id, {})) for each in touched}


def _as_left(version: int, moves: dict[int, int]) -> frozenset[int]:
    """Follow an item from the version that an import has made: taken back, brought back, and so
    on.
    """
    at = [version]
    while (moved := moves.pop(at[-1], None)) is not None:
        at.append(moved)
    return frozenset(at[::2])


def _family(connection: Connection, import_id: str) -> list[str]:
    """Find the reverts of an import, those of these, and so on."""
    met, step = {import_id}, [import_id]
    for _ in range(_STEPS):
        statement = select(imports.c.import_id).where(imports.c.reverts.in_(step)).limit(_MOST)
        step = [each for each in connection.scalars(statement) if each not in met]
        if not step:
            break
        met.update(step)
    return list(met - {import_id})

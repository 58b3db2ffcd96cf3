"""Which items have some words, asked of the search view: parts of statements, and their values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement

from ledger.prepared import among
from ledger.projections import Slot
from readmodel.views.search import INDEXES, TABLES, VOCABULARIES

# Parameters: what the index is asked for, a list of what it knows the found items by, and how a
# word begins and what is behind all that begin so.
ASKED, FOUND, BEGIN, BEHIND = "asked", "found", "begin", "behind"
# What no word has, and no character comes after.
_LAST = "\U0010ffff"


class Matches:
    """Asks one slot. A word stands for every word that begins with it; those that are tested are
    parameters, in groups: a group is its name and how many words it has.
    """

    def __init__(self, dialect_name: str, slot: Slot) -> None:
        self._dialect_name = dialect_name
        self._sqlite = dialect_name == "sqlite"
        self._kept = TABLES[slot]
        self._index = INDEXES[slot]
        self._vocabulary = VOCABULARIES[slot]

    def tested(self, item_id: ColumnElement[str], group: str, count: int) -> ColumnElement[bool]:
        """Say that an item has these words: by a look at its row, never by the index."""
        kept = self._kept
        has = select(self._has(group, count)).where(kept.c.item_id == item_id)
        return has.scalar_subquery()

    def found(self) -> Select[Any]:
        """Ask the index; it knows an item by a number on SQLite, else by the id."""
        kept, index = self._kept, self._index
        asked: ColumnElement[Any] = bindparam(ASKED, type_=Text)
        if self._sqlite:
            return select(index.c.rowid).where(index.c[index.name].match(asked))
        return select(kept.c.item_id).where(_says(kept.c.words, asked))

    def gathered(self, limit: ColumnElement[int]) -> Select[int, str]:
        """Ask the index for so many at most: how many there are, and the list of them, which the
        database can be handed as it is.
        """
        (known,) = self.found().limit(limit).subquery("known").c
        if self._sqlite:
            return select(func.count(), func.json_group_array(known))
        return select(func.count(), cast(func.array_agg(known), Text))

    def ids(self, limit: ColumnElement[int]) -> Select[str]:
        """Ask the index for the ids of so many at most."""
        return self._named_by(self.found().limit(limit))

    def spelled(self, limit: ColumnElement[int]) -> Select[str]:
        """List so many at most of the index's words that begin in a way, on SQLite."""
        term = self._vocabulary.c.term
        begin: ColumnElement[str] = bindparam(BEGIN, type_=Text)
        behind: ColumnElement[str] = bindparam(BEHIND, type_=Text)
        return select(term).where(term >= begin, term < behind).limit(limit)

    def named(self) -> Select[str]:
        """List the ids of what the index knows by numbers, on SQLite."""
        kept = self._kept
        numbered = among(self._dialect_name, kept.c.number, FOUND)
        return select(func.json_group_array(kept.c.item_id)).where(numbered)

    def indexed(self, item_id: ColumnElement[str], group: str, count: int) -> ColumnElement[bool]:
        """Say that an item has what the index is asked for, and these words, which are tested."""
        found = self._named_by(self.found())
        # In this form no index is used for it.
        rest = [self._has(group, count).is_(True)] if count else []
        return item_id.in_(found.where(*rest))

    def frequencies(self, sample: Select[str], group: str, count: int) -> ClauseElement:
        """Count how many items of a sample, a select of ids, have each of these words."""
        kept, ids = self._kept, sample.subquery("sample")
        each = [cast(self._one(name), Integer) for name in _names(group, count)]
        counts = [func.coalesce(func.sum(has), 0) for has in each]
        return select(*counts).select_from(ids.join(kept, kept.c.item_id == ids.c.item_id))

    def _named_by(self, found: Select[Any]) -> Select[str]:
        """Make ids of what the index knows items by."""
        if not self._sqlite:
            return found
        return select(self._kept.c.item_id).where(self._kept.c.number.in_(found))

    def _has(self, group: str, count: int) -> ColumnElement[bool]:
        return and_(*map(self._one, _names(group, count)))

    def _one(self, name: str) -> ColumnElement[bool]:
        return has_word(self._dialect_name, self._kept.c.words, bindparam(name, type_=Text))


def has_word(
    dialect_name: str, words: ColumnElement[str], word: ColumnElement[str]
) -> ColumnElement[bool]:
    """Say that one of these words begins with a word, which is written as `tested_for` does."""
    return func.instr(words, word) > 0 if dialect_name == "sqlite" else _says(words, word)


def tested_for(dialect_name: str, word: str) -> str:
    """Write a word as it is looked for among the words of one item."""
    # A quote before it is where a word begins.
    return f"'{word}" if dialect_name == "sqlite" else _query(word)


def spelling(word: str) -> Mapping[str, str]:
    """Write the values of `BEGIN` and `BEHIND`."""
    return {BEGIN: word, BEHIND: f"{word}{_LAST}"}


def asking(dialect_name: str, words: Iterable[str], spelled: Mapping[str, Sequence[str]]) -> str:
    """Write the value of `ASKED`. On SQLite a word is asked for by the words that begin with it,
    where these are given: FTS5 takes all items of all of them together before it gives the first
    one, where it is asked for a beginning, and goes along the lists where it is asked for words.
    """
    if dialect_name != "sqlite":
        return " & ".join(map(_query, words))
    return " AND ".join(_match(spelled.get(word, ())) or f'"{word}"*' for word in words)


def testing(dialect_name: str, group: str, words: Sequence[str]) -> Mapping[str, str]:
    """Write the values of a group of words."""
    made = [tested_for(dialect_name, word) for word in words]
    return dict(zip(_names(group, len(words)), made, strict=True))


def _names(group: str, count: int) -> list[str]:
    return [f"{group}_{place}" for place in range(count)]


def _match(words: Sequence[str]) -> str:
    either = " OR ".join(f'"{each}"' for each in words)
    return f"({either})" if len(words) > 1 else either


def _says(words: ColumnElement[str], asked: ColumnElement[Any]) -> ColumnElement[bool]:
    return words.bool_op("@@")(cast(asked, postgresql.TSQUERY))


def _query(word: str) -> str:
    return f"'{word}':*"

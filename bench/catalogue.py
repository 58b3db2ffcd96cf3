"""A catalogue of any size, put straight into the views: for benches of reading.

Words are drawn as languages have them, a few very often and most of them rarely; half of the items
have a word that begins with `a`, and each has `item` and its number.
"""

import random
import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import exp
from statistics import NormalDist

from sqlalchemy import Engine

from domain.events import ItemCreated
from domain.item import Item
from ledger import checkpoints
from ledger.bulk import upsert_rows
from ledger.changes import Changes
from ledger.checkpoints import Taken
from ledger.recorded import Recorded
from ledger.tables import partitions
from readmodel.views.listing import all_views
from runtime.positions import Position

BEGUN = 1_700_000_000_000
_CHUNK = 5_000
_SYLLABLES = re.findall(
    "[a-z]+",
    "ka to mi ra ble pan der lo sti ven qu zan fro gel hu ix jo nor pla sy tre ul vo wex a be ci "
    "do e ma la red sa po gr",
)
_WORDS = 20_000
# Mean and deviation of a price's logarithm.
_PRICES = (7.0, 1.2)


def vocabulary() -> Sequence[str]:
    """Make the words, the most frequent first."""
    # The same ones every time, which nobody has to be unable to guess.
    dice = random.Random(1)  # noqa: S311
    lengths = (1, 2, 2, 3, 3, 4)
    made = {"".join(dice.choices(_SYLLABLES, k=dice.choice(lengths))) for _ in range(_WORDS)}
    words = sorted(made)
    dice.shuffle(words)
    return words


def price_range(least: float, share: float) -> tuple[int, int]:
    """Find the prices that a share of the items has: those above this one."""
    normal = NormalDist(*_PRICES)
    quantiles = (least, least + share)
    low, high = (normal.inv_cdf(min(max(each, 1e-9), 1 - 1e-9)) for each in quantiles)
    return int(exp(low)), int(exp(high))


class _Speech:
    """Draws words, each as often as its rank says."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._words = vocabulary()
        self._weights = list(accumulate(1 / (place + 10) for place in range(len(self._words))))

    def draw(self, count: int) -> str:
        top = self._weights[-1]
        return " ".join(
            self._words[bisect(self._weights, self._dice.random() * top)] for _ in range(count)
        )


def items(count: int, seed: int) -> Iterator[Item]:
    """Draw items, in the order of their creation."""
    dice = random.Random(seed)  # noqa: S311  as above
    speech = _Speech(dice)
    for number in range(1, count + 1):
        at = BEGUN + number * 60_000
        changed = at + int(dice.random() ** 3 * 60_000 * count)
        described = f"item {speech.draw(12)}" if dice.random() < 0.6 else None  # noqa: PLR2004
        yield Item(
            id=f"{at:012x}-{dice.getrandbits(64):016x}",
            name=f"{speech.draw(dice.randint(2, 5))} {number}".title(),
            description=described,
            price=int(dice.lognormvariate(*_PRICES)),
            currency=dice.choices(("EUR", "USD", "CHF"), (979, 20, 1))[0],
            version=1,
            created_at=at,
            updated_at=changed,
            deleted_at=changed if dice.random() < 0.05 else None,  # noqa: PLR2004
            effective_at=at,
        )


def fill(engine: Engine, count: int, seed: int = 7, partition: int = 0) -> None:
    """Put items into every live view of a fresh database."""
    chunk: list[Item] = []
    done = 0
    for each in items(count, seed):
        chunk.append(each)
        if len(chunk) == _CHUNK:
            _put(engine, chunk, done, partition)
            done += len(chunk)
            chunk = []
    if chunk:
        _put(engine, chunk, done, partition)
        done += len(chunk)
    with engine.begin() as connection:
        place = {"partition": partition, "epoch": 1, "n": done, "offset": done, "recorded_at": 0}
        upsert_rows(connection, partitions, [place | {"hash": ""}])
        position = Position(partition, 1, done)
        checkpoints.move(connection, [Taken(view.name, position, done) for view in all_views()])


def _put(engine: Engine, chunk: Sequence[Item], done: int, partition: int) -> None:
    recorded = [
        Recorded(partition, done + place, 1, _creation(item), "bench", "bench", None)
        for place, item in enumerate(chunk, 1)
    ]
    changes = Changes(recorded, {}, {item.id: item for item in chunk})
    with engine.begin() as connection:
        for view in all_views():
            view.into(1)(connection, changes)


def _creation(item: Item) -> ItemCreated:
    return ItemCreated(
        item.id,
        item.created_at,
        item.effective_at,
        item.name,
        item.description,
        item.price,
        item.currency,
    )

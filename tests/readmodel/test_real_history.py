"""The shop's own history: whatever is told of its past is what a plain loop over the file says.

What is expected is made without any code of the product, from the rows of the file alone.
"""

import gzip
import json
import os
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from shutil import copy
from typing import Any

import fakeredis
import pytest
from flask.testing import FlaskClient

from domain.commands import Command, PatchItem, ReplaceItem
from eventlog.envelope import Envelope
from eventlog.inspect import LogInspector
from ledger import partitions
from ledger.engines import reading_engine, writing_engine
from readmodel.app import create_app
from readmodel.views import items, search, timeline, wordings
from runtime.positions import Position
from runtime.settings import Settings
from runtime.times import parse_rfc3339
from tests.engines import put_away
from tests.journey import RETAIL
from tests.worker.world import no_ends
from worker.apply import Circumstances, Decoded, apply_one

# Of 78,311 rows, 300 pairs and 3,398 histories where all of it is taken.
pytestmark = pytest.mark.timeout(300)

NOW = 1_800_000_000_000
BATCH = 2_000
PAIRS = 300
VIEWS = (items.VIEW, search.VIEW, timeline.VIEW, wordings.VIEW)
# The beginning of the file, with most of its items.
ROWS = int(os.environ.get("JOURNEY_ROWS", "30000"))
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class State:
    """An item from a moment on; `version` counts the fields that have changed."""

    at: datetime
    version: int
    name: str
    price: int
    currency: str

    @property
    def money(self) -> tuple[int, str]:
        return self.price, self.currency


@dataclass(slots=True)
class Lived:
    """The states of an item, in order; of several at one moment only the last one."""

    states: list[State] = field(default_factory=list)

    def take(self, row: dict[str, Any]) -> None:
        at = datetime.fromisoformat(row["effective_at"])
        if not self.states:
            new = State(at, 1, row["name"].strip(), row["price"], row["currency"])
        else:
            old = self.states[-1]
            assert old.at <= at
            name = row.get("name", old.name).strip()
            money = (row.get("price", old.price), row.get("currency", old.currency))
            changes = (name != old.name) + (money != old.money)
            new = State(at, old.version + changes, name, *money)
            if old.at == at:
                self.states.pop()
        self.states.append(new)

    def as_of(self, at: datetime) -> State | None:
        before = [each for each in self.states if each.at <= at]
        return before[-1] if before else None

    def prices(self) -> list[tuple[tuple[int, str], datetime, datetime | None]]:
        found: list[tuple[tuple[int, str], datetime, datetime | None]] = []
        for each, following in zip(self.states, [*self.states[1:], None], strict=True):
            until = None if following is None else following.at
            if found and found[-1][0] == each.money:
                found[-1] = (each.money, found[-1][1], until)
            else:
                found.append((each.money, each.at, until))
        return found

    def lowest(self, begin: datetime, at: datetime) -> tuple[int, datetime] | None:
        """Find the lowest price in force between two moments, and when it first came."""
        then = self.as_of(at)
        found: tuple[int, datetime] | None = None
        for (price, currency), since, until in self.prices():
            overlaps = since < at and (until is None or until > begin)
            counts = overlaps and then is not None and currency == then.currency
            if counts and (found is None or price < found[0]):
                found = (price, since)
        return found


@dataclass(frozen=True, slots=True)
class Shop:
    client: FlaskClient
    items: dict[str, Lived]


@pytest.fixture(scope="module")
def shop(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    if not RETAIL.exists():
        pytest.skip("the real input is not here: shared/data beside the repository")
    with gzip.open(RETAIL) as lines:
        beginning = islice(lines, ROWS)
        rows = [each for line in beginning if ID.fullmatch((each := json.loads(line))["id"])]
    lived: dict[str, Lived] = {}
    for row in rows:
        lived.setdefault(row["id"], Lived()).take(row)
    file = tmp_path_factory.mktemp("shop") / "itemledger.db"
    copy(migrated_sqlite_file, file)
    fill(f"sqlite:///{file}", rows)
    engine = reading_engine(f"sqlite:///{file}")
    settings = Settings(_env_file=None, cursor_secret="of this test")  # noqa: S106
    redis = fakeredis.FakeRedis()
    yield Shop(create_app(settings, engine, LogInspector(redis, 1)).test_client(), lived)
    redis.close()
    put_away(engine)


def fill(url: str, rows: Sequence[dict[str, Any]]) -> None:
    """Apply the rows as a worker does."""
    engine = writing_engine(url)
    partitions.lay_out(engine, 1)
    for begin in range(0, len(rows), BATCH):
        batch = [
            Decoded(Position(0, 1, n), Envelope(f"row-{n}", command(row), "till", "f"))
            for n, row in enumerate(rows[begin : begin + BATCH], begin + 1)
        ]
        given = Circumstances(no_ends, NOW + begin)
        applied = apply_one(engine, {each.name: each.into(1) for each in VIEWS}, batch, given)
        assert {each.outcome.http_status for each in applied.outcomes.values()} <= {200, 201}
    engine.dispose()


def command(row: dict[str, Any]) -> Command:
    at = parse_rfc3339(row["effective_at"])
    if row["op"] == "put":
        return ReplaceItem(
            row["id"],
            NOW,
            row["name"].strip(),
            None,
            row["price"],
            row["currency"],
            "EUR",
            effective_at=at,
        )
    assert row["op"] == "patch"
    name = row["name"].strip() if "name" in row else None
    return PatchItem(
        row["id"], NOW, name, price=row.get("price"), currency=row.get("currency"), effective_at=at
    )


def pairs(shop: Shop) -> Iterator[tuple[str, Lived, datetime]]:
    """Draw items and moments: any, and those at which something changes, or a millisecond off."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    print(f"SEED={seed}")  # noqa: T201
    dice = random.Random(seed)  # noqa: S311
    names = sorted(shop.items)
    # As many of the busy ones as of all others.
    busy = sorted(names, key=lambda each: -len(shop.items[each].states))[:50]
    first = min(each.states[0].at for each in shop.items.values())
    last = max(each.states[-1].at for each in shop.items.values())
    for n in range(PAIRS):
        item_id = dice.choice(busy if n % 2 else names)
        lived = shop.items[item_id]
        if n % 3:
            at = dice.choice(lived.states).at + timedelta(
                milliseconds=dice.choice([-1, 0, 1]), days=dice.choice([0, 0, 30])
            )
        else:
            seconds = dice.randrange(int((last - first).total_seconds()) + 86400)
            at = first + timedelta(seconds=seconds)
        yield item_id, lived, at


def all_of(client: FlaskClient, path: str, member: str, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        place = {} if cursor is None else {"cursor": cursor}
        answer = client.get(path, query_string={"limit": 200, **asked, **place})
        assert answer.status_code == 200, answer.text
        found += answer.json[member]
        cursor = answer.json["next"]
        if cursor is None:
            return found


def check_state(client: FlaskClient, item_id: str, lived: Lived, at: datetime) -> None:
    answer = client.get(f"/items/{item_id}", query_string={"as_of": moment(at)})
    then = lived.as_of(at)
    if then is None:
        assert (answer.status_code, answer.json["code"]) == (404, "not-yet-created")
        return
    assert answer.status_code == 200
    told = answer.json
    assert (told["id"], told["version"]) == (item_id, then.version)
    assert (told["name"], told["price"], told["currency"]) == (then.name, *then.money)
    assert (told["description"], told["deleted_at"]) == (None, None)
    assert answer.headers["ETag"] == f'"{then.version}"'
    same = client.get(f"/items/{item_id}", query_string={"version": then.version})
    assert same.data == answer.data


def check_prices(client: FlaskClient, item_id: str, lived: Lived, at: datetime) -> None:
    expected = [
        (*money, moment(since), None if until is None else moment(until))
        for money, since, until in lived.prices()
    ]
    told = all_of(client, f"/items/{item_id}/prices", "prices")
    assert [
        (each["price"], each["currency"], each["from"], each["until"]) for each in told
    ] == expected
    # What was in force at that moment, asked for alone.
    asked = {"from": moment(at), "to": moment(at + timedelta(milliseconds=1))}
    alone = client.get(f"/items/{item_id}/prices", query_string=asked).json["prices"]
    then = lived.as_of(at)
    assert [(each["price"], each["currency"]) for each in alone] == (
        [] if then is None else [then.money]
    )
    for each in alone:
        assert each in told
        version = {"version": each["version"]}
        brought = client.get(f"/items/{item_id}", query_string=version).json
        assert (brought["price"], brought["currency"]) == (each["price"], each["currency"])


def check_prior_price(
    client: FlaskClient, item_id: str, lived: Lived, at: datetime, days: int
) -> None:
    asked = {"at": moment(at), "window": days}
    answer = client.get(f"/items/{item_id}/prior-price", query_string=asked)
    begin = at - timedelta(days=days)
    lowest = lived.lowest(begin, at)
    if lowest is None:
        assert (answer.status_code, answer.json["code"]) == (404, "no-price-in-force")
        return
    price, since = lowest
    told = answer.json
    assert (told["price"], told["from"]) == (price, moment(since))
    assert told["window_complete"] == (lived.states[0].at <= begin)
    assert (told["window_start"], told["window_end"]) == (moment(begin), moment(at))
    assert min(each["price"] for each in told["proof"]) == price


def test_at_300_moments_state_prices_and_prior_price_are_what_the_file_says(shop: Shop) -> None:
    for n, (item_id, lived, at) in enumerate(pairs(shop)):
        print(item_id, at)  # noqa: T201
        check_state(shop.client, item_id, lived, at)
        check_prices(shop.client, item_id, lived, at)
        check_prior_price(shop.client, item_id, lived, at, (30, 7, 1)[n % 3])


def test_searches_as_of_a_moment_find_what_the_file_says(shop: Shop) -> None:
    """By a word that an item lost, at the moment from which on it is called otherwise, and at
    the one before.
    """
    found_by_what_they_were = 0
    for each in shop.items.values():
        for before, after in pairwise(each.states):
            if before.name == after.name:
                continue
            for at in (after.at - timedelta(milliseconds=1), after.at):
                named = {
                    item_id: then.name
                    for item_id, lived in shop.items.items()
                    if (then := lived.as_of(at)) is not None
                }
                for word in sorted(words(before.name) - words(after.name))[:1]:
                    expected = {item_id for item_id, name in named.items() if has(name, word)}
                    asked = {"q": word.upper(), "as_of": moment(at)}
                    told = [
                        found["id"] for found in all_of(shop.client, "/items", "items", **asked)
                    ]
                    assert (set(told), len(told)) == (expected, len(expected)), (word, at)
                    found_by_what_they_were += any(
                        not has(shop.items[item_id].states[-1].name, word) for item_id in told
                    )
    assert found_by_what_they_were


def words(name: str) -> set[str]:
    return set(re.findall("[a-z0-9]+", name.lower()))


def has(name: str, word: str) -> bool:
    return any(each.startswith(word) for each in words(name))


def test_the_history_of_every_item_folds_to_the_item(shop: Shop) -> None:
    current = {each["id"]: each for each in all_of(shop.client, "/items", "items")}
    assert set(current) == set(shop.items)
    for item_id, lived in shop.items.items():
        folded: dict[str, Any] = {"id": item_id, "description": None, "deleted_at": None}
        events = all_of(shop.client, f"/items/{item_id}/history", "events")
        for n, each in enumerate(reversed(events), 1):
            assert each["version"] == n
            for name, change in each["changes"].items():
                assert folded.get(name) == change["from"], (item_id, n)
                folded[name] = change["to"]
            folded |= {"version": n, "updated_at": each["recorded_at"]}
            folded.setdefault("created_at", each["recorded_at"])
        assert folded == current[item_id]
        end = lived.states[-1]
        assert (folded["name"], folded["price"], folded["version"]) == (
            end.name,
            end.price,
            end.version,
        )

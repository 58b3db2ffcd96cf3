"""The same ledger on both databases is told in the same bytes, whatever is asked."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import fakeredis
from flask.testing import FlaskClient
from sqlalchemy import Engine

from domain.commands import (
    Command,
    CreateItem,
    DeleteItem,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    SchedulePrice,
)
from eventlog.envelope import Envelope
from eventlog.inspect import LogInspector
from eventlog.partition import partition_of
from ledger import partitions
from ledger.engines import reading_engine, writing_engine
from readmodel.app import create_app
from readmodel.views.listing import all_projections
from runtime.positions import Position
from runtime.settings import Settings
from tests.engines import put_away
from tests.worker.world import NOW, no_ends
from worker.apply import Circumstances, Decoded, apply_one

RECORDED = Path(__file__).parent / "recorded_requests.txt"
_WIDTH = 3
# Pages that are followed of each list.
_PAGES = 4
_DAY = 24 * 60 * 60 * 1000
_NAMES = (
    "Straße 12",
    "STRASSE 12",
    "İstanbul lamp",
    "ﬁne ﬂask",
    "naïve café",
    "naïve café",
    "白いハート",
    "Ωmega Ångström",
    'O\'Neill \\ "quoted" %_ lamp',
    "zebra-crossing 3.5mm",
    "🦄 unicorn 🦄",
    "ＦＵＬＬ width",  # noqa: RUF001  full-width letters are what is tried
    "lamp",
    "Lamp",
    "a",
)


def commands(chance: random.Random) -> Iterator[Command]:
    at = NOW - 200 * _DAY
    for n in range(900):
        item_id = f"item-{chance.randrange(90)}" if n % 7 else f"B.{chance.randrange(9)}~x"
        name = f"{chance.choice(_NAMES)} {chance.randrange(20)}"
        price = chance.choice([0, 1, 99, 100, 1299, 2**53 - 1, chance.randrange(5000)])
        currency = chance.choice(["EUR", "USD", "JPY"])
        at += chance.choice([0, 1, 999, _DAY // 3])
        moment = chance.choice([at, None]) if n > 600 else at
        text = chance.choice([None, "", "bright\nlight", "in a box of 12, café-style ☀", "x" * 300])
        match chance.randrange(12):
            case 0 | 1 | 2:
                yield CreateItem(item_id, NOW, name, text, price, currency, moment)
            case 3 | 4:
                yield ReplaceItem(
                    item_id, NOW, name, text, price, None, currency, effective_at=moment
                )
            case 5 | 6 | 7:
                yield PatchItem(item_id, NOW, price=price, effective_at=moment)
            case 8:
                yield PatchItem(item_id, NOW, name, text, currency=currency, effective_at=moment)
            case 9:
                yield DeleteItem(item_id, NOW, effective_at=moment)
            case 10:
                yield RestoreItem(item_id, NOW, effective_at=moment)
            case _:
                yield SchedulePrice(
                    item_id,
                    NOW,
                    f"schedule-{n}",
                    price,
                    None,
                    NOW + _DAY * (n + 1),
                    NOW + _DAY * (n + 2) if n % 2 else None,
                    "anna",
                    None,
                )


def fill(url: str) -> None:
    """Apply the same commands at the same moments, in batches of different sizes."""
    engine = writing_engine(url)
    partitions.lay_out(engine, _WIDTH)
    chance = random.Random(20261122)  # noqa: S311
    logs: dict[int, list[Decoded]] = {each: [] for each in range(_WIDTH)}
    for n, command in enumerate(commands(chance)):
        partition = partition_of(command.item_id, _WIDTH)
        reason = chance.choice([None, "mended ☀"])
        envelope = Envelope(f"command-{n:04}", command, "anna", "f", reason=reason)
        log = logs[partition]
        log.append(Decoded(Position(partition, 1, len(log) + 1), envelope))
    for log in logs.values():
        begin = 0
        while begin < len(log):
            batch = log[begin : begin + chance.randrange(1, 40)]
            given = Circumstances(no_ends, NOW + begin)
            apply_one(engine, all_projections(), batch, given)
            begin += len(batch)
    engine.dispose()


def client_of(engine: Engine, settings: Settings) -> FlaskClient:
    inspector = LogInspector(fakeredis.FakeRedis(server=fakeredis.FakeServer()), _WIDTH)
    app = create_app(settings, engine, inspector, lambda: NOW + 7 * _DAY)
    return app.test_client()


def recorded() -> list[tuple[str, dict[str, str]]]:
    """Read the requests: a path a line, headers after tabs."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in RECORDED.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            path, *headers = line.split("\t")
            found.append((path, dict(each.split(": ", 1) for each in headers)))
    return found


def test_both_databases_answer_the_recorded_requests_with_the_same_bytes(
    sqlite_url: str, postgresql_url: str, settings: Settings
) -> None:
    given = settings.model_copy(
        update={"query_url": "https://read.example", "cursor_secret": "of this test"}
    )
    engines = [reading_engine(url) for url in (sqlite_url, postgresql_url)]
    for url in (sqlite_url, postgresql_url):
        fill(url)
    clients = [client_of(engine, given) for engine in engines]
    requests = recorded()
    assert len(requests) >= 300
    statuses: Counter[int] = Counter()
    for path, headers in requests:
        following: str | None = path
        for _ in range(_PAGES):
            if following is None:
                break
            one, other = (client.get(following, headers=headers) for client in clients)
            told = (one.status_code, sorted(one.headers), one.data)
            assert told == (other.status_code, sorted(other.headers), other.data), following
            statuses[one.status_code] += 1
            assert one.status_code != 500, (following, one.text)
            following = _next(one.headers.get("Link", ""))
            if one.headers.get("Preference-Applied") or not one.data:
                break
    # Every kind of answer was among them.
    assert statuses.keys() >= {200, 304, 400, 404, 410}
    for engine in engines:
        put_away(engine)


def _next(link: str) -> str | None:
    """Find where a page goes on, in the links of its answer."""
    found = re.search(r'<https://read\.example([^>]*)>; rel="next"', link)
    return None if found is None else found[1]

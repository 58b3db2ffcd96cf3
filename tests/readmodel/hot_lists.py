"""The query API as its process serves lists: at the desk, and without it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Self

from orjson import loads
from sqlalchemy import Engine

from domain.events import ItemDeleted, ItemRepriced
from ledger.moments import ShortReads
from readmodel.app import create_app
from readmodel.cursors import Cursors
from readmodel.front.bridge import Bridge
from readmodel.front.hands import Hands
from readmodel.front.list_memory import ListMemory
from readmodel.guard import Doorkeeper
from readmodel.hot.heads import Heads
from readmodel.hot.lists import MOST_STEPS, ListDesk
from readmodel.list_tags import ListTags
from readmodel.paging import Paging
from readmodel.turns import Turns
from runtime.auth.guard import Guard, guard_of
from runtime.measures import Requests
from runtime.settings import Settings
from tests.readmodel.operated import AT
from tests.readmodel.test_bridge import no_feed
from tests.readmodel.test_desk import HotLine, with_and_without
from tests.readmodel.test_hot_answers import LAMP
from tests.runtime.lines import Line

LONG = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, written: bytes) -> Self:
        head, _, body = written.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(each.split(": ", 1) for each in lines)
        return cls(int(first.split(" ")[1]), headers, body)

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in loads(self.body)["items"]]


class Served:
    """The query API with lists by the loop, and without."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        log: Any,
        used: Guard | None = None,
        steps: int = MOST_STEPS,
        memory: int = 0,
    ) -> None:
        used = used or guard_of(settings)
        app = create_app(settings, engine, log.inspector, clock=lambda: AT, guard=used)
        self.requests = Requests()
        self.memory = ListMemory(memory)
        self.reads = ShortReads(engine, steps)
        self.desk = ListDesk(
            Heads(Doorkeeper(used)),
            self.requests,
            self.memory,
            self.reads,
            Paging(Cursors(settings.cursor_secret), settings.public_query_url),
            ListTags(settings.cursor_secret),
        )
        bridge = Bridge(app.wsgi_app, Hands(2), Turns(2, 0), no_feed)
        self.hot, self.plain = with_and_without(self.desk, bridge, settings)

    async def same(self, sent: bytes) -> Answer:
        """Ask both, and see that they say the same."""
        hot, plain = HotLine(self.hot), Line(self.plain)
        answer = await hot.ask(sent)
        assert (answer, hot.closed) == (await plain.ask(sent), plain.closed), sent
        return Answer.of(answer)

    @property
    def answered(self) -> int:
        """Count what the loop has answered."""
        return sum(self.requests.seen().counts.values())


def request(
    query: str = "", *headers: tuple[str, str], path: str = "/items", method: str = "GET"
) -> bytes:
    told = {"Host": "read.example"} | dict(headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    target = f"{path}?{query}" if query else path
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def run(doing: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(doing, LONG))


def fill(ledger: Any) -> None:
    """Fill a ledger with five items, one of them deleted."""
    ledger.n = 9
    for number in range(5):
        ledger.add(replace(LAMP, item_id=f"lamp-{number}", name=f"Lamp {9 - number}"))
        ledger.add(ItemRepriced(f"lamp-{number}", AT + number, AT + number, number % 3, "EUR"))
    ledger.add(ItemDeleted("lamp-2", AT + 9, AT + 9))

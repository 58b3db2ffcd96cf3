"""What the clients do, each workload on items of its own."""

from collections.abc import Awaitable, Callable

from tests.chaos.clients import COLD, HOT, Client
from tests.chaos.wishes import Wish, key_of

_CREATED = 201
_CAS_ITEMS, _GRAVES = 4, 6


def _cold(client: Client) -> str:
    """Choose one of many items, few of them often (Zipf)."""
    return f"c-{min(int(client.dice.paretovariate(0.2)), COLD)}"


def _hot(client: Client) -> str:
    return f"h-{client.dice.randrange(HOT)}"


def _invalid(client: Client) -> Wish:
    fields = client.dice.choice(
        [{"name": "x", "price": -1}, {"name": "", "price": 1}, {"name": "x", "price": 1.5}]
    )
    return client.wish("put", _cold(client), fields=fields, invalid=True)


# Of a hundred rows so many are of a kind: mostly new items and known ones, some of which the item
# will not take, some invalid.
_ROWS: tuple[tuple[int, Callable[[Client], Wish]], ...] = (
    (35, lambda client: client.wish("create", None)),
    (35, lambda client: client.wish("put", _cold(client))),
    (16, lambda client: client.wish("put", _hot(client))),
    (4, lambda client: client.wish("patch", _cold(client), expect=client.dice.randrange(1, 4))),
    (3, lambda client: client.wish("create", _cold(client))),
    (3, lambda client: client.wish("delete", _cold(client))),
    (2, lambda client: client.wish("patch", _cold(client))),
    (2, _invalid),
)


def _any_row(client: Client) -> Wish:
    shares, kinds = zip(*_ROWS, strict=True)
    return client.dice.choices(kinds, shares)[0](client)


async def volume(client: Client) -> None:
    """Batches of 20 to 100 rows of every kind (W1, W2, W7)."""
    while not client.stop.is_set():
        wishes = [_any_row(client) for _ in range(client.dice.randrange(20, 101))]
        wait = 3 if client.dice.random() < 0.15 else 0
        await client.write_batch(wishes, key=client.maybe_key(wishes[0], 0.6), wait=wait)
        await client.rest(0.15)


async def singles(client: Client) -> None:
    """New items, and tokens onto hot ones, one request each (W1, W2)."""
    while not client.stop.is_set():
        wish = (
            client.wish("create", None)
            if client.dice.random() < 0.3
            else client.wish(client.dice.choice(["put", "put", "patch"]), _hot(client))
        )
        await client.write(wish, key=client.maybe_key(wish, 0.7))
        await client.rest(0.05)


async def compare_and_set(client: Client) -> None:
    """Several clients change the same few items on condition of the version they have read (W3)."""
    version: dict[str, int] = {}
    while not client.stop.is_set():
        item = f"v-{client.dice.randrange(_CAS_ITEMS)}"
        if item not in version or client.dice.random() < 0.3:
            said = await client.read(item)
            version[item] = (said or {}).get("ver") or 0
        expect = version[item] or "none"
        op = "put" if expect == "none" or client.dice.random() < 0.5 else "patch"
        wish = client.wish(op, item, expect=expect)
        reply = await client.write(wish, key=client.maybe_key(wish, 0.5), wait=5)
        seen = reply.rows[0].get("ver")
        if seen is None:
            version.pop(item, None)
        else:
            version[item] = seen
        await client.rest(0.08)


async def sessions(client: Client) -> None:
    """Write, wait for it, read it back: never behind what was answered (W5)."""
    while not client.stop.is_set():
        item = f"s-{client.proc}-{client.dice.randrange(3)}"
        wish = client.wish("put", item)
        await client.write(wish, key=key_of(wish), wait=5)
        for _ in range(3):
            await client.read(item)
        await client.rest(0.1)


async def graves(client: Client) -> None:
    """Delete, bring back, change, again and again, several clients on few items (W9)."""
    while not client.stop.is_set():
        item = f"g-{client.dice.randrange(_GRAVES)}"
        op = client.dice.choice(["put", "put", "patch", "delete", "delete", "restore"])
        wish = client.wish(op, item)
        await client.write(wish, key=client.maybe_key(wish, 0.6), wait=client.dice.choice([0, 5]))
        if client.dice.random() < 0.3:
            await client.read(item)
        await client.rest(0.08)


async def repeats(client: Client) -> None:
    """Send the same under the same key, at once and later, and something else under it (I14)."""
    earlier: list[Wish] = []
    while not client.stop.is_set():
        wish = (
            client.wish("create", None)
            if client.dice.random() < 0.5
            else client.wish(client.dice.choice(["put", "delete", "restore"]), f"r-{client.proc}")
        )
        wait = client.dice.choice([0, 5])
        reply = await client.write(wish, key=key_of(wish), wait=wait)
        if reply.ending == "ok":
            await client.write(wish, key=key_of(wish), wait=client.dice.choice([wait, 5]))
            earlier.append(wish)
        if earlier:
            old = client.dice.choice(earlier)
            await client.write(old, key=key_of(old), wait=client.dice.choice([0, 5]))
            if old.op in {"create", "put"}:
                fields = {"name": "another", "price": 77}
                other = Wish(f"{old.tok}!{len(earlier)}", old.op, old.item, fields, invalid=True)
                await client.write(other, key=key_of(old))
        await client.rest(0.15)


async def readers(client: Client) -> None:
    """Read all the time: is somebody there, and is what they say ever taken back (I8, I16)."""
    while not client.stop.is_set():
        await client.read(_hot(client) if client.dice.random() < 0.5 else _cold(client))
        await client.rest(0.03)


async def historians(client: Client) -> None:
    """Read the newest stretch of a hot item's history (I8)."""
    while not client.stop.is_set():
        item = _hot(client)
        number = client.history.invoke(client.proc, "history", w=client.workload, item=item)
        answer = await client.wire.get(f"/items/{item}/history?limit=50")
        if isinstance(answer, str) or answer[0] != 200:
            client.history.end(number, client.proc, "fail", "history", item=item)
        else:
            events = [
                [each["version"], each["type"], each["command_id"], each["reason"]]
                for each in answer[1]["events"]
            ]
            client.history.end(number, client.proc, "ok", "history", item=item, events=events)
        await client.rest(0.3)


Workload = Callable[[Client], Awaitable[None]]

# Who runs, and how many of them; `volume` is for the options to say.
CREW: tuple[tuple[str, Workload, int], ...] = (
    ("singles", singles, 3),
    ("cas", compare_and_set, 3),
    ("sessions", sessions, 2),
    ("graves", graves, 3),
    ("repeats", repeats, 1),
    ("readers", readers, 2),
    ("historians", historians, 1),
)

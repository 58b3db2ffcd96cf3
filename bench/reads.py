"""G1, G2, G3: an item by its id, from memory, from the store, and not modified."""

import random
from collections.abc import Iterable

import httpx

from bench.goals import HELLO
from bench.load import Traffic, closed, render
from bench.measure import Found, interleave, ratios, zipf
from bench.sides import Service, Side, Stage
from bench.sizes import Size


def hello(stage: Stage, server: str = "granian") -> tuple[Side, Traffic]:
    """Start Flask's hello world, on the fastest server for it or on `ours`."""
    label = f"Flask hello world, {server}"
    side = stage.module("bench.anchors.hello", server, port_in="query_port", label=label)
    return side, Traffic.of(stage.sub("requests") / "hello", [render("GET", "/")])


def gets(stage: Stage, numbers: Iterable[int], prefix: str, **headers: str) -> Traffic:
    """Write requests for items."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    requests = (render("GET", f"/items/{prefix}{number}", told) for number in numbers)
    return Traffic.of(stage.sub("requests") / "gets", requests)


def drawn(size: Size, items: int | None = None) -> list[int]:
    """Draw items as readers do: some very often, most of them rarely."""
    return zipf(random.Random(7), items or size.items, size.drawn)  # noqa: S311  of a bench


def filled(stage: Stage, size: Size, database: str = "sqlite") -> Service:
    service = stage.service(database)
    service.fill(0, size.items)
    service.await_applied()
    return service


def warm(stage: Stage, size: Size) -> Found:
    """G1."""
    service, numbers = filled(stage, size), drawn(size)
    plain = [stage.plain(framework, size.items) for framework in ("Flask", "FastAPI")]
    anchor, greeting = hello(stage)
    own, same = hello(stage, "ours")
    gunicorn = stage.gunicorn("bench.anchors.hello:app", "Flask hello world, gunicorn")
    ours = gets(stage, numbers, "item-")
    theirs = gets(stage, (number + 1 for number in numbers), "")
    closed(service.queries, ours, size.seconds)
    samples = interleave(
        size.repeats,
        {
            "item by id, warm": lambda: closed(service.queries, ours, size.seconds),
            anchor.name: lambda: closed(anchor, greeting, size.seconds),
            plain[0].name: lambda: closed(plain[0], theirs, size.seconds),
            plain[1].name: lambda: closed(plain[1], theirs, size.seconds),
        },
    )
    for side in (own, gunicorn):
        samples[side.name] = [closed(side, same, size.seconds)]
    mine = samples["item by id, warm"]
    return Found(
        samples,
        {
            HELLO: ratios(mine, samples[anchor.name]),
            "of the plain Flask CRUD read on gunicorn": ratios(mine, samples[plain[0].name]),
            "of the plain FastAPI CRUD read": ratios(mine, samples[plain[1].name]),
        },
        ["The hello world that counts is on granian with one thread, which suits it best."],
    )


def uncached(stage: Stage, size: Size) -> Found:
    """G2."""
    numbers = list(range(size.items))
    random.Random(7).shuffle(numbers)  # noqa: S311  of a bench
    traffic = gets(stage, numbers, "item-")
    sides = {
        name: stage.uncached(filled(stage, size, name.lower())) for name in ("SQLite", "PostgreSQL")
    }
    anchor, greeting = hello(stage)
    for side in sides.values():
        closed(side, traffic, size.seconds)
    samples = interleave(
        size.repeats,
        {
            "SQLite": lambda: closed(sides["SQLite"], traffic, size.seconds),
            anchor.name: lambda: closed(anchor, greeting, size.seconds),
            "PostgreSQL": lambda: closed(sides["PostgreSQL"], traffic, size.seconds),
        },
    )
    values = {f"{name}: {HELLO}": ratios(samples[name], samples[anchor.name]) for name in sides}
    return Found(samples, values, ["CPU is that of the query process alone."])


def not_modified(stage: Stage, size: Size) -> Found:
    """G3."""
    service, numbers = filled(stage, size), drawn(size)
    found = gets(stage, numbers, "item-")
    known = gets(stage, numbers, "item-", If_None_Match='"1"')
    url = f"{service.deployment.query_url}/items/item-0"
    answers = [
        httpx.get(url, headers=headers, trust_env=False)
        for headers in ({}, {"If-None-Match": '"1"'})
    ]
    if [answer.status_code for answer in answers] != [200, 304]:
        raise SystemExit(f"not modified is answered {answers}")
    closed(service.queries, found, size.seconds)
    samples = interleave(
        size.repeats,
        {
            "200": lambda: closed(service.queries, found, size.seconds),
            "304": lambda: closed(service.queries, known, size.seconds),
        },
    )
    whole, short = (_length(answer) for answer in answers)
    return Found(
        samples,
        {"of the same read answered 200": ratios(samples["304"], samples["200"])},
        [f"A 304 has {short} bytes, the 200 has {whole}: {short / whole:.0%}."],
    )


def _length(answer: httpx.Response) -> int:
    """Count the bytes of an answer: status line, headers, body."""
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
    first = f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}\r\n"
    return len(first) + head + 2 + len(answer.content)

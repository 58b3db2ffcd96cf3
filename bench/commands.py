"""G5, G6: commands one at a time and in batches of a hundred, on disk before they are answered."""

from collections.abc import Sequence

from bench.load import Traffic, closed, opened, render
from bench.measure import Found, Sample, interleave, ratios
from bench.sides import Service, Side, Stage, item
from bench.sizes import Size

_BODY = {"name": "Elegant Lamp", "description": "Brushed brass, 40 cm.", "price": 4495}
ROWS = 100
# As many as an importing client has.
_BATCHERS = 8


def creations(stage: Stage, path: str = "/items") -> Traffic:
    return Traffic.of(stage.sub("requests") / "creations", [render("POST", path, body=_BODY)])


def echo(stage: Stage) -> Side:
    return stage.module("bench.anchors.echo", port_in="command_port", label="FastAPI echo")


def applied(service: Service, sample: Sample) -> Sample:
    """Wait until the database has all: the next side must not be measured beside it."""
    service.await_applied()
    return sample


def single(stage: Stage, size: Size) -> Found:
    """G5."""
    service, anchor = stage.service(), echo(stage)
    plain = [stage.plain(framework, size.items) for framework in ("Flask", "FastAPI")]
    ours, theirs = creations(stage), creations(stage, "/items/")
    closed(service.commands, ours, size.seconds)
    samples = interleave(
        size.repeats,
        {
            "command": lambda: applied(service, closed(service.commands, ours, size.seconds)),
            anchor.name: lambda: closed(anchor, ours, size.seconds),
            plain[0].name: lambda: closed(plain[0], theirs, size.seconds),
            plain[1].name: lambda: closed(plain[1], theirs, size.seconds),
        },
    )
    half = {name: _half(samples[name]) for name in ("command", anchor.name)}
    late = interleave(
        size.repeats,
        {
            "command": lambda: applied(
                service, opened(service.commands, ours, size.seconds, half["command"])
            ),
            anchor.name: lambda: opened(anchor, ours, size.seconds, half[anchor.name]),
        },
    )
    faster = max((samples[each.name] for each in plain), key=lambda them: them[0].rate)
    for name, them in late.items():
        samples[f"{name}, open loop"] = them
    return Found(
        samples,
        {
            "of the FastAPI echo": ratios(samples["command"], samples[anchor.name]),
            "of the faster plain create on SQLite": ratios(samples["command"], faster),
            "p99 of the echo's": ratios(
                late["command"], late[anchor.name], lambda sample: sample.p99
            ),
        },
        ["CPU of commands is that of all processes of `itemledger up`, applying included."],
    )


def _half(samples: Sequence[Sample]) -> float:
    return sorted(each.rate for each in samples)[len(samples) // 2] / 2


def batches(stage: Stage, size: Size) -> Found:
    """G6."""
    service, one = stage.service(), creations(stage)
    rows = [{"op": "put", **item(number, 1)} for number in range(size.items)]
    requests = [
        render("POST", "/items/batch", body={"commands": rows[start : start + ROWS]})
        for start in range(0, size.items, ROWS)
    ]
    many = Traffic.of(stage.sub("requests") / "batches", requests, min(ROWS, size.items))
    closed(service.commands, many, size.seconds, _BATCHERS)
    samples = interleave(
        size.repeats,
        {
            "single": lambda: applied(service, closed(service.commands, one, size.seconds)),
            "batches of 100": lambda: applied(
                service, closed(service.commands, many, size.seconds, _BATCHERS)
            ),
        },
    )
    return Found(
        samples, {"of single commands": ratios(samples["batches of 100"], samples["single"])}
    )

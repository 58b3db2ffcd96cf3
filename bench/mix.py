"""G14: reads, updates, lists and creations mixed, as the users of a catalogue are."""

import random
from collections.abc import Iterator

from bench.commands import applied
from bench.load import Traffic, closed, render
from bench.measure import Counter, Found, interleave, ratios, zipf
from bench.reads import filled
from bench.sides import Stage
from bench.sizes import Size

_OF = ("read", "update", "list", "create")
_WEIGHTS = (75, 15, 5, 5)
_COMMANDS, _QUERIES = 0, 1


def mixed(stage: Stage, size: Size) -> Found:
    service = filled(stage, size)
    plain = [stage.plain(framework, size.items) for framework in ("Flask", "FastAPI")]
    ours = Traffic.of(stage.sub("requests") / "ours", _requests(stage.new, size, ours=True))
    theirs = Traffic.of(stage.sub("requests") / "theirs", _requests(stage.new, size, ours=False))
    closed(service, ours, size.seconds)
    samples = interleave(
        size.repeats,
        {
            "mix": lambda: applied(service, closed(service, ours, size.seconds)),
            plain[0].name: lambda: closed(plain[0], theirs, size.seconds),
            plain[1].name: lambda: closed(plain[1], theirs, size.seconds),
        },
    )
    faster = max((samples[each.name] for each in plain), key=lambda them: them[0].rate)
    return Found(
        samples,
        {
            "of the faster plain service": ratios(samples["mix"], faster),
            "p99 of the faster plain service's": ratios(
                samples["mix"], faster, lambda sample: sample.p99
            ),
        },
    )


def _requests(new: Counter, size: Size, *, ours: bool) -> Iterator[tuple[int, bytes]]:
    """Draw requests; the plain service has one port, numbers for ids, and no PATCH."""
    dice = random.Random(7)  # noqa: S311  of a bench
    numbers = zipf(dice, size.items, size.drawn)
    for kind, number in zip(dice.choices(_OF, _WEIGHTS, k=size.drawn), numbers, strict=True):
        one = f"/items/item-{number}" if ours else f"/items/{number + 1}"
        body = {"name": f"Item {number}", "description": "A thing", "price": new()}
        reading = _QUERIES if ours else 0
        match kind:
            case "read":
                yield reading, render("GET", one)
            case "update":
                yield _COMMANDS, render("PUT", one, body=body)
            case "list":
                yield reading, render("GET", "/items?limit=20" if ours else "/items/?limit=20")
            case _:
                yield _COMMANDS, render("POST", "/items" if ours else "/items/", body=body)

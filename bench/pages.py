"""G4: a page of the list, the first one and one far behind."""

import httpx

from bench.load import Traffic, closed, render
from bench.measure import Found, interleave, ratios
from bench.sides import Service, Stage
from bench.sizes import Size

_PAGE = 20
_LARGEST = 200
_DEEP = 5_000


def listing(stage: Stage, size: Size) -> Found:
    service = stage.service()
    service.fill(0, size.listed)
    service.await_applied()
    plain = [stage.plain(framework, size.listed) for framework in ("Flask", "FastAPI")]
    deep = min(_DEEP, size.listed // _PAGE - 1)
    first = _one(stage, f"/items?limit={_PAGE}")
    far = _one(stage, f"/items?limit={_PAGE}&cursor={_cursor(service, deep * _PAGE)}")
    reading = stage.uncached(service)
    theirs = _one(stage, f"/items/?skip=0&limit={_PAGE}")
    theirs_far = _one(stage, f"/items/?skip={deep * _PAGE}&limit={_PAGE}")
    samples = interleave(
        size.repeats,
        {
            "first page": lambda: closed(reading, first, size.seconds),
            "page 5,000": lambda: closed(reading, far, size.seconds),
            "first page, from memory": lambda: closed(service.queries, first, size.seconds),
            plain[0].name: lambda: closed(plain[0], theirs, size.seconds),
            plain[1].name: lambda: closed(plain[1], theirs, size.seconds),
        },
    )
    for side in plain:
        samples[f"{side.name}, page 5,000"] = [closed(side, theirs_far, size.seconds)]
    faster = max((samples[each.name] for each in plain), key=lambda them: them[0].rate)
    return Found(
        samples,
        {
            "from memory, of the faster plain list": ratios(
                samples["first page, from memory"], faster
            ),
            "read, of the faster plain list": ratios(samples["first page"], faster),
            "of the first page, the 5,000th": ratios(samples["page 5,000"], samples["first page"]),
        },
    )


def _one(stage: Stage, path: str) -> Traffic:
    return Traffic.of(stage.sub("requests") / "page", [render("GET", path)])


def _cursor(service: Service, offset: int) -> str:
    """Walk to a place in the list by the largest pages, and return where it goes on."""
    cursor = ""
    with httpx.Client(base_url=service.deployment.query_url, trust_env=False) as http:
        while offset > 0:
            taken = min(_LARGEST, offset)
            parameters = {"limit": str(taken)} | ({"cursor": cursor} if cursor else {})
            answer = http.get("/items", params=parameters).raise_for_status()
            cursor = answer.json()["next"]
            offset -= taken
    return cursor

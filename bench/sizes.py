"""How much is measured: for real, or so little that it only shows that it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """`seconds` is a run of one side; what takes whole minutes is run `fewer` times."""

    seconds: float = 3.0
    repeats: int = 5
    fewer: int = 3
    items: int = 20_000
    listed: int = 110_000
    drawn: int = 100_000
    commands: int = 60_000
    rebuilt: int = 300_000
    views: int | None = None
    jobs: int = 300
    forked: int = 100
    saved: int = 2_000
    rate: float = 500.0
    following: float = 10.0
    few: int = 10_000
    many: int = 1_000_000


FULL = Size()
TINY = Size(
    seconds=0.05,
    repeats=1,
    fewer=1,
    items=250,
    listed=250,
    drawn=200,
    commands=200,
    rebuilt=200,
    views=1,
    jobs=4,
    forked=2,
    saved=10,
    rate=100.0,
    following=0.2,
    few=50,
    many=100,
)

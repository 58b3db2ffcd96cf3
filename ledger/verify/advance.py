"""How far a verification is."""

from collections.abc import Callable

# Hears of what it takes or compares, such as `events`, how many are done, and of how many.
Advance = Callable[[str, int, int], None]


def counted(advance: Advance, what: str, total: int) -> Callable[[int], None]:
    """Begin with `what`, and make something that hears how many more of it are done."""
    done = 0
    advance(what, done, total)

    def further(count: int) -> None:
        nonlocal done
        done += count
        advance(what, done, total)

    return further

"""What a fault is: a function that makes it happen and returns when it is over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

Happen = Callable[[Any, Random], str | None]

ENGINES = frozenset({"sqlite", "postgresql"})
MODES = frozenset({"own", "embedded"})


class Missed(Exception):
    """The fault could not happen: nobody was there, or nobody came by."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`happen` takes the world and dice. Two kinds with a target in common never run together."""

    name: str
    happen: Happen
    targets: frozenset[str]
    classes: frozenset[str] = frozenset({"default"})
    weight: int = 1
    engines: frozenset[str] = ENGINES
    modes: frozenset[str] = MODES


@dataclass(slots=True)
class Registry:
    """The kinds that exist, by name."""

    kinds: dict[str, Kind] = field(default_factory=dict)

    def kind(
        self,
        name: str,
        *targets: str,
        classes: tuple[str, ...] = ("default",),
        weight: int = 1,
        engines: frozenset[str] = ENGINES,
        modes: frozenset[str] = MODES,
    ) -> Callable[[Happen], Happen]:
        def add(happen: Happen) -> Happen:
            self.kinds[name] = Kind(
                name, happen, frozenset(targets), frozenset(classes), weight, engines, modes
            )
            return happen

        return add


def chosen(
    kinds: Mapping[str, Kind], wanted: tuple[str, ...], engine: str, mode: str
) -> list[Kind]:
    """List the kinds that are wanted by name or by class and make sense here.

    `-name` takes one away again.
    """
    unknown = {each.lstrip("-") for each in wanted} - set(kinds)
    unknown -= {name for kind in kinds.values() for name in kind.classes} | {"none"}
    if unknown:
        raise ValueError(f"no such fault or class of faults: {sorted(unknown)}")
    taken = {each.removeprefix("-") for each in wanted if each.startswith("-")}
    return [
        kind
        for kind in kinds.values()
        if engine in kind.engines
        and mode in kind.modes
        and (kind.name in wanted or kind.classes & set(wanted))
        and kind.name not in taken
        and not kind.classes & taken
    ]

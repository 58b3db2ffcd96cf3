"""Frozen values that are made quickly: dataclasses, frozen and with slots, in all but how their
members are set.

A frozen dataclass sets each member around its own ban on setting any, which takes most of the time
that making one takes; of a batch of a thousand commands that was a fifth. Here members are set
while the value still is of an open class with the same slots, and then it becomes what it is for
good. Worth it where thousands are made at once; everywhere else `dataclass(frozen=True)` is.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a class one of frozen values. Its members may have defaults, but no factories, and it
    has no `__post_init__`.
    """
    made: Any = dataclass(frozen=True, slots=True, init=False)(cls)
    members = fields(made)
    if any(each.default_factory is not MISSING for each in members):
        raise TypeError(f"{cls.__name__} has a member with a factory")
    names = tuple(each.name for each in members)
    made.__new__ = _maker(made, names, {each.name: each.default for each in members})

    def reduce(self: object) -> tuple[Any, tuple[Any, ...]]:
        return made, tuple(getattr(self, name) for name in names)

    made.__reduce__ = reduce
    return made


def _maker(made: type, names: tuple[str, ...], defaults: dict[str, Any]) -> Callable[..., Any]:
    """Write `__new__`, as dataclasses write their `__init__`: with the members as parameters."""
    opened = type(f"Open{made.__name__}", (), {"__slots__": names})
    known = {name: default for name, default in defaults.items() if default is not MISSING}
    parameters = [f"{name}=known[{name!r}]" if name in known else name for name in names]
    lines = [
        f"def __new__(cls, {', '.join(parameters)}):",
        "    self = create(opened)",
        *(f"    self.{name} = {name}" for name in names),
        "    self.__class__ = cls",
        "    return self",
    ]
    given: dict[str, Any] = {"create": object.__new__, "opened": opened, "known": known}
    exec("\n".join(lines), given)  # noqa: S102  names of members, as in dataclasses itself
    return given["__new__"]

"""Values that are made quickly are what frozen dataclasses with slots are."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from domain.value import value


@value
class Quick:
    name: str
    price: int
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    price: int
    currency: str = "EUR"


LAMP = Quick("Lamp", 5)


def test_a_value_is_made_as_a_dataclass_is() -> None:
    assert Quick(price=5, name="Lamp") == LAMP
    assert (LAMP.name, LAMP.price, LAMP.currency) == ("Lamp", 5, "EUR")
    assert [(each.name, each.default) for each in fields(Quick)] == [
        (each.name, each.default) for each in fields(Plain)
    ]
    assert repr(LAMP) == "Quick(name='Lamp', price=5, currency='EUR')"
    make: Any = Quick
    for wrong in ((), ("Lamp",), ("Lamp", 5, "EUR", "more")):
        with pytest.raises(TypeError):
            make(*wrong)
    with pytest.raises(TypeError):
        make("Lamp", 5, colour="red")


def test_equal_values_are_one_key_and_others_are_not() -> None:
    assert {LAMP: 1}[Quick("Lamp", 5)] == 1
    assert Quick("Lamp", 6) != LAMP
    assert Plain("Lamp", 5) != LAMP


def test_a_value_cannot_be_changed() -> None:
    assert type(LAMP) is Quick
    lamp: Any = LAMP
    with pytest.raises(FrozenInstanceError):
        lamp.price = 6
    with pytest.raises(FrozenInstanceError):
        del lamp.price
    with pytest.raises(AttributeError):
        object.__setattr__(LAMP, "colour", "red")


def test_a_value_is_matched_replaced_copied_and_pickled() -> None:
    match LAMP:
        case Quick(name, price, "EUR"):
            assert (name, price) == ("Lamp", 5)
        case _:
            raise AssertionError
    assert replace(LAMP, price=7) == Quick("Lamp", 7)
    unpickled = pickle.loads(pickle.dumps(LAMP))  # noqa: S301  our own
    for again in (copy.copy(LAMP), copy.deepcopy(LAMP), unpickled):
        assert again == LAMP
        assert type(again) is Quick


def test_a_member_with_a_factory_is_refused() -> None:
    with pytest.raises(TypeError, match="factory"):

        @value
        class _Wrong:
            names: list[str] = field(default_factory=list[str])

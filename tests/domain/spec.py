"""given(events).when(command).then(events): how a rule of the catalogue reads."""

from dataclasses import dataclass

import pytest

from domain.commands import Command
from domain.decide import decide
from domain.events import Event
from domain.evolve import fold
from domain.item import Item
from domain.refusals import Refusal

NOW = 1_800_000_000_000


@dataclass(frozen=True, slots=True)
class Given:
    events: tuple[Event, ...]

    def when(self, command: Command, now: int = NOW) -> "When":
        return When(self.events, command, now)


@dataclass(frozen=True, slots=True)
class When:
    events: tuple[Event, ...]
    command: Command
    now: int

    def earlier(self, version: int) -> Item:
        item = fold(self.events[:version])
        assert item is not None
        return item

    def then(self, *expected: Event) -> None:
        assert decide(self.command, fold(self.events), self.now, self.earlier) == expected

    def then_nothing(self) -> None:
        self.then()

    def then_refused(self, refusal: type[Refusal], version: int) -> None:
        with pytest.raises(Refusal) as raised:
            decide(self.command, fold(self.events), self.now, self.earlier)

        assert type(raised.value) is refusal
        assert raised.value.version == version
        assert raised.value.code
        assert str(raised.value)


def given(*events: Event) -> Given:
    return Given(events)

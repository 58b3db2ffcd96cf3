"""given(events).when(command).then(events): how a rule of the catalogue reads."""

from dataclasses import dataclass

from domain.commands import Command
from domain.decide import decide
from domain.events import Event
from domain.evolve import fold
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

    def then(self, *expected: Event) -> None:
        assert decide(self.command, fold(self.events), self.now) == expected

    def then_nothing(self) -> None:
        self.then()

    def then_refused(self, refusal: type[Refusal], version: int) -> None:
        try:
            happened = decide(self.command, fold(self.events), self.now)
        except Refusal as raised:
            assert type(raised) is refusal
            assert raised.version == version
            assert raised.code
            assert str(raised)
        else:
            raise AssertionError(f"not refused: {happened}")


def given(*events: Event) -> Given:
    return Given(events)

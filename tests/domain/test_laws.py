"""What holds for every sequence of commands whatsoever."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import (
    ABSENT,
    AtVersion,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    PatchItem,
    ReplaceItem,
    RestoreItem,
)
from domain.decide import decide
from domain.events import Event
from domain.evolve import evolve, fold
from domain.item import Item
from domain.refusals import Refusal

NOW = 1_800_000_000_000

names = st.sampled_from(["Lamp", "Rug", "Ünïcode ✓"])
descriptions = st.none() | st.sampled_from(["", "Brass."])
prices = st.integers(0, 3)
currencies = st.sampled_from(["EUR", "USD"])
moments = st.none() | st.integers(NOW - 5, NOW)
expectations = st.sampled_from(list(Existence)) | st.builds(
    AtVersion, st.frozensets(st.integers(1, 6), max_size=3)
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        CreateItem, st.just("a"), st.just(NOW), names, descriptions, prices, currencies, moments
    ),
    st.builds(
        ReplaceItem,
        st.just("a"),
        st.just(NOW),
        names,
        descriptions,
        prices,
        st.none() | currencies,
        currencies,
        expectations,
        moments,
    ),
    st.builds(
        PatchItem,
        st.just("a"),
        st.just(NOW),
        st.none() | names,
        st.just(ABSENT) | descriptions,
        st.none() | prices,
        st.none() | currencies,
        expectations,
        moments,
    ),
    st.builds(DeleteItem, st.just("a"), st.just(NOW), expectations, moments),
    st.builds(RestoreItem, st.just("a"), st.just(NOW), expectations, moments),
)


def run(asked: Sequence[Command]) -> list[Event]:
    """Decide one command after another, as the worker does, with a clock that ticks."""
    item: Item | None = None
    happened: list[Event] = []
    for tick, command in enumerate(asked):
        try:
            decided = decide(command, item, NOW + tick)
        except Refusal:
            continue
        item = fold(decided, item)
        happened.extend(decided)
    return happened


@given(st.lists(commands, max_size=30))
@settings(max_examples=500)
def test_fold_never_raises_on_decided_events_and_versions_have_no_gap(
    asked: list[Command],
) -> None:
    item: Item | None = None
    for number, event in enumerate(run(asked), start=1):
        item = evolve(item, event)
        assert item.version == number


@given(st.lists(commands, max_size=20), commands)
@settings(max_examples=500)
def test_the_same_command_at_once_again_changes_nothing_or_is_refused(
    asked: list[Command], command: Command
) -> None:
    item = fold(run(asked))
    try:
        once = fold(decide(command, item, NOW + 99), item)
        again = decide(command, once, NOW + 99)
    except Refusal:
        return
    assert again == ()


@given(st.lists(commands, max_size=30))
def test_time_of_effect_never_goes_back_within_an_item(asked: list[Command]) -> None:
    effects = [event.effective_at for event in run(asked)]

    assert effects == sorted(effects)


@given(st.lists(commands, max_size=30))
def test_every_event_changes_the_item(asked: list[Command]) -> None:
    item: Item | None = None
    for event in run(asked):
        after = evolve(item, event)
        if item is not None:
            state = (item.name, item.description, item.price, item.currency, item.is_deleted)
            assert state != (
                after.name,
                after.description,
                after.price,
                after.currency,
                after.is_deleted,
            )
        item = after

"""What holds for every sequence of commands whatsoever."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.commands import (
    ABSENT,
    AtVersion,
    CancelScheduledPrice,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    PatchItem,
    ReplaceItem,
    RestoreItem,
    RevertItem,
    SchedulePrice,
)
from domain.decide import decide
from domain.events import Event, ItemPriceScheduled, ItemRepriced
from domain.evolve import evolve, fold
from domain.item import Item
from domain.pricing import take_effect
from domain.refusals import Refusal
from domain.schedules import next_due

NOW = 1_800_000_000_000
LAST = NOW + 60
# How long after a command is received its turn comes.
LAG = 7

names = st.sampled_from(["Lamp", "Rug", "Ünïcode ✓"])
descriptions = st.none() | st.sampled_from(["", "Brass."])
prices = st.integers(0, 3)
currencies = st.sampled_from(["EUR", "USD"])
moments = st.none() | st.integers(NOW - 5, NOW)
expectations = st.sampled_from(list(Existence)) | st.builds(
    AtVersion, st.frozensets(st.integers(1, 6), max_size=3)
)
schedule_ids = st.sampled_from(["s1", "s2", "s3"])
plain: st.SearchStrategy[Command] = st.one_of(
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
    st.builds(
        RevertItem,
        st.just("a"),
        st.just(NOW),
        st.integers(1, 9),
        expectations,
        moments,
        st.booleans(),
    ),
)
schedules: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        SchedulePrice,
        st.just("a"),
        st.just(NOW),
        schedule_ids,
        prices,
        st.none() | currencies,
        st.integers(NOW, NOW + 30),
        st.none() | st.integers(NOW, NOW + 40),
        st.just("anna"),
    ),
    st.builds(CancelScheduledPrice, st.just("a"), st.just(NOW), schedule_ids),
)
commands = plain | schedules


class History:
    """An item's events, made as the worker makes them, with a clock that ticks."""

    def __init__(self) -> None:
        self.item: Item | None = None
        self.events: list[Event] = []

    def earlier(self, version: int) -> Item:
        item = fold(self.events[:version])
        assert item is not None
        return replace(item, schedules=())

    def bring_in_due(self, by: int) -> None:
        while self.item is not None and (due := next_due(self.item.schedules)) and due.at <= by:
            self._happen((take_effect(self.item, due, by + LAG),))

    def ask(self, command: Command, received_at: int) -> None:
        self.bring_in_due(received_at)
        command = replace(command, received_at=received_at)
        if isinstance(command, SchedulePrice):
            # No two schedules ever have the same id: a cancellation means one that is there.
            known = sum(isinstance(each, ItemPriceScheduled) for each in self.events)
            command = replace(command, schedule_id=f"s{known}")
        elif isinstance(command, CancelScheduledPrice) and self.item and self.item.schedules:
            place = int(command.schedule_id[1:]) % len(self.item.schedules)
            command = replace(command, schedule_id=self.item.schedules[place].id)
        try:
            self._happen(decide(command, self.item, received_at + LAG, self.earlier))
        except Refusal:
            return

    def _happen(self, events: Sequence[Event]) -> None:
        self.item = fold(events, self.item)
        self.events += events


def run(asked: Sequence[Command], until: int | None = None) -> History:
    """Ask for one thing after another; go on `until` a moment with what is due."""
    history = History()
    for tick, command in enumerate(asked):
        history.ask(command, NOW + tick)
    if until is not None:
        history.bring_in_due(until)
    return history


@given(st.lists(commands, max_size=30))
@settings(max_examples=250)
def test_fold_never_raises_on_decided_events_and_versions_have_no_gap(
    asked: list[Command],
) -> None:
    item: Item | None = None
    for number, event in enumerate(run(asked, LAST).events, start=1):
        item = evolve(item, event)
        assert item.version == number


@given(st.lists(commands, max_size=20), plain)
@settings(max_examples=250)
def test_the_same_command_at_once_again_changes_nothing_or_is_refused(
    asked: list[Command], command: Command
) -> None:
    history = run(asked, NOW + 99)
    try:
        once = fold(decide(command, history.item, NOW + 99, history.earlier), history.item)
        again = decide(command, once, NOW + 99, history.earlier)
    except Refusal:
        return
    assert again == ()


@given(st.lists(commands, max_size=30))
def test_time_of_effect_never_goes_back_within_an_item(asked: list[Command]) -> None:
    effects = [event.effective_at for event in run(asked, LAST).events]

    assert effects == sorted(effects)


@given(st.lists(commands, max_size=30))
def test_every_event_changes_the_item(asked: list[Command]) -> None:
    item: Item | None = None
    for event in run(asked, LAST).events:
        after = evolve(item, event)
        assert item is None or _state(item) != _state(after)
        item = after


def _state(item: Item) -> object:
    values = (item.name, item.description, item.price, item.currency, item.is_deleted)
    return (*values, item.schedules)


@given(st.lists(commands, max_size=30))
def test_a_scheduled_price_changes_the_price_once_when_it_begins_and_once_when_it_ends(
    asked: list[Command],
) -> None:
    events = run(asked, LAST).events
    for each in events:
        if not isinstance(each, ItemPriceScheduled):
            continue
        ends = each.effective_until
        moved = [
            event
            for event in events
            if isinstance(event, ItemRepriced) and event.schedule_id == each.schedule_id
        ]
        assert len(moved) <= (1 if ends is None else 2)
        for event, moment in zip(moved, (each.effective_from, ends), strict=False):
            assert moment is not None
            assert event.effective_at >= moment


@given(st.lists(commands, max_size=30))
def test_nothing_is_pending_of_a_deleted_item_and_nothing_of_any_once_all_is_due(
    asked: list[Command],
) -> None:
    item: Item | None = None
    events = run(asked, LAST).events
    for number, event in enumerate(events, start=1):
        item = evolve(item, event)
        whole = number == len(events) or events[number].recorded_at != event.recorded_at
        assert not (whole and item.is_deleted and item.schedules)
    assert item is None or item.schedules == ()


@given(st.lists(schedules, min_size=1, max_size=20))
@example(
    [
        SchedulePrice("a", NOW, "s1", 2, None, NOW + 5, NOW + 9, "anna"),
        SchedulePrice("a", NOW, "s2", 3, None, NOW + 7, NOW + 12, "anna"),
    ]
)
def test_after_the_last_sale_of_a_price_that_nobody_touched_the_regular_one_is_back(
    asked: list[Command],
) -> None:
    sales = [
        each
        for each in asked
        if not isinstance(each, SchedulePrice) or each.effective_until is not None
    ]
    history = run([CreateItem("a", NOW, "Lamp", None, 1, "EUR"), *sales], LAST)

    assert history.item is not None
    assert (history.item.price, history.item.currency) == (1, "EUR")
    assert history.item.schedules == ()

"""An item goes back to what it was at an earlier version."""

from dataclasses import replace

import pytest

from domain.commands import RevertItem
from domain.events import (
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemPriceScheduled,
    ItemPriceUnscheduled,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.refusals import (
    EffectiveTooEarly,
    ItemGone,
    ItemNotFound,
    NoSuchVersion,
    PreconditionFailed,
)
from tests.domain.spec import NOW, given
from tests.domain.test_item import at

EARLIER = NOW - 60_000
LAMP = ItemCreated("lamp-1", EARLIER, EARLIER, "Elegant Lamp", None, 12900, "EUR")
NAMED = ItemRenamed("lamp-1", EARLIER, EARLIER, "Gaudy Lamp")
DESCRIBED = ItemDescribed("lamp-1", EARLIER, EARLIER, "Brass.")
PRICED = ItemRepriced("lamp-1", EARLIER, EARLIER, 9900, "USD")
GONE = ItemDeleted("lamp-1", EARLIER, EARLIER)
BACK = ItemRestored("lamp-1", EARLIER, EARLIER)
SALE = ItemPriceScheduled(
    "lamp-1", EARLIER, EARLIER, "sale", 1, "EUR", NOW + 1, NOW + 9, "anna", None
)
REVERT = RevertItem("lamp-1", NOW, 1)


def test_every_field_that_differs_is_brought_back() -> None:
    given(LAMP, NAMED, DESCRIBED, PRICED).when(REVERT).then(
        ItemRenamed("lamp-1", NOW, NOW, "Elegant Lamp"),
        ItemDescribed("lamp-1", NOW, NOW, None),
        ItemRepriced("lamp-1", NOW, NOW, 12900, "EUR"),
    )


def test_what_came_before_that_version_stays() -> None:
    given(LAMP, NAMED, DESCRIBED, PRICED).when(replace(REVERT, to_version=3)).then(
        ItemRepriced("lamp-1", NOW, NOW, 12900, "EUR")
    )


def test_going_back_to_where_it_is_changes_nothing() -> None:
    given(LAMP, NAMED).when(replace(REVERT, to_version=2)).then_nothing()


@pytest.mark.parametrize("to", [-1, 0, 3])
def test_a_version_it_never_had_is_refused(to: int) -> None:
    given(LAMP, NAMED).when(replace(REVERT, to_version=to)).then_refused(NoSuchVersion, 2)


def test_what_is_not_there_does_not_go_back() -> None:
    given().when(REVERT).then_refused(ItemNotFound, 0)
    given().when(replace(REVERT, revive=True)).then_refused(ItemNotFound, 0)
    given(LAMP, GONE).when(REVERT).then_refused(ItemGone, 2)


def test_another_version_than_expected_is_refused() -> None:
    given(LAMP, NAMED).when(replace(REVERT, expected=at(1))).then_refused(PreconditionFailed, 2)


def test_what_is_expected_is_judged_before_the_version_that_is_asked_for() -> None:
    command = replace(REVERT, expected=at(1), to_version=9)
    given(LAMP, NAMED).when(command).then_refused(PreconditionFailed, 2)


def test_going_back_does_not_take_effect_before_the_last_change() -> None:
    command = replace(REVERT, effective_at=EARLIER - 1)
    given(LAMP, NAMED).when(command).then_refused(EffectiveTooEarly, 2)


def test_a_deleted_item_is_brought_back_where_that_is_asked_for() -> None:
    given(LAMP, PRICED, GONE).when(replace(REVERT, revive=True)).then(
        ItemRestored("lamp-1", NOW, NOW), ItemRepriced("lamp-1", NOW, NOW, 12900, "EUR")
    )


def test_going_back_to_when_it_was_deleted_deletes_it() -> None:
    given(LAMP, GONE, BACK, NAMED).when(replace(REVERT, to_version=2)).then(
        ItemRenamed("lamp-1", NOW, NOW, "Elegant Lamp"), ItemDeleted("lamp-1", NOW, NOW)
    )


def test_going_back_from_one_deletion_to_another_only_changes_the_values() -> None:
    command = replace(REVERT, to_version=2, revive=True)
    given(LAMP, GONE, BACK, NAMED, GONE).when(command).then(
        ItemRenamed("lamp-1", NOW, NOW, "Elegant Lamp")
    )


def test_a_deletion_that_it_goes_back_to_cancels_what_is_pending() -> None:
    given(LAMP, GONE, BACK, SALE).when(replace(REVERT, to_version=2)).then(
        ItemPriceUnscheduled("lamp-1", NOW, NOW, "sale", "cancelled"),
        ItemDeleted("lamp-1", NOW, NOW),
    )


def test_what_is_scheduled_stays_as_it_is() -> None:
    given(LAMP, SALE, NAMED).when(REVERT).then(ItemRenamed("lamp-1", NOW, NOW, "Elegant Lamp"))

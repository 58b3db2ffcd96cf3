from dataclasses import replace

import pytest

from domain.commands import (
    AtVersion,
    Command,
    CreateItem,
    DeleteItem,
    Existence,
    Expected,
    PatchItem,
    ReplaceItem,
    RestoreItem,
)
from domain.events import (
    ItemCreated,
    ItemDeleted,
    ItemDescribed,
    ItemRenamed,
    ItemRepriced,
    ItemRestored,
)
from domain.refusals import (
    EffectiveInFuture,
    EffectiveTooEarly,
    ItemExists,
    ItemGone,
    ItemNotFound,
    PreconditionFailed,
)
from tests.domain.spec import NOW, given

EARLIER = NOW - 60_000
LAMP = ItemCreated("lamp-1", EARLIER, EARLIER, "Elegant Lamp", None, 12900, "EUR")
GONE = ItemDeleted("lamp-1", EARLIER, EARLIER)
CREATE = CreateItem("lamp-1", NOW, "Elegant Lamp", None, 12900, "EUR")
PUT = ReplaceItem("lamp-1", NOW, "Elegant Lamp", None, 12900, None, "GBP")
PATCH = PatchItem("lamp-1", NOW)
DELETE = DeleteItem("lamp-1", NOW)
RESTORE = RestoreItem("lamp-1", NOW)


def at(*versions: int) -> Expected:
    return AtVersion(frozenset(versions))


def test_a_new_item_is_created() -> None:
    given().when(CREATE).then(ItemCreated("lamp-1", NOW, NOW, "Elegant Lamp", None, 12900, "EUR"))


def test_an_item_cannot_be_created_twice() -> None:
    given(LAMP).when(CREATE).then_refused(ItemExists, 1)


def test_a_deleted_item_is_not_created_anew() -> None:
    given(LAMP, GONE).when(CREATE).then_refused(ItemExists, 2)


def test_putting_an_unknown_item_creates_it_in_the_currency_for_new_ones() -> None:
    given().when(PUT).then(ItemCreated("lamp-1", NOW, NOW, "Elegant Lamp", None, 12900, "GBP"))


def test_putting_what_is_there_already_changes_nothing() -> None:
    given(LAMP).when(PUT).then_nothing()


def test_putting_other_values_is_one_event_per_changed_field() -> None:
    command = replace(PUT, name="Lamp", description="Brass.", price=9900, currency="USD")
    given(LAMP).when(command).then(
        ItemRenamed("lamp-1", NOW, NOW, "Lamp"),
        ItemDescribed("lamp-1", NOW, NOW, "Brass."),
        ItemRepriced("lamp-1", NOW, NOW, 9900, "USD"),
    )


def test_putting_without_a_currency_keeps_the_items_own() -> None:
    given(LAMP).when(replace(PUT, price=1)).then(ItemRepriced("lamp-1", NOW, NOW, 1, "EUR"))


def test_putting_without_a_description_removes_it() -> None:
    described = ItemDescribed("lamp-1", EARLIER, EARLIER, "Brass.")
    given(LAMP, described).when(PUT).then(ItemDescribed("lamp-1", NOW, NOW, None))


def test_a_new_currency_alone_is_a_new_price() -> None:
    given(LAMP).when(replace(PATCH, currency="USD")).then(
        ItemRepriced("lamp-1", NOW, NOW, 12900, "USD")
    )


def test_putting_a_deleted_item_brings_it_back_with_the_new_values() -> None:
    given(LAMP, GONE).when(replace(PUT, price=1)).then(
        ItemRestored("lamp-1", NOW, NOW), ItemRepriced("lamp-1", NOW, NOW, 1, "EUR")
    )


def test_a_patch_changes_only_what_it_mentions() -> None:
    given(LAMP).when(replace(PATCH, price=9900)).then(ItemRepriced("lamp-1", NOW, NOW, 9900, "EUR"))


def test_an_empty_patch_changes_nothing() -> None:
    given(LAMP).when(PATCH).then_nothing()


def test_a_patch_can_remove_a_description() -> None:
    described = ItemDescribed("lamp-1", EARLIER, EARLIER, "Brass.")
    given(LAMP, described).when(replace(PATCH, description=None)).then(
        ItemDescribed("lamp-1", NOW, NOW, None)
    )


def test_a_live_item_is_deleted() -> None:
    given(LAMP).when(DELETE).then(ItemDeleted("lamp-1", NOW, NOW))


def test_a_deleted_item_is_restored() -> None:
    given(LAMP, GONE).when(RESTORE).then(ItemRestored("lamp-1", NOW, NOW))


def test_restoring_a_live_item_changes_nothing() -> None:
    given(LAMP).when(RESTORE).then_nothing()


@pytest.mark.parametrize("command", [PATCH, DELETE, RESTORE], ids=["patch", "delete", "restore"])
def test_what_never_was_is_not_found(command: Command) -> None:
    given().when(command).then_refused(ItemNotFound, 0)


@pytest.mark.parametrize("command", [PATCH, DELETE], ids=["patch", "delete"])
def test_what_is_deleted_is_gone(command: Command) -> None:
    given(LAMP, GONE).when(command).then_refused(ItemGone, 2)


@pytest.mark.parametrize("command", [PUT, PATCH, DELETE, RESTORE])
def test_another_version_than_expected_is_refused_with_the_current_one(
    command: ReplaceItem | PatchItem | DeleteItem | RestoreItem,
) -> None:
    given(LAMP).when(replace(command, expected=at(2, 3))).then_refused(PreconditionFailed, 1)


def test_one_of_the_expected_versions_is_enough() -> None:
    given(LAMP).when(replace(DELETE, expected=at(1, 7))).then(ItemDeleted("lamp-1", NOW, NOW))


def test_no_version_matches_an_empty_list_of_them() -> None:
    given(LAMP).when(replace(DELETE, expected=at())).then_refused(PreconditionFailed, 1)


def test_an_unknown_item_is_not_found_before_its_version_is_looked_at() -> None:
    given().when(replace(DELETE, expected=at(1))).then_refused(ItemNotFound, 0)


def test_a_put_that_wants_an_item_to_be_there_does_not_create_it() -> None:
    command = replace(PUT, expected=Existence.MUST_EXIST)
    given().when(command).then_refused(PreconditionFailed, 0)
    given(LAMP, GONE).when(command).then_refused(PreconditionFailed, 2)


def test_a_put_that_only_creates_does_not_replace() -> None:
    command = replace(PUT, expected=Existence.MUST_NOT_EXIST)
    given(LAMP).when(command).then_refused(PreconditionFailed, 1)


def test_a_put_that_only_creates_brings_a_deleted_item_back() -> None:
    command = replace(PUT, expected=Existence.MUST_NOT_EXIST)
    given(LAMP, GONE).when(command).then(ItemRestored("lamp-1", NOW, NOW))


def test_a_change_takes_effect_when_its_sender_says() -> None:
    between = NOW - 1
    given(LAMP).when(replace(PATCH, price=1, effective_at=between)).then(
        ItemRepriced("lamp-1", NOW, between, 1, "EUR")
    )


def test_a_change_may_take_effect_at_the_same_moment_as_the_last() -> None:
    given(LAMP).when(replace(PATCH, price=1, effective_at=EARLIER)).then(
        ItemRepriced("lamp-1", NOW, EARLIER, 1, "EUR")
    )


def test_a_change_cannot_take_effect_before_the_items_last_one() -> None:
    command = replace(PATCH, price=1, effective_at=EARLIER - 1)
    given(LAMP).when(command).then_refused(EffectiveTooEarly, 1)


def test_an_older_row_is_refused_even_where_it_would_change_nothing() -> None:
    command = replace(PUT, effective_at=EARLIER - 1)
    given(LAMP).when(command).then_refused(EffectiveTooEarly, 1)


def test_a_change_cannot_take_effect_after_it_was_received() -> None:
    given().when(replace(CREATE, effective_at=NOW + 1)).then_refused(EffectiveInFuture, 0)


def test_the_effect_never_goes_back_when_the_clock_does() -> None:
    given(LAMP).when(DELETE, now=EARLIER - 5).then(ItemDeleted("lamp-1", EARLIER - 5, EARLIER))

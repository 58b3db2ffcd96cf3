"""What is said of an item that is not there: never, no more, not yet, not at that version."""

from collections.abc import Mapping

from domain import rules
from domain.refusals import DomainError, ItemGone, ItemNotFound, RuleBroken
from readmodel.answers import REVALIDATE
from readmodel.problem_codes import NOT_YET_CREATED, VERSION_NOT_FOUND
from readmodel.problems import Trouble, problem
from runtime.problems import STATUS_OF_KIND, Problem
from runtime.times import rfc3339

Headers = Mapping[str, str]


def known(item_id: str, headers: Headers = REVALIDATE) -> str:
    """Refuse an id that no item can have before a database has to look at it."""
    try:
        return rules.item_id(item_id)
    except RuleBroken as error:
        raise never_seen(item_id, headers) from error


def never_seen(item_id: str, headers: Headers = REVALIDATE) -> Trouble:
    """Say that there never was an item of this id."""
    return Trouble(_refusal(ItemNotFound, f"there is no item {item_id}", {}), headers)


def gone(history: str, item_id: str, version: int, headers: Headers = REVALIDATE) -> Trouble:
    """Say that the item is deleted, and since which version; `history` is the URL of what was."""
    detail = f"item {item_id} was deleted, at version {version}; its history is still there"
    members = {"current_version": version, "links": {"history": history}}
    return Trouble(_refusal(ItemGone, detail, members), _leading_to(history, headers))


def gone_then(history: str, item_id: str, version: int, headers: Headers) -> Trouble:
    """Say that the item is deleted in the state that was asked for."""
    detail = f"item {item_id} is deleted at version {version}; its history is still there"
    members = {"version": version, "links": {"history": history}}
    return Trouble(_refusal(ItemGone, detail, members), _leading_to(history, headers))


def no_such_version(item_id: str, current: int) -> Trouble:
    """Say that the item has not come to this version; `current` is the last it has come to."""
    detail = f"the last version of item {item_id} is {current}"
    return Trouble(problem(VERSION_NOT_FOUND, detail, extra={"current_version": current}))


def not_yet_created(item_id: str, created_at: int) -> Trouble:
    """Say that the item came later; `created_at` is when that took effect, in milliseconds."""
    return Trouble(
        problem(NOT_YET_CREATED, f"item {item_id} is there since {rfc3339(created_at)}, not before")
    )


def _leading_to(history: str, headers: Headers) -> Headers:
    link = f'<{history}>; rel="version-history"'
    return {**headers, "Link": f"{headers['Link']}, {link}" if "Link" in headers else link}


def _refusal(refusal: type[DomainError], detail: str, members: Mapping[str, object]) -> Problem:
    status = STATUS_OF_KIND[refusal.kind]
    return Problem(status, refusal.code, refusal.title, detail, extra=members)

"""`itemledger dead`: commands that met a defect, and what an operator says about them."""

import sys
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import orjson
import typer
from redis.exceptions import RedisError
from rich.console import Console

from cli.database_refusals import reading_refusal
from cli.lines import tell
from cli.refusals import FAILED, UNREACHABLE, WRONG_USAGE, Refusal, reason, without_password
from cli.tables import Field, show_rows
from cli.whoami import operator
from eventlog.envelope import Order
from eventlog.orders import OrderRefused
from ledger.quarantine import Quarantined
from ledger.schema import DatabaseUnusable, SchemaOutOfDate
from runtime.errors import headline
from runtime.settings import Settings
from runtime.times import rfc3339
from worker.orders import DeadCommands, Obeyed, Oldest, dead_commands

What = Literal["replay", "discard"]

_FIELDS = (
    Field("command"),
    Field("item"),
    Field("since"),
    Field("parked", number=True),
    Field("error", folds=True),
)


def list_dead(settings: Settings, *, as_json: bool) -> None:
    """Print the dead commands, the oldest first."""
    with _opened(settings) as dead:
        found = dead.oldest()
    if as_json:
        documents = [_document(each, parked) for each, parked in found.commands]
        typer.echo(orjson.dumps(documents, option=orjson.OPT_INDENT_2))
        _tell_of_more(found, err=True)
        return
    if not found.commands:
        typer.echo("No command is dead.")
        return
    rows = [
        (
            each.command_id,
            each.item_id or "-",
            rfc3339(each.since),
            str(parked),
            _headline(each.error),
        )
        for each, parked in found.commands
    ]
    show_rows(Console(highlight=False, markup=False), _FIELDS, rows)
    _tell_of_more(found)
    tell(
        "`itemledger dead show ID` tells more; `dead replay ID` tries again, `dead discard ID` "
        "gives up."
    )


def show_dead(settings: Settings, command_id: str) -> None:
    """Print one command that is set aside, with its payload and the traceback of its defect."""
    with _opened(settings) as dead:
        found = dead.find(command_id)
        if found is None:
            raise _not_dead(command_id)
        behind = dead.of_its_item(found)
    document = _document(found, sum(1 for each in behind if each.state == "parked"))
    document["payload"] = _payload(found)
    document["set_aside_of_the_item"] = [[each.command_id, each.state] for each in behind]
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    if found.error is not None:
        typer.echo(f"\n{found.error.rstrip()}")


def order(
    settings: Settings,
    what: What,
    command_ids: Sequence[str],
    *,
    everything: bool,
    sure: bool,
    wait: float,
) -> int:
    """Have dead commands tried again, or given up, by a worker; return the exit code."""
    if everything == bool(command_ids):
        raise Refusal("give the ids of dead commands, or --all", WRONG_USAGE)
    with _opened(settings) as dead:
        chosen = _chosen(dead, command_ids)
        if not chosen:
            typer.echo("No command is dead.")
            return 0
        if what == "discard" and not sure:
            _ask(len(chosen))
        given = _give_all(settings, dead, what, chosen)
        until = time.monotonic() + wait
        failed = False
        for each in given:
            obeyed = dead.obeyed(each, max(0.0, until - time.monotonic()))
            tell(f"{each.command_id}: {_told(what, obeyed)}")
            failed |= obeyed is None or obeyed.status == "rejected" or obeyed.error is not None
    return FAILED if failed else 0


def _tell_of_more(found: Oldest, *, err: bool = False) -> None:
    if found.more:
        tell(
            f"These are the oldest {len(found.commands):,}; there are more dead commands, to be "
            "seen when these are replayed or discarded.",
            err=err,
        )


def _chosen(dead: DeadCommands, command_ids: Sequence[str]) -> list[Quarantined]:
    if not command_ids:
        found = dead.oldest()
        _tell_of_more(found)
        return [each for each, _ in found.commands]
    chosen: list[Quarantined] = []
    for command_id in dict.fromkeys(command_ids):
        found = dead.find(command_id)
        if found is None or found.state != "dead":
            raise _not_dead(command_id, found)
        chosen.append(found)
    return chosen


def _ask(count: int) -> None:
    commands = "1 command" if count == 1 else f"{count:,} commands"
    if not sys.stdin.isatty():
        raise Refusal(f"discard gives {commands} up for good: say --yes", WRONG_USAGE)
    if not typer.confirm(f"Give {commands} up for good?"):
        raise Refusal("nothing was given up", FAILED)


def _give_all(
    settings: Settings, dead: DeadCommands, what: What, chosen: Sequence[Quarantined]
) -> list[Order]:
    """Put an order about each on the log; a worker can then obey them together."""
    actor = operator()
    given: list[Order] = []
    for each in chosen:
        order = Order(f"order-{uuid.uuid4()}", what, each.command_id, actor)
        before = f" ({len(given)} of {len(chosen)} orders were given)" if given else ""
        try:
            dead.give(order, each.position.partition)
        except OrderRefused as error:
            raise Refusal(
                f"the log does not take the order: {error}{before}", UNREACHABLE
            ) from None
        except (RedisError, OSError) as error:
            raise Refusal(
                f"cannot reach the log {without_password(settings.log_url)} "
                f"({reason(settings.log_url, error)}): start it, and give the order again{before}",
                UNREACHABLE,
            ) from None
        given.append(order)
    return given


def _told(what: What, obeyed: Obeyed | None) -> str:
    match obeyed:
        case None:
            return "no worker has come to it yet; it is done when one runs"
        case Obeyed(refused=str(why)):
            return f"not done: {why}"
        case Obeyed(error=str(error)):
            return f"dead again: {_headline(error)}"
        case Obeyed(code=None):
            return obeyed.status
        case Obeyed():
            return "given up" if what == "discard" else f"{obeyed.status} ({obeyed.code})"


@contextmanager
def _opened(settings: Settings) -> Generator[DeadCommands]:
    try:
        with dead_commands(settings) as dead:
            yield dead
    except SchemaOutOfDate as error:
        raise Refusal(str(error)) from None
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        raise reading_refusal(settings.sql_url, error) from None


def _not_dead(command_id: str, found: Quarantined | None = None) -> Refusal:
    if found is None:
        return Refusal(f"no command {command_id} is set aside; see `itemledger dead list`")
    return Refusal(
        f"command {command_id} is parked behind a dead one of item {found.item_id}, and goes on by "
        "itself after that: see `itemledger dead list`"
    )


def _document(each: Quarantined, parked: int) -> dict[str, Any]:
    return {
        "command_id": each.command_id,
        "item_id": each.item_id,
        "state": each.state,
        "since": rfc3339(each.since),
        "token": each.position.token,
        "parked_behind": parked,
        "error": _headline(each.error),
    }


def _payload(each: Quarantined) -> Any:
    try:
        return orjson.loads(each.body)
    except ValueError:
        return each.body.decode(errors="backslashreplace")


def _headline(error: str | None) -> str:
    return headline(error) if error else "-"

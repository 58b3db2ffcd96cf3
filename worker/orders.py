"""What an operator sees of dead commands, and the orders given about them.

The order goes on the log and a worker obeys it there, under the partition's lock and in its place:
nobody else writes to the ledger.
"""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from eventlog.clients import ringing_client, working_client
from eventlog.envelope import Order
from eventlog.orders import place
from ledger import import_results, outcomes, quarantine
from ledger.engines import reading_engine
from ledger.quarantine import Quarantined
from ledger.schema import check_schema, unusable
from runtime.settings import Settings
from worker.outcome import BATCH_REJECTED

_MOST = 1000
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What became of a dead command by an order: its final status and code, or that it is dead
    again with this error; `refused` says why the order itself was not obeyed.
    """

    status: str
    code: str | None = None
    error: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Oldest:
    """Dead commands, each with how many are parked behind it; `more` where they are not all."""

    commands: list[tuple[Quarantined, int]]
    more: bool


class DeadCommands:
    """A look at the quarantine, and the way to give orders. Raises DatabaseUnusable where the
    database is not to be had.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    def oldest(self) -> Oldest:
        """List dead commands, the oldest first, as many as are handled at once."""
        with self._engine.connect() as connection:
            found = quarantine.dead(connection, _MOST + 1)
            commands = [
                (each, quarantine.parked_behind(connection, each)) for each in found[:_MOST]
            ]
        return Oldest(commands, len(found) > _MOST)

    def find(self, command_id: str) -> Quarantined | None:
        with self._engine.connect() as connection:
            return quarantine.find(connection, command_id)

    def of_its_item(self, each: Quarantined) -> Sequence[Quarantined]:
        """List what is set aside of a command's item, in the order of acceptance."""
        if each.item_id is None:
            return [each]
        with self._engine.connect() as connection:
            return quarantine.of_item(connection, each.position.partition, each.item_id)

    def give(self, order: Order, partition: int) -> None:
        """Put an order on the log. Raises OrderRefused, and what Redis raises."""
        with (
            working_client(self._settings.log_url) as log,
            ringing_client(self._settings.doorbell_url) as doorbell,
        ):
            place(log, doorbell, partition, order)

    def obeyed(self, order: Order, seconds: float) -> Obeyed | None:
        """Wait until an order is obeyed; `None` where that takes longer."""
        until = time.monotonic() + seconds
        while True:
            with self._engine.connect() as connection:
                found = outcomes.find(connection, [order.id, order.command_id])
                still = quarantine.find(connection, order.command_id)
            if order.id in found:
                break
            if time.monotonic() > until:
                return None
            time.sleep(_LOOK_EVERY)  # between two looks at a condition with a deadline
        own = found[order.id].outcome
        if own.status == "rejected":
            return Obeyed(own.status, refused=own.detail)
        if still is not None:
            return Obeyed("dead", error=still.error)
        if order.command_id in found:
            final = found[order.command_id].outcome
            return Obeyed(final.status, final.code)
        # An atomic batch, of whose rows this can be told; or a price that is due, which has none.
        with self._engine.connect() as connection:
            before_all = f"{order.command_id}."
            rows = import_results.page(connection, order.command_id, None, before_all, _MOST)
        refused = [each for each in rows if each.code is not None]
        if not refused:
            return Obeyed(own.status, "discarded" if order.what == "discard" else None)
        first = min(refused, key=lambda each: each.code == BATCH_REJECTED)
        return Obeyed(first.status, first.code)


@contextmanager
def dead_commands(settings: Settings) -> Generator[DeadCommands]:
    """Open the database to look at dead commands.

    Raises DatabaseUnusable, SchemaOutOfDate, and ModuleNotFoundError for a driver that is missing.
    """
    engine = reading_engine(settings.sql_url, connections=1)
    try:
        check_schema(engine)
        yield DeadCommands(settings, engine)
    except SQLAlchemyError as error:
        raise unusable(error) from error
    finally:
        engine.dispose()

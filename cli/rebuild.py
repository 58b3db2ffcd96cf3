"""`itemledger rebuild`: make a view anew from the ledger, beside the one that is read."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from cli.database_refusals import reading_refusal
from cli.lines import tell
from cli.progress import progress as bar_beside
from cli.progress import time_left
from cli.refusals import FAILED, UNREACHABLE, WRONG_USAGE, Refusal
from eventlog.inspect import LogUnavailable, inspect_log
from ledger import partitions, projections, rebuilding
from ledger.opening import Opened, opened
from ledger.rebuilding import NotPossible, Progress, Wish
from ledger.schema import DatabaseUnusable, SchemaOutOfDate
from ledger.writer import NoFolder, SecondWriter, sole_writer
from readmodel.views.listing import all_views
from runtime.settings import Settings
from runtime.times import now_ms
from worker.builder import Builder
from worker.pace import Pace
from worker.stores import Stores

# Seconds between two looks, and between two lines where no terminal shows a bar.
_LOOK, _LINE = 0.25, 5.0
# Nobody else writes here, or writers have a process of their own: larger transactions cost less.
_PACE = Pace(transaction=0.1)
# Seconds in which a worker that was killed is there again, however often that happened.
_RESTART = 10.0
_ALONE = (
    "no worker is there, so it is built here; one that is started meanwhile has to wait for the end"
)
_OVER = frozenset({"idle", "different", "cancelled", "failed"})


def wish_of(*, restart: bool, cancel: bool, rollback: bool, accept: bool) -> Wish:
    """Tell what is wanted. Raises Refusal where that is several things."""
    asked: dict[Wish, bool] = {
        "restart": restart,
        "cancel": cancel,
        "roll back": rollback,
        "accept": accept,
    }
    chosen: list[Wish] = [wanted for wanted, given in asked.items() if given]
    if len(chosen) > 1:
        raise Refusal("give one of --restart, --cancel, --rollback, --accept", WRONG_USAGE)
    return chosen[0] if chosen else "rebuild"


def run_rebuild(
    settings: Settings, view: str, wanted: Wish, throttle: int | None, *, watch: bool
) -> int:
    """Write down what is wanted, see it done, and return the exit code.

    A worker does it; where none can come to it, or PostgreSQL lets several write, this process.
    """
    names = [each.name for each in all_views()]
    if view not in names:
        raise Refusal(f"there is no view {view!r}; there are {', '.join(names)}", WRONG_USAGE)
    with _opened(settings.sql_url) as ledger:
        try:
            rebuilding.wish(ledger.writes, view, wanted, throttle, now_ms())
        except NotPossible as error:
            raise Refusal(f"{view}: {error}", FAILED) from None
        if wanted == "cancel":
            seen = _look(ledger, view)
            if seen.book.state == "cancelled":
                tell(f"{view}: cancelled at {_place(seen)}.")
                tell(f"`itemledger rebuild {view}` goes on from there.")
            else:
                tell(f"{view}: cancelled; all is as it was.")
            return 0
        if not watch:
            tell(f"{view}: the workers do it; `itemledger status` shows how far they are.")
            return 0
        with _helping(settings, ledger) as helps:
            return _told(_watch(ledger, view, helps=helps))


def _watch(ledger: Opened, view: str, *, helps: bool) -> Progress:
    """Show how far it is until it is over. Raises KeyboardInterrupt after saying what goes on."""
    with bar_beside(f"events of {view}") as bar:
        task = bar.add_task("", total=None)
        said = time.monotonic()
        try:
            while True:
                seen = _look(ledger, view)
                bar.update(task, completed=seen.taken, total=seen.events)
                if seen.book.state in _OVER:
                    return seen
                if bar.disable and time.monotonic() - said >= _LINE:
                    said = time.monotonic()
                    tell(f"{view}: {seen.book.state}, {_place(seen)}", err=True)
                threading.Event().wait(_LOOK)
        except KeyboardInterrupt:
            bar.stop()
            goes_on = "stops here; a worker goes on with it, or" if helps else "goes on;"
            tell(
                f"\n{view}: {goes_on} `itemledger rebuild {view}` watches it again, "
                f"`itemledger rebuild {view} --cancel` ends it.",
                err=True,
            )
            raise


def _told(seen: Progress) -> int:
    book = seen.book
    match book.state:
        case "idle":
            tell(f"{book.view}: live after {seen.events:,} events ({book.detail}).")
            if book.previous:
                tell(f"`itemledger rebuild {book.view} --rollback` goes back to what was.")
            return 0
        case "different":
            tell(f"{book.view}: built, and not equal to what is live: {book.detail}.")
            tell(
                f"Where the view's code has changed, or what is live is damaged, that is right: "
                f"`itemledger rebuild {book.view} --accept` lets it be live, --cancel leaves "
                "everything as it is."
            )
        case _:
            tell(f"{book.view}: {book.state} at {_place(seen)}. {book.detail or ''}".strip())
    return FAILED


def _place(seen: Progress) -> str:
    line = f"{seen.taken:,} of {seen.events:,} events ({seen.percent:.0f} %)"
    if seen.rate is not None and seen.left is not None:
        line += f", {seen.rate:,.0f} a second, {time_left(seen.left)} left"
    return line


def _look(ledger: Opened, view: str) -> Progress:
    with ledger.reads.connect() as connection:
        book = projections.read(connection, view)
        if book is None:
            raise Refusal(f"{view}: its books are gone from the database")
        return rebuilding.progress(connection, book, now_ms())


def _await_worker(settings: Settings) -> None:
    """Where a worker was heard of a moment ago, wait for it to have the database: it is being
    started again, and must not find this process in its place.
    """
    until = time.monotonic() + _RESTART
    while settings.is_sqlite and time.monotonic() < until and _is_heard_of(settings):
        try:
            with sole_writer(settings.sql_url):
                pass
        except SecondWriter:
            return
        threading.Event().wait(_LOOK)


def _is_heard_of(settings: Settings) -> bool:
    inspector = inspect_log(settings.log_url, 1)
    try:
        return bool(inspector.checkup(now_ms()).workers)
    except LogUnavailable:
        # Where there is no log there are no workers, or none that could do anything.
        return False
    finally:
        inspector.close()


@contextmanager
def _helping(settings: Settings, ledger: Opened) -> Generator[bool]:
    """Build in this process meanwhile, unless a worker has the database for itself."""
    count = partitions.stored_count(ledger.reads)
    if count is None:
        raise Refusal("the ledger is not laid out yet: start a worker once")
    _await_worker(settings)
    try:
        with sole_writer(settings.sql_url):
            if settings.is_sqlite:
                tell(_ALONE, err=True)
            stopping = threading.Event()
            builder = Builder(
                Stores(ledger.writes, ledger.reads, count), all_views(), now_ms, stopping, _PACE
            )
            thread = threading.Thread(target=builder.run, name="builder")
            thread.start()
            try:
                yield True
            finally:
                stopping.set()
                thread.join()
    except SecondWriter:
        yield False


@contextmanager
def _opened(url: str) -> Generator[Opened]:
    try:
        with opened(url) as ledger:
            yield ledger
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        raise reading_refusal(url, error) from None
    except (SchemaOutOfDate, NoFolder) as error:
        raise Refusal(str(error), UNREACHABLE) from None

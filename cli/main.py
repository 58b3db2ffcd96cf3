"""The console command: one function per word that follows `itemledger`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import options
from cli.dead_words import dead_app
from cli.export_words import export
from cli.group import Group
from cli.import_words import import_
from cli.refusals import INTERRUPTED, refusing
from cli.token_words import token_app

# A process loads only its own room: the imports stand in the commands.
# ruff: noqa: PLC0415

app = typer.Typer(
    cls=Group,
    name="itemledger",
    help="A catalogue of items as an event-driven service: commands in, items out.\n\n"
    "`itemledger up` starts everything. Every setting can also be given in the environment "
    "(ITEMLEDGER_DATA, ITEMLEDGER_COMMAND_PORT, …) or in a file `.env`; `.env.example` lists them.",
    no_args_is_help=True,
    # Plain help wraps; in tables options and the ends of examples were cut off.
    rich_markup_mode=None,
    # A traceback must not show local variables: URLs hold passwords.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ONE_PROCESS = "One process"


def _tell_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _itemledger(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the release.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    pass


@app.command()
def up(
    data: options.Data = None,
    host: options.Host = None,
    command_port: options.CommandPort = None,
    query_port: options.QueryPort = None,
    workers: options.Workers = None,
    redis_url: options.RedisUrl = None,
    database_url: options.DatabaseUrl = None,
) -> None:
    """Start everything in this terminal: both services, workers, cron, and embedded engines.

    Prints the URLs of both services when they are ready. Ctrl-C stops everything in order.

    Nothing that was accepted is lost: the next start finds it in the data folder.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings(
            data=data,
            host=host,
            command_port=command_port,
            query_port=query_port,
            workers=workers,
            redis_url=redis_url,
            database_url=database_url,
        )
        from cli.up import run_up

        raise typer.Exit(run_up(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def api() -> None:
    """Serve the command API: it takes commands and puts them on the log."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from api.main import run
        from cli.exposure import require_guard

        require_guard(settings)
        raise typer.Exit(run(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def query() -> None:
    """Serve the query API: items, their history, and what became of commands."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.exposure import require_guard
        from readmodel.main import run

        require_guard(settings)
        raise typer.Exit(run(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def worker() -> None:
    """Apply commands from the log to the ledger."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from worker.main import run

        raise typer.Exit(run(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def cron() -> None:
    """Do what is due at a time of day or every so often; one process is enough."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from worker.cron import run

        raise typer.Exit(run(settings))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this release; `up` does it by itself."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.migrate import migrate_database

        typer.echo(f"The schema is at revision {migrate_database(settings.sql_url)}.")


app.command("import")(import_)
app.command()(export)


@app.command()
def status(
    query_url: options.QueryUrl = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status document as it is.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")
    ] = False,
) -> None:
    """Show how far a running service has taken its log: per partition, and in total.

    Where the service asks for a token, ITEMLEDGER_TOKEN has it.

    Exit code 0: all is well. 1: something is shown in red. 2: wrong usage.
    3: the query API could not be reached.
    """
    with refusing():
        from cli.read_settings import read_settings
        from cli.whereabouts import located

        settings = located(read_settings(query_url=query_url))
        from cli.reach import Service
        from cli.status import show_status
        from cli.status_watch import watch_status

        service = Service("query", settings.public_query_url, token=settings.token)
        if watch:
            watch_status(service, as_json=as_json)
        else:
            raise typer.Exit(show_status(service, as_json=as_json))


@app.command()
def doctor(
    data: options.Data = None,
    redis_url: options.RedisUrl = None,
    database_url: options.DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the deployment that the settings describe, and say how to mend what is not right.

    One line a check: `ok`, `warn` (most likely not meant) or `bad` (a promise is broken, or will be
    soon). It changes nothing, and may run while the service does or does not.

    Exit code 0: nothing is bad. 1: something is. 2: wrong usage, or a setting that can not be read.
    """
    with refusing():
        from cli.read_settings import judged_settings
        from cli.whereabouts import located

        settings = located(
            judged_settings(data=data, redis_url=redis_url, database_url=database_url)
        )
        from cli.doctor.run import run_doctor

        raise typer.Exit(run_doctor(settings, as_json=as_json))


@app.command()
def verify(
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PARTITION:OFFSET:HASH",
            help="Hash that an event must have, as an earlier `verify` printed it. Repeatable.",
        ),
    ] = None,
) -> None:
    """Make everything again from the events, and compare: chain, heads, views, outcomes.

    It only reads, at one moment of the database, and may run while the
    service does. Of each check it tells the first difference per partition.

    It prints the last hash of each partition. Note them elsewhere, and give
    them to a later `verify` as --expect: whoever owns the database can make
    a whole new chain, and only a hash noted outside tells the difference.

    Exit code 0: no difference. 1: differences, or a view that was not compared. 2: wrong usage.
    3: the database cannot be used. 130: interrupted.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.verify import run_verify
        from runtime.times import now_ms

        raise typer.Exit(run_verify(settings.sql_url, expect or (), now_ms()))


def _views(begun: str) -> list[str]:
    from readmodel.views.names import view_names

    return [each for each in view_names() if each.startswith(begun)]


@app.command()
def rebuild(
    view: Annotated[
        str,
        typer.Argument(
            metavar="VIEW", help="Name of the view, such as items.", autocompletion=_views
        ),
    ],
    throttle: Annotated[
        int | None, typer.Option(min=1, help="Events a second at most. Default: no limit.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, also where a build can go on.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="End the build; it can go on from there later.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to what was live before.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Let what was built be live although it is not equal."),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch/--no-watch", help="Stay until it is done, and show how far.")
    ] = True,
) -> None:
    """Make a view anew from the ledger, beside the one that is read; nothing stops meanwhile.

    It takes all events into tables of its own, follows the ledger, is compared
    with what is live by counts and hashes, and takes its place from one moment
    to the next. What was live is kept: --rollback goes back to it.

    Exit code 0: it is live. 1: it is not equal, was cancelled or has failed.
    2: wrong usage. 3: the database cannot be used.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.rebuild import run_rebuild, wish_of
        from runtime.telemetry import configure_logging

        # Standard output is for what the command says; of what a builder says, only troubles.
        configure_logging(settings.model_copy(update={"log_level": "warning"}), "rebuild")
        wanted = wish_of(restart=restart, cancel=cancel, rollback=rollback, accept=accept)
        raise typer.Exit(run_rebuild(settings, view, wanted, throttle, watch=watch))


@app.command("openapi")
def openapi_(
    service: Annotated[
        Literal["command", "query"] | None,
        typer.Argument(
            metavar="[command|query]", help="Print the document of this one. Default: write both."
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for both documents, made if need be."),
    ] = Path(),
) -> None:
    """Write the OpenAPI documents of both services, as they answer them at `/openapi.json`.

    `itemledger openapi` makes `openapi-command.json` and `openapi-query.json`,
    `itemledger openapi query` prints one on standard output. Nothing has to
    run: the settings say at which URLs the services are to be reached.

    Exit code 0: written. 1: not all could be written. 2: wrong usage, such as
    a folder that can not be made.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.openapi import print_document, write_documents

        if service is None:
            for path in write_documents(settings, output):
                typer.echo(path)
        else:
            print_document(settings, service)


app.add_typer(dead_app, name="dead")
app.add_typer(token_app, name="token")


@app.command()
def alive(
    max_age: Annotated[
        float, typer.Option(min=0, help="Seconds that the last sign of life may be old.")
    ] = 10.0,
) -> None:
    """Tell whether the worker or cron that touches ITEMLEDGER_HEARTBEAT is alive.

    For health checks. Exit code 0: it is. 1: no sign of life for longer than that.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.alive import check_alive

        typer.echo(check_alive(settings, max_age, time.time()))


@app.command()
def version() -> None:
    """Print the release."""
    from importlib.metadata import version as installed_version

    typer.echo(f"itemledger {installed_version('itemledger')}")


def main() -> None:
    """Run the command of the command line."""
    try:
        app(prog_name="itemledger")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

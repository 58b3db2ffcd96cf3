"""The console command: one function per word that follows `itemledger`."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from cli.refusals import interrupted, read_settings, refusing

# A process loads only its own room: the imports stand in the commands.
# ruff: noqa: PLC0415

app = typer.Typer(
    name="itemledger",
    help="A catalogue of items as an event-driven service: commands in, items out.\n\n"
    "`itemledger up` starts everything. Every setting can also be given in the environment "
    "(ITEMLEDGER_DATA, ITEMLEDGER_COMMAND_PORT, …) or in a file `.env`; `.env.example` lists them.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback must not show local variables: URLs hold passwords.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ONE_PROCESS = "One process"


@app.command()
def up(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the embedded engines, made if need be. Default: ./data.",
            envvar="ITEMLEDGER_DATA",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address both services listen on. Default: 127.0.0.1.", envvar="ITEMLEDGER_HOST"
        ),
    ] = None,
    command_port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Port of the command API. Default: 8000.",
            envvar="ITEMLEDGER_COMMAND_PORT",
        ),
    ] = None,
    query_port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Port of the query API. Default: 8001.",
            envvar="ITEMLEDGER_QUERY_PORT",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Worker processes; on SQLite exactly 1. Default: 1.",
            envvar="ITEMLEDGER_WORKERS",
        ),
    ] = None,
    redis_url: Annotated[
        str | None,
        typer.Option(
            help="Redis or Valkey to use instead of the embedded one, such as "
            "redis://localhost:6379/0.",
            envvar="ITEMLEDGER_REDIS_URL",
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="Database to use instead of SQLite, such as "
            "postgresql+psycopg://user:password@localhost/items.",
            envvar="ITEMLEDGER_DATABASE_URL",
        ),
    ] = None,
) -> None:
    """Start everything in this terminal: both services, workers, cron, and embedded engines.

    Prints the URLs of both services when they are ready. Ctrl-C stops everything in order.

    Nothing that was accepted is lost: the next start finds it in the data folder.
    """
    with refusing():
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
        settings = read_settings()
        from api.main import run

        raise typer.Exit(run(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def query() -> None:
    """Serve the query API: items, their history, and what became of commands."""
    with refusing():
        settings = read_settings()
        from readmodel.main import run

        raise typer.Exit(run(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def worker() -> None:
    """Apply commands from the log to the ledger."""
    with refusing():
        settings = read_settings()
        from worker.main import run

        raise typer.Exit(run(settings))


@app.command(rich_help_panel=_ONE_PROCESS)
def cron() -> None:
    """Do what is due at a time of day or every so often; one process is enough."""
    with refusing():
        settings = read_settings()
        from worker.cron import run

        raise typer.Exit(run(settings))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this release; `up` does it by itself."""
    with refusing():
        settings = read_settings()
        from cli.migrate import migrate_database

        typer.echo(f"The schema is at revision {migrate_database(settings.sql_url)}.")


@app.command()
def version() -> None:
    """Print the release."""
    typer.echo(f"itemledger {installed_version('itemledger')}")


def main() -> None:
    """Run the command of the command line."""
    try:
        app(prog_name="itemledger")
    except KeyboardInterrupt:
        interrupted()

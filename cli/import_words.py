"""The word `import` of the command line."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import options
from cli.refusals import refusing

# A process loads only its own room: the imports stand in the commands.
# ruff: noqa: PLC0415


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="NDJSON (a JSON object a line) or CSV with a header; may be gzipped.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; tell what would become of each row.")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            "--map",
            help="Which column is which member, such as "
            "id:StockCode,name:Description,price:UnitPrice*100 (exact decimals). "
            "Default: by their names.",
        ),
    ] = None,
    charset: Annotated[
        str | None,
        typer.Option(help="Character set of FILE, such as windows-1252. Default: UTF-8."),
    ] = None,
    on_error: Annotated[
        Literal["skip", "stop"],
        typer.Option(help="After a rejected row: go on, or skip all others."),
    ] = "skip",
    reason: Annotated[
        str | None, typer.Option(help="Why; kept in the events of rows without a reason.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Key of an import to take up again: rows that were taken under it are not taken "
            "again. Default: a new one.",
        ),
    ] = None,
    command_url: Annotated[
        str | None,
        typer.Option(
            help="URL of the command API. Default: http://127.0.0.1:8000.",
            envvar="ITEMLEDGER_COMMAND_URL",
            show_envvar=True,
        ),
    ] = None,
    query_url: options.QueryUrl = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="File for the rejected rows as they stand in FILE, made only if there are any; "
            "beside it one with `.reasons` in its name. Default: for prices.csv "
            "prices.rejects.csv, here.",
        ),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(min=0, help="Seconds without any progress after which it gives up."),
    ] = 120.0,
) -> None:
    """Import the rows of FILE into a running service; end when every row is final.

    A row is a command as in `POST /items/batch`: `id`, `name`, `price` and so
    on, with `op` create, put (the default), patch or delete. The rows of one
    item are applied in the order of the file.

    While the service is away the import waits, and sends the file again under
    its key: nothing is applied twice. Interrupted, it prints the command that
    goes on with it.

    Rejected rows are written to a file as they stand in FILE, to be mended and
    imported; one beside it says what is wrong with each.

    Where the service asks for a token, ITEMLEDGER_TOKEN has it.

    Exit code 0: all rows were accepted. 1: some were rejected, skipped or set
    aside, or the import was cancelled. 2: wrong usage, or FILE as a whole is
    refused. 3: the service cannot be reached. 130: interrupted.
    """
    with refusing():
        from cli.read_settings import read_settings
        from cli.whereabouts import located

        settings = located(read_settings(command_url=command_url, query_url=query_url))
        from cli.import_file import Wishes, plan_import, run_import
        from cli.reach import Service

        command, query = (
            Service(
                kind,
                url,
                given is not None and given != os.environ.get(f"ITEMLEDGER_{kind.upper()}_URL"),
                settings.token,
            )
            for kind, url, given in (
                ("command", settings.public_command_url, command_url),
                ("query", settings.public_query_url, query_url),
            )
        )
        wishes = Wishes(
            file,
            key,
            rejects,
            patience,
            columns,
            on_error,
            reason,
            dry_run,
            charset,
            settings.default_currency,
        )
        raise typer.Exit(run_import(plan_import(wishes, command, query)))

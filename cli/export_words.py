"""The word `export` of the command line."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import options
from cli.refusals import refusing

# A process loads only its own room: the imports stand in the commands.
# ruff: noqa: PLC0415


def export(
    form: Annotated[
        Literal["ndjson", "csv"],
        typer.Option("--format", help="A JSON object a line, or CSV with a header."),
    ] = "ndjson",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. Default: standard output."),
    ] = None,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Deleted items too.")
    ] = False,
    query_url: options.QueryUrl = None,
) -> None:
    """Write all items of a running service, as they stand at one moment.

    In the end it names, on standard error, the URL of the feed that goes on
    right after that moment: an export and what follows it is everything,
    without a hole and without an overlap.

    Where the service asks for a token, ITEMLEDGER_TOKEN has it.

    A file is there only when it is whole; until then it has another name.

    Exit code 0: all items were written. 1: not all could be written (disk
    full, standard output closed). 2: wrong usage, such as a file where none
    can be made. 3: the service cannot be reached, or broke off.
    130: interrupted.
    """
    with refusing():
        from cli.read_settings import read_settings
        from cli.whereabouts import located

        settings = located(read_settings(query_url=query_url))
        from cli.export import Wishes, run_export
        from cli.reach import Service

        service = Service("query", settings.public_query_url, token=settings.token)
        raise typer.Exit(run_export(service, Wishes(form, output, include_deleted)))

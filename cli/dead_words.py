"""`itemledger dead …`: the words of the command line."""

from typing import Annotated

import typer

from cli.group import Group
from cli.refusals import refusing

# As in `cli.main`: what a command needs is imported in it.
# ruff: noqa: PLC0415

dead_app = typer.Typer(
    cls=Group,
    help="Commands that met a defect: they are set aside with those that follow on the same item, "
    "and everything else goes on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of dead commands.")]
_All = Annotated[bool, typer.Option("--all", help="Every dead command.")]
_Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait, in total, for a worker.")]


@dead_app.command("list")
def dead_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the dead commands, the oldest first."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.dead import list_dead

        list_dead(settings, as_json=as_json)


@dead_app.command("show")
def dead_show(
    command_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the command.")],
) -> None:
    """Show one with its payload and the traceback of its defect."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.dead import show_dead

        show_dead(settings, command_id)


@dead_app.command("replay")
def dead_replay(ids: _Ids = None, everything: _All = False, wait: _Wait = 30.0) -> None:
    """Try dead commands again, and after each the ones parked behind it, in order.

    A worker does it, before newer arrivals. Exit code 0: all went through. 1: some are dead again,
    or no worker came to it in time.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.dead import order

        raise typer.Exit(
            order(settings, "replay", ids or (), everything=everything, sure=True, wait=wait)
        )


@dead_app.command("discard")
def dead_discard(
    ids: _Ids = None,
    everything: _All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: _Wait = 30.0,
) -> None:
    """Give dead commands up for good; what is parked behind them goes on."""
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.dead import order

        raise typer.Exit(
            order(settings, "discard", ids or (), everything=everything, sure=yes, wait=wait)
        )

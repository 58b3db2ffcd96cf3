"""`itemledger token …`: the words of the command line."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from cli.group import Command, Group
from cli.refusals import refusing

# As in `cli.main`: what a command needs is imported in it.
# ruff: noqa: PLC0415

token_app = typer.Typer(
    cls=Group,
    help="Tokens of this deployment: who may ask for what, and as whom.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class ScopeWord(StrEnum):
    """The scopes, as options take them."""

    READ = "items:read"
    WRITE = "items:write"
    OPS = "ops"


@token_app.command("create", cls=Command)
def create(
    subject: Annotated[
        str, typer.Option(help="Whose it is: the actor of every event that follows.")
    ],
    scope: Annotated[
        list[ScopeWord], typer.Option(help="What it allows. Repeatable.", show_choices=True)
    ],
    ttl: Annotated[
        str, typer.Option(help="How long: a number and s, m, h or d, at most 366d.")
    ] = "30d",
) -> None:
    """Print a new token, signed with ITEMLEDGER_TOKEN_SECRET.

    It is shown this once. Its id, which `token revoke` takes, is told on standard error.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.tokens import create_token

        create_token(settings, subject, [each.value for each in scope], ttl, int(time.time()))


@token_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the revoked tokens that may not have expired yet, the newest revocation first.

    Tokens that were made are not kept anywhere.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.tokens import list_revoked

        list_revoked(settings, as_json=as_json)


@token_app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID|TOKEN", help="A token, or its id (jti).")],
) -> None:
    """Have a token refused by both services, within a second and until it expires.

    Exit code 0: it is revoked. 3: the database can not be written, so it is not.
    """
    with refusing():
        from cli.read_settings import read_settings

        settings = read_settings()
        from cli.tokens import revoke_token

        revoke_token(settings, token, int(time.time()))

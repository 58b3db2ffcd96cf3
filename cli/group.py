"""The console's own manners where its library's are for programmers: words that can not be taken,
and the list of commands.
"""

from typing import Any

import typer
from typer.core import TyperGroup

# As long as a first sentence may be.
_WHOLE = 1000


class Group(TyperGroup):
    """A word that commands follow."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that follows. Raises BadParameter, in words for people, where a value is
        none that it takes.
        """
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            # Only who gave such a word waits for what finds the words for it.
            from pydantic import ValidationError  # noqa: PLC0415

            from cli.plainly import plainly  # noqa: PLC0415

            if isinstance(error.__cause__, ValidationError):
                error.message = plainly(error.__cause__.errors(include_url=False)[0])
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands, each with its first sentence, which is wrapped and not cut."""
        found = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        rows = [
            (each.name, each.get_short_help_str(_WHOLE))
            for each in found
            if each is not None and not each.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

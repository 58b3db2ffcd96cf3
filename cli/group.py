"""The console's own manners where its library's are for programmers: words that can not be taken,
and the list of commands.
"""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

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


class Command(TyperCommand):
    """A word that is done, and tells at once all that it lacks, not the first of it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take options and arguments. Raises BadParameter where some are missing."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            _name_all_missing(error, self._missing(ctx, given))
            raise

    def _missing(self, ctx: Any, given: list[str]) -> list[str]:
        found, _, _ = self.make_parser(ctx).parse_args(args=given)
        options: list[Any] = [each for each in self.params if each.param_type_name == "option"]
        return [
            _hint(each, ctx) for each in options if each.required and found.get(each.name) is None
        ]


def _hint(option: Any, ctx: Any) -> str:
    choices = (option.get_missing_message(ctx) or "").removeprefix("Choose from:").split()
    return f"'{option.opts[0]}'" + (f" ({' '.join(choices)})" if choices else "")


def _name_all_missing(error: Any, missing: Sequence[str]) -> None:
    """Have the error of the first option that is missing name all of them."""
    if hasattr(error, "param_type") and len(missing) > 1:
        error.param_type, error.param_hint = "options", " and ".join(missing)

"""`itemledger doctor`: look at everything, and tell it line by line."""

from collections import Counter
from collections.abc import Generator, Sequence
from typing import assert_never

import orjson
import typer
from rich.console import Console
from rich.text import Text

from cli.doctor import of_database, of_log, of_machine, of_services, of_settings, of_work
from cli.doctor.finding import Doubt, Fault, Finding, Fine, Told, verdict
from cli.lines import broken
from cli.refusals import FAILED
from runtime.settings import Settings

# Columns of a verdict and of what was looked at, and of a terminal that has room beside them.
_WORD, _CHECK, _WIDE = 5, 21, 80
_STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def run_doctor(settings: Settings, *, as_json: bool, console: Console | None = None) -> int:
    """Tell what every check finds, and return the exit code: doubts do not change it."""
    screen = console or Console(highlight=False, markup=False)
    found: list[Told] = []
    for told in examine(settings):
        found.append(told)
        if not as_json:
            # As it is found: a server that does not answer takes its time.
            tell_finding(screen, told)
    counts = Counter(verdict(each.finding) for each in found)
    if as_json:
        typer.echo(orjson.dumps(_document(found, counts), option=orjson.OPT_INDENT_2))
    else:
        screen.print(_summary(counts), soft_wrap=True)
    return FAILED if counts["bad"] else 0


def examine(settings: Settings) -> Generator[Told]:
    """Look at everything there is; what can not be asked since something else is away, is not."""
    yield from of_settings.look(settings)
    yield from of_machine.look(settings)
    log = yield from of_log.look(settings)
    stored = None if log is None else log.partitions
    database = yield from of_database.look(settings, stored)
    if log is not None and database is not None and database.revision is not None:
        partitions = database.partitions or stored or settings.partitions
        yield from of_work.look(settings, partitions or settings.default_partitions)
    yield from of_services.look(settings)


def tell_finding(screen: Console, told: Told) -> None:
    """Print a line per check; on a terminal what mends it stands below."""
    word = verdict(told.finding)
    seen, mend = _parts(told.finding)
    line = f"{word:<{_WORD}}{told.check:<{_CHECK}} {seen}"
    if not screen.is_terminal:
        screen.print(line if mend is None else f"{line}; mend: {mend}", soft_wrap=True)
        return
    # Below what was seen, where there is room for it.
    hang = _WORD + _CHECK + 1 if screen.width >= _WIDE else _WORD
    text = Text(broken(line, screen.width, hang))
    text.stylize(_STYLES[word], 0, _WORD)
    screen.print(text, soft_wrap=True)
    if mend is not None:
        text = Text(broken(f"{'':<{_WORD}}mend: {mend}", screen.width, _WORD + len("mend: ")))
        text.stylize("bold", _WORD, _WORD + len("mend:"))
        screen.print(text, soft_wrap=True)


def _parts(finding: Finding) -> tuple[str, str | None]:
    match finding:
        case Fine(seen):
            return seen, None
        case Doubt(seen, mend) | Fault(seen, mend):
            return seen, mend
        case _:
            assert_never(finding)


def _summary(counts: Counter[str]) -> str:
    total = sum(counts.values())
    if counts["ok"] == total:
        return f"{total} checks, no finding."
    return f"{total} checks: {counts['ok']} ok, {counts['warn']} warn, {counts['bad']} bad."


def _document(found: Sequence[Told], counts: Counter[str]) -> dict[str, object]:
    lines: list[dict[str, str | None]] = []
    for each in found:
        seen, mend = _parts(each.finding)
        told = {"check": each.check, "verdict": verdict(each.finding), "seen": seen, "mend": mend}
        lines.append(told)
    return {"checks": lines, **{word: counts[word] for word in _STYLES}}

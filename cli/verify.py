"""`itemledger verify`: make everything again from the events, and tell what is different."""

import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from cli.database_refusals import reading_refusal
from cli.lines import tell
from cli.progress import progress
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal
from ledger.schema import DatabaseUnusable, SchemaOutOfDate
from ledger.verify.advance import Advance
from ledger.verify.difference import Difference, Noted, Verified
from ledger.verify.run import verify_database
from readmodel.verify import live_views

_NOTED = re.compile(r"([0-9]{1,9}):([0-9]{1,18}):([0-9a-fA-F]{64})")
_LONGEST = 80
# Of a long value, what stands before the first character that differs.
_BEFORE = 20


def run_verify(url: str, expect: Iterable[str], now: int) -> int:
    """Verify the database and return the exit code.

    Raises Refusal where the database is not to be had or what is expected can not be read.
    """
    noted = [_noted(each) for each in expect]
    try:
        with _progress() as advance:
            report = verify_database(url, live_views, noted, now, advance)
    except KeyboardInterrupt:
        tell("\nInterrupted: not all was compared. It only reads; verify again.", err=True)
        return INTERRUPTED
    except SchemaOutOfDate as error:
        raise Refusal(str(error), UNREACHABLE) from None
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        raise reading_refusal(url, error) from None
    for each in report.partitions:
        tell(_line(each), hang=2)
    for each in report.differences:
        tell(_told(each), hang=2)
    total = sum(each.offset for each in report.partitions)
    left_out = _views(len(report.not_compared))
    if report.differences:
        found = (
            f"Differences: {len(report.differences):,}; what follows the first is not looked for."
        )
        tell(f"{found} {left_out} not compared." if report.not_compared else found)
        return FAILED
    if report.not_compared:
        tell(f"{_events(total)} verified; {left_out} not compared.")
        return FAILED
    tell(f"{_events(total)} verified, no difference.")
    return 0


def _noted(text: str) -> Noted:
    match = _NOTED.fullmatch(text)
    if match is None:
        raise Refusal(
            f"--expect takes PARTITION:OFFSET:HASH as `itemledger verify` prints it, not {text!r}",
            WRONG_USAGE,
        )
    partition, offset, hash_ = match.groups()
    return Noted(int(partition), int(offset), hash_.lower())


@contextmanager
def _progress() -> Generator[Advance]:
    """Show a bar on a terminal, and nothing elsewhere."""
    with progress("{task.fields[what]}", transient=True) as bar:
        task = bar.add_task("", total=None, what="")

        def advance(what: str, done: int, total: int) -> None:
            if bar.tasks[0].fields["what"] != what:
                # How fast it went with what was before says nothing of this.
                bar.reset(task, total=total, what=what)
            bar.update(task, completed=done, total=total)

        yield advance


def _line(verified: Verified) -> str:
    """Say what a partition came to; what follows `--expect` is what a later look can compare."""
    line = f"Partition {verified.partition}: {_events(verified.offset)}"
    if verified.differences:
        first = verified.differences[0]
        stopped = first.what.startswith("events.")
        line += f", not right at offset {first.offset}" if stopped else ", differences"
    if verified.offset:
        line += f"; --expect {verified.partition}:{verified.offset}:{verified.hash}"
    for each in verified.behind:
        line += f"; the view {each.view} is behind the ledger and was not compared: {each.why}"
    return line


def _views(count: int) -> str:
    return "1 view" if count == 1 else f"{count} views"


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"


def _told(difference: Difference) -> str:
    place = [
        f"{name} {value}"
        for name, value in (
            ("partition", difference.partition),
            ("offset", difference.offset),
            ("item", difference.item_id),
        )
        if value is not None
    ]
    expected, found = _cut([_shown(difference.expected), _shown(difference.found)])
    where = ", ".join([*place, difference.what])
    return f"Difference: {where}: expected {expected}, found {found}"


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(value) if isinstance(value, str) else repr(value)


def _cut(values: Sequence[str]) -> list[str]:
    """Cut long values to where they begin to differ."""
    if all(len(each) <= _LONGEST for each in values):
        return list(values)
    alike = next(
        (at for at, (one, other) in enumerate(zip(*values, strict=False)) if one != other),
        min(map(len, values)),
    )
    begin = max(0, alike - _BEFORE)
    return [
        ("…" if begin else "")
        + each[begin : begin + _LONGEST]
        + ("…" if len(each) > begin + _LONGEST else "")
        for each in values
    ]

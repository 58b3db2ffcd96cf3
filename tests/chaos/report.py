"""The run, told: what was done, what was found, how fast it healed."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.faults.all import KINDS
from tests.chaos.history import read
from tests.chaos.run import Result

_SHOWN = 200


def summary(result: Result) -> str:
    """Say in a few lines what came of it."""
    lines = [
        (
            f"seed {result.options.seed}: "
            f"{result.figures.get('commands acknowledged', 0):,.0f} acknowledged commands, "
            f"{sum(result.happened.values())} faults of {len(result.happened)} kinds, "
            f"{len(result.violations)} violations"
        ),
        f"from heal to all visible: {_spread(_heals(result))}",
        f"after the kill of one worker and nothing else: {_spread(result.lone_kills)}",
        *(f"VIOLATION {each}" for each in result.violations),
    ]
    return "\n".join(lines)


def write(result: Result) -> Path:
    """Write the report into the run's folder, and say where it is."""
    from tests.chaos.plot import plot  # noqa: PLC0415

    folder = result.options.folder
    plot(folder / "history.jsonl", folder / "timeline.png", _title(result))
    file = folder / "report.md"
    file.write_text("\n".join(_document(result)) + "\n")
    return file


def _title(result: Result) -> str:
    options = result.options
    verdict = f"{len(result.violations)} violations" if result.violations else "no violation"
    return f"{options.database}, seed {options.seed}, {options.seconds:g} s: {verdict}"


def _document(result: Result) -> Iterable[str]:
    yield f"# Chaos: {_title(result)}"
    yield ""
    yield summary(result).replace("\n", "\n\n")
    yield ""
    yield "![timeline](timeline.png)"
    yield from _table("Of what it was made", ("", ""), result.facts.items())
    options = result.options
    told = {name: getattr(options, name) for name in options.__slots__ if name != "folder"}
    yield from _table("Options", ("option", "value"), told.items())
    yield from _table("Figures", ("", ""), ((n, f"{v:,.6g}") for n, v in result.figures.items()))
    commands = _commands_by_second(result)
    yield from _table("Commands per second", ("", ""), commands)
    kinds = sorted(set(result.happened) | set(result.missed))
    rows = [(each, result.happened.get(each, 0), result.missed.get(each, 0)) for each in kinds]
    yield from _table("Faults", ("kind", "happened", "could not happen"), rows)
    never = sorted(set(KINDS) - set(result.happened))
    yield ""
    yield f"Kinds that did not happen in this run: {', '.join(never) or 'none'}."
    yield from _table(
        "Heals",
        ("second", "all visible after s", "all processes there after s"),
        (
            (f"{heal.at - result.heals[0].at:.0f}", _seconds(heal.visible), _seconds(heal.complete))
            for heal in result.heals
        ),
    )
    yield from _table("Violations", ("what", "how"), (
        (each.invariant, each.what.replace("\n", " ").replace("|", "¦")[:500])
        for each in result.violations[:_SHOWN]
    ))  # fmt: skip


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterable[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    count = 0
    for row in rows:
        count += 1
        yield f"| {' | '.join(map(str, row))} |"
    if count == 0:
        yield f"| none |{' |' * (len(head) - 1)}"


def _heals(result: Result) -> list[float]:
    return [heal.visible for heal in result.heals if heal.visible is not None]


def _spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    if not ordered:
        return "not measured"
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]
    return f"median {at[0]:.2f} s, p99 {at[1]:.2f} s, max {ordered[-1]:.2f} s of {len(ordered)}"


def _seconds(value: float | None) -> str:
    return "not within the limit" if value is None else f"{value:.2f}"


def _commands_by_second(result: Result) -> list[tuple[str, str]]:
    """Count what was acknowledged in each second: for how many of them was nobody served?"""
    counts: Counter[int] = Counter()
    for line in read(result.options.folder / "history.jsonl"):
        if line["type"] == "ok" and line.get("f") == "write":
            counts[int(line["t"])] += len(line["rows"])
    if not counts:
        return []
    seconds = range(min(counts), max(counts) + 1)
    ordered = sorted(counts[each] for each in seconds)
    return [
        ("mean", f"{sum(ordered) / len(ordered):.0f}"),
        ("median", str(ordered[len(ordered) // 2])),
        ("seconds with none acknowledged", str(ordered.count(0) + 0)),
        ("seconds", str(len(ordered))),
    ]

"""What other pages say of speed and memory is what was measured."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.measure import ratios
from bench.results import Results

ROOT = Path(__file__).parents[2]
RESULTS = Results.read(ROOT / "docs" / "benchmarks" / "results.json")


def rate(goal: str, side: str) -> float:
    return median(each.rate for each in RESULTS.runs[goal].found.sides[side])


def value(goal: str, bound: str) -> float:
    return median(RESULTS.runs[goal].found.values[bound])


def times(goal: str, over: str, under: str) -> float:
    sides = RESULTS.runs[goal].found.sides
    return median(ratios(sides[over], sides[under]))


def about(figure: float) -> str:
    """Write two digits of it."""
    return f"{float(f'{figure:.2g}'):,.10g}"


def between(goal: str, sides: Sequence[str]) -> str:
    rates = sorted(rate(goal, each) for each in sides)
    return f"{about(rates[0])} to {about(rates[-1])}"


def told() -> Mapping[str, Sequence[str]]:
    """Write what each page has to say."""
    plain = ("plain Flask CRUD", "plain FastAPI CRUD")
    memory = f"{value('G11', 'memory of all processes'):.0f}"
    hello = "of Flask's hello world on granian"
    warmly, cold = about(value("G1", hello)), about(value("G2", f"SQLite: {hello}"))
    stored, warm = about(rate("G2", "SQLite")), about(rate("G1", "item by id, warm"))
    creates = about(value("G5", "of the faster plain create on SQLite"))
    saved = rate("G7", "apply, SQLite") / rate("G7", "eventsourcing library, SQLite")
    return {
        "README.md": [
            f"{warmly} times the rate of Flask's hello world from memory",
            f"{cold} times from SQLite",
        ],
        "docs/capacity.md": [f"together {memory} MB (G11)"],
        "docs/comparison.md": [
            f"{memory} MB in all once",
            f"seven, {memory} MB in all (G11)",
            f"{between('G5', plain)} (G5) | {creates} times as many (G5)",
            f"{between('G1', plain)} (G1) | {stored} from the store (G2), {warm} from memory (G1)",
            f"{about(times('G7', 'apply, SQLite', 'RQ, SimpleWorker'))} times as fast as a job",
            f"{about(times('G7', 'apply, SQLite', 'RQ, forking Worker'))} times as fast as with",
            f"{about(1 / value('G8', 'of COPY of the event rows'))} times as fast as what",
            f"{about(saved)} times as fast as saving",
        ],
    }


def test_pages_tell_what_was_measured() -> None:
    for page, lines in told().items():
        text = " ".join((ROOT / page).read_text("utf-8").split())
        missing = [each for each in lines if not re.search(rf"(?<![\d.,]){re.escape(each)}", text)]
        assert missing == [], page

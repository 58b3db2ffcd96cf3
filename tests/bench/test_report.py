import re
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import report
from bench.goals import GOALS, Bound
from bench.measure import Found, Sample, interleave, ratios, spread
from bench.results import Results


def made_up(values: list[float]) -> Results:
    results = Results({"processor": "a fast one", "commit": "c0ffee"})
    sides = {"ours": [Sample(71_234.0, 0.5, 1.25, 14.0, 0.97)], "theirs": [Sample(9.5, errors=3)]}
    for name, goal in GOALS.items():
        results.take(name, Found(dict(sides), dict.fromkeys(goal.bounds, values)), "c0ffee", 1.0)
    return results


def test_every_goal_can_be_measured() -> None:
    assert set(bench.RUNS) == set(GOALS)


def test_a_page_is_made_of_a_file_of_results(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    made_up([1e6, 2e6, 3e6]).write(file)
    page = report.write(Results.read(file), tmp_path / "docs").read_text("utf-8")
    assert "| processor | a fast one |" in page
    assert "71,234 | 0.5 | 1.25 | 14 | 97% (the limit)" in page
    assert "theirs: 3 answers were errors" in page
    for name, goal in GOALS.items():
        assert f"## {name} {goal.title}" in page
        for what in goal.bounds:
            assert f"| {name} {goal.title} | {what} |" in page
    charts = set(re.findall(r"\(benchmarks/([a-z0-9]+\.svg)\)", page))
    assert charts == {each.name for each in (tmp_path / "docs" / "benchmarks").iterdir()}


def test_a_goal_that_was_not_measured_is_told_as_not_met() -> None:
    page = report.text(Results())
    told = re.findall(r"^\| (G\d+) .*\| not measured \| no \|$", page, re.MULTILINE)
    assert set(told) == set(GOALS)


@pytest.mark.parametrize(
    ("values", "bound", "verdict"),
    [
        ([3.0, 3.5, 9.0], Bound(3), "**met**"),
        ([2.9, 9.0, 9.0], Bound(3), "**not met**"),
        ([0.2, 0.5], Bound(0.5, most=True), "**met**"),
        ([0.2, 0.2, 0.6], Bound(0.5, most=True), "**not met**"),
    ],
)
def test_a_goal_is_met_if_the_worse_end_meets_it(
    values: list[float], bound: Bound, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, name = made_up(values), "G3"
    goal = GOALS[name]
    (what,) = goal.bounds
    monkeypatch.setitem(goal.bounds, what, bound)
    (row,) = [line for line in report.text(results).splitlines() if line.startswith("| G3 ")]
    assert row.split(" | ")[-1] == f"{verdict} |"


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    results = made_up([1.0, 2.0])
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results


def test_what_is_not_about_the_bounds_of_a_goal_is_refused() -> None:
    with pytest.raises(ValueError, match="something else"):
        Results().take("G1", Found({}, {"something else": [1.0]}), "c0ffee", 1.0)


def test_sides_are_taken_in_turn_and_divided_turn_by_turn() -> None:
    turns: list[str] = []

    def side(name: str, rates: list[float]) -> Sample:
        turns.append(name)
        return Sample(rates.pop(0))

    a, b = [6.0, 9.0], [2.0, 1.0]
    samples = interleave(2, {"a": lambda: side("a", a), "b": lambda: side("b", b)})
    assert turns == ["a", "b", "a", "b"]
    assert ratios(samples["a"], samples["b"]) == [3.0, 9.0]


def test_an_interval_holds_the_median_and_not_the_outermost_of_many() -> None:
    found = spread([1.0, *[5.0] * 20, 90.0])
    assert (found.low, found.median, found.high) == (5.0, 5.0, 5.0)


def test_the_page_in_the_tree_is_made_of_the_results_in_the_tree() -> None:
    docs = Path(__file__).parents[2] / "docs"
    results = Results.read(docs / "benchmarks" / "results.json")
    written = (docs / "benchmarks.md").read_text("utf-8")
    assert written == report.text(results), "run: python -m bench --report"

"""Dashboard and alerts speak only of what the services tell, and every alert says what to do."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from api import metrics as of_api
from readmodel import metric_names as of_query
from runtime.metrics import Metric

ROOT = Path(__file__).parents[1]
GRAFANA = ROOT / "deploy" / "grafana"
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((GRAFANA / "dashboards" / "itemledger.json").read_text())
PANELS = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
# What Prometheus adds to every series.
ADDED = {"job", "instance"}


def labels_of_series() -> dict[str, set[str]]:
    """Tell which labels the series have, by the names under which they are scraped."""
    known: dict[str, set[str]] = {"up": ADDED}
    for metric in (*of_api.METRICS, *of_query.METRICS):
        for name, more in series(metric):
            known.setdefault(name, set(ADDED)).update(metric.labels, more)
    return known


def series(metric: Metric) -> Iterable[tuple[str, set[str]]]:
    if metric.kind != "histogram":
        return [(metric.name, set())]
    rest = [(f"{metric.name}_{part}", set[str]()) for part in ("sum", "count")]
    return [(f"{metric.name}_bucket", {"le"}), *rest]


def parsed(query: str) -> Any:
    return promql.parse(query.replace("$__rate_interval", "1m"))


def parts(expression: Any) -> Iterator[Any]:
    """Go through an expression and all that it is made of."""
    yield expression
    if isinstance(expression, promql.MatrixSelector):
        yield expression.vector_selector
    for name in ("expr", "lhs", "rhs", "param"):
        inner = getattr(expression, name, None)
        if inner is not None and not isinstance(inner, str):
            yield from parts(inner)
    for inner in getattr(expression, "args", None) or ():
        yield from parts(inner)


def spoken_of(query: str) -> tuple[set[str], set[str]]:
    """Tell the metrics and the labels that a query names."""
    names: set[str] = set()
    labels = {
        each.strip()
        for listed in re.findall(r"\bby \(([^)]*)\)", query)
        for each in listed.split(",")
    }
    for part in parts(parsed(query)):
        if isinstance(part, promql.VectorSelector):
            names.add(part.name)
            labels |= {each.name for each in part.matchers.matchers}
    return names, labels


@pytest.mark.parametrize("query", sorted({*QUERIES, *(each["expr"] for each in ALERTS)}))
def test_a_query_names_only_what_is_told(query: str) -> None:
    known = labels_of_series()
    names, labels = spoken_of(query)
    assert names
    assert names <= known.keys()
    assert labels <= set().union(*(known[each] for each in names))


def test_names_are_found_wherever_they_stand_in_a_query() -> None:
    query = 'max by (le) (rate(a_bucket{x="1"}[1m])) / (b > 0) or histogram_quantile(0.9, c) - -d'
    assert spoken_of(query) == ({"a_bucket", "b", "c", "d"}, {"le", "x"})


def anchors(page: Path) -> set[str]:
    """Tell the anchors of a page as its headings make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", each.lower()) for each in headings]
    return {each.replace(" ", "-") for each in plain}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_urgent_it_is_and_where_it_is_told_what_to_do(
    alert: dict[str, Any],
) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert anchor in anchors(ROOT / page)
    for label in re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]):
        assert label in spoken_of(alert["expr"])[1] | ADDED


def test_alerts_have_names_of_their_own() -> None:
    names = [each["alert"] for each in ALERTS]
    assert len(set(names)) == len(names)
    assert all(each.startswith("Itemledger") for each in names)


def test_every_alert_is_tried_by_the_unit_tests_of_prometheus() -> None:
    tried = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.test.yml").read_text())
    firing = tried["tests"][1]["promql_expr_test"][0]["exp_samples"]
    assert firing == [{"labels": "{}", "value": len(ALERTS)}]


def test_the_dashboard_can_be_provisioned() -> None:
    provided = yaml.safe_load(
        (GRAFANA / "provisioning" / "dashboards" / "itemledger.yml").read_text()
    )
    sources = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )
    assert [each["type"] for each in provided["providers"]] == ["file"]
    beside = yaml.safe_load((ROOT / "deploy" / "compose.ops.yml").read_text())["services"]
    folder = provided["providers"][0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in beside["grafana"]["volumes"]
    assert [each["type"] for each in sources["datasources"]] == ["prometheus"]
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("itemledger", "itemledger")
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    ids = [each["id"] for each in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_panel_has_its_place_a_title_and_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["title"]
    for panel in PANELS:
        assert panel["description"]
        refs = [each["refId"] for each in panel["targets"]]
        assert len(set(refs)) == len(refs)
        assert {each["datasource"]["uid"] for each in (panel, *panel["targets"])} == {
            "${datasource}"
        }

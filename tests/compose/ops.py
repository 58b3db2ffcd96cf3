"""The profile `ops` beside the stack: Prometheus scrapes both services, rq-dashboard sees a queue.

Grafana is left out: its image is to be had from a registry alone. What its dashboard asks is asked
of Prometheus.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.journey import ROOT
from tests.waiting import until

BESIDE = ("prometheus", "rq-dashboard")
# A scrape every 15 s, and two of them for a rate.
_SCRAPED = 60.0
# Not told before somebody was given one.
_SELDOM = "itemledger_problems_total"


def write_token(secrets: Path, token: str) -> None:
    """Put Prometheus' token where the file looks for it, as docs/operating.md says."""
    file = secrets / "prometheus_token"
    file.write_text(token)
    file.chmod(0o444)


def assert_watched(prometheus: str, rq_dashboard: str) -> int:
    """Both services are scraped, no rule fires, and whatever the dashboard asks is answered; return
    how many questions that were.
    """
    until(lambda: _scraped(prometheus), _SCRAPED, "Prometheus has scraped both services twice")
    rules = [
        rule for group in _get(f"{prometheus}/api/v1/rules")["groups"] for rule in group["rules"]
    ]
    assert rules
    assert [each for each in rules if each["health"] != "ok" or each["state"] == "firing"] == []
    queries = _queries()
    for query in queries:
        found = _ask(prometheus, query)
        assert found or _SELDOM in query, f"nothing is found by {query}"

    (queue,) = _get(f"{rq_dashboard}/0/data/queues.json")["queues"]
    assert queue["name"] == "itemledger"
    (worker,) = _get(f"{rq_dashboard}/0/data/workers.json")["workers"]
    assert worker["queues"] == ["itemledger"], worker
    return len(queries)


def _scraped(prometheus: str) -> bool:
    targets = _get(f"{prometheus}/api/v1/targets")["activeTargets"]
    refused = [each["lastError"] for each in targets if each["lastError"]]
    assert not refused, refused
    jobs = {each["labels"]["job"] for each in targets if each["health"] == "up"}
    twice = _ask(prometheus, "count_over_time(up[5m]) >= 2")
    return jobs == {"itemledger-api", "itemledger-query"} and len(twice) == len(targets)


def _queries() -> Sequence[str]:
    text = (ROOT / "deploy" / "grafana" / "dashboards" / "itemledger.json").read_text()
    panels = json.loads(text)["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def _ask(prometheus: str, query: str) -> Sequence[Any]:
    asked = {"query": query.replace("$__rate_interval", "2m")}
    return _get(f"{prometheus}/api/v1/query", asked)["result"]


def _get(url: str, params: dict[str, str] | None = None) -> Any:
    answer = httpx.get(url, params=params, timeout=20, trust_env=False)
    assert answer.is_success, answer.text
    found = answer.json()
    return found.get("data", found)

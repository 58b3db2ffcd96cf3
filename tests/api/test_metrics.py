"""What the command API tells Prometheus."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from redis import Redis

from api.metrics import METRICS
from runtime.settings import Settings
from runtime.valkey import running_valkey
from tests.api.conftest import Api, Demands, Service, configured, running_api
from tests.api.importing import NDJSON, applying, lines
from tests.api.test_items import LAMP, WAIT
from tests.figures import CONTENT_TYPE, Scrape
from tests.tokens import bearer, guard
from tests.waiting import until

KEY = {"Idempotency-Key": "k1"}


def figures(api: Api | Service) -> Scrape:
    answer = api.client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    return Scrape.of(answer.text)


def commands(api: Api) -> dict[str, float]:
    return figures(api).by("itemledger_commands_received_total", "answer")


def problems(api: Api) -> dict[str, float]:
    return figures(api).by("itemledger_problems_total", "code")


def test_every_metric_is_told_by_its_name_and_kind_and_no_other(api: Api) -> None:
    told = {name: family.type for name, family in figures(api).families.items()}
    assert told == {each.name: each.kind for each in METRICS}
    assert all(name.startswith("itemledger_") for name in told)


def test_commands_are_counted_by_how_they_were_answered(api: Api) -> None:
    api.client.put("/items/a", json=LAMP, headers=KEY)
    api.client.put("/items/a", json=LAMP, headers=KEY)
    api.client.put("/items/a", json=LAMP | {"price": 1}, headers=KEY)
    rows = [{"op": "put", "id": f"b-{n}", **LAMP} for n in range(3)]
    api.client.post("/items/batch", json={"commands": [*rows, {"op": "put"}]})
    api.client.post("/items/batch", json={"commands": rows, "atomic": True})

    assert commands(api) == {"accepted": 7, "replayed": 1, "idempotency-key-reused": 1}


def test_refusals_are_counted_by_their_code(settings: Settings, api: Api, redis: "Redis") -> None:
    api.client.post("/items", content=b"{", headers={"Content-Type": "application/json"})
    api.client.post("/items", json={"name": ""})
    api.client.post("/items", json={"name": "x" * 2_000_000})
    api.client.get("/nothing")
    api.client.get("/health/live", headers={"Host": "evil.example"})
    with configured(redis, appendfsync="everysec"), running_api(settings, api_url(redis)) as weak:
        weak.client.put("/items/a", json=LAMP)
        refused, told = commands(weak), problems(weak)
        accepting = figures(weak).value("itemledger_accepting")

    assert problems(api) == {
        "not-json": 1,
        "invalid-body": 1,
        "body-too-large": 1,
        "not-found": 1,
        "foreign-host": 1,
    }
    assert refused == {"not-accepted": 1}
    assert told == {"not-accepted": 1}
    assert (accepting, figures(api).value("itemledger_accepting")) == (0, 1)


def api_url(redis: "Redis") -> str:
    return f"unix://{redis.connection_pool.connection_kwargs['path']}"


def test_requests_are_counted_by_route_and_status_and_never_by_what_clients_write(
    api: Api,
) -> None:
    for path in ("/items/a", "/items/a/", "/items/b"):
        api.client.put(path, json=LAMP)
    for n in range(5):
        api.client.get(f"/nothing/{n}")
        api.client.request(f"VERB{n}", "/items")
    api.client.patch("/items/a", content=b"x", headers={"Content-Type": "text/plain"})
    found = figures(api)
    counted = {
        (labels["method"], labels["route"], labels["status"]): sample.value
        for sample in found.families["itemledger_http_requests_total"].samples
        if (labels := sample.labels)
    }

    assert counted == {
        ("PUT", "/items/{item_id}", "202"): 3,
        ("GET", "other", "404"): 5,
        ("other", "other", "405"): 5,
        ("PATCH", "/items/{item_id}", "415"): 1,
    }
    seconds = "itemledger_http_request_seconds_count"
    assert found.value(seconds, method="PUT", route="/items/{item_id}") == 3


def test_appends_tell_how_long_they_took_and_how_much_went_together(api: Api) -> None:
    rows = [{"op": "put", "id": f"b-{n}", **LAMP} for n in range(100)]
    api.client.post("/items/batch", json={"commands": rows})
    api.client.put("/items/a", json=LAMP)
    found = figures(api)

    assert found.value("itemledger_append_seconds_count") == 2
    assert found.value("itemledger_append_seconds_sum") > 0
    assert found.value("itemledger_append_entries_sum") == 101
    assert found.by("itemledger_append_entries_bucket", "le") == {
        "+Inf": 2,
        **{f"{2**power:g}": 1 if power < 7 else 2 for power in range(12)},
    }
    assert found.value("itemledger_appends_waiting") == 0


def test_requests_that_wait_for_an_outcome_are_told_while_they_do(service: Service) -> None:
    def awaited() -> float:
        return figures(service).value("itemledger_outcomes_awaited")

    with ThreadPoolExecutor(1) as pool, service.resting_worker():
        asked = pool.submit(service.client.put, "/items/a", json=LAMP, headers=WAIT)
        until(lambda: awaited() == 1, 30, "it waits")
        service.works.set()
        asked.result()

    assert awaited() == 0


def test_rows_of_imports_are_counted_and_uploads_while_they_run(api: Api, redis: "Redis") -> None:
    with ThreadPoolExecutor(1) as pool:
        # More than may wait: it runs until they are applied.
        sent = pool.submit(api.client.post, "/imports", content=lines(5000), headers=NDJSON)
        until(lambda: figures(api).value("itemledger_uploads_running") == 1, 30, "the upload runs")
        with applying(redis):
            assert sent.result().status_code == 202
    found = figures(api)

    assert found.value("itemledger_uploads_running") == 0
    assert found.value("itemledger_import_rows_accepted_total") == 5000
    assert found.families["itemledger_commands_received_total"].samples == []


def test_what_waits_is_told_as_this_process_sees_it(settings: Settings, valkey_url: str) -> None:
    with running_api(settings, valkey_url, Demands("fsync", 0, 77)) as api:
        for name in "abc":
            api.client.put(f"/items/{name}", json=LAMP)
        until(lambda: figures(api).value("itemledger_backlog_commands") == 3, 30, "a look at them")
        found = figures(api)

    assert found.value("itemledger_backlog_limit") == 77
    assert found.by("itemledger_standstill_seconds", "partition").keys() == {"0"}


def test_without_its_log_a_scrape_tells_what_the_process_knows(settings: Settings) -> None:
    with running_api(settings, settings.log_url) as api:
        api.client.put("/items/a", json=LAMP)
        found = figures(api)
        with running_valkey(settings):
            api.until_it_accepts()
            back = figures(api).by("itemledger_up", "store")

    assert found.by("itemledger_up", "store") == {"log": 0}
    assert found.value("itemledger_accepting") == 0
    assert found.families["itemledger_backlog_commands"].samples == []
    assert back == {"log": 1}


def test_a_log_that_goes_away_is_told_at_once_with_all_that_follows_from_it(
    settings: Settings,
) -> None:
    with ExitStack() as first, running_api(settings, settings.log_url) as api:
        first.enter_context(running_valkey(settings))
        api.until_it_accepts()
        before = figures(api)
        first.close()
        until(lambda: figures(api).value("itemledger_up", store="log") == 0, 30, "it is missed")
        after = figures(api)

    assert (before.value("itemledger_accepting"), after.value("itemledger_accepting")) == (1, 0)
    assert after.families["itemledger_standstill_seconds"].samples == []


def test_figures_are_for_operators(settings: Settings, valkey_url: str, redis: "Redis") -> None:
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        statuses = [
            api.client.get("/metrics", headers=headers).status_code
            for headers in ({}, bearer("items:write"), bearer("ops"))
        ]
    assert statuses == [401, 403, 200]

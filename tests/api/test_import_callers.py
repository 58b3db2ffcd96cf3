"""Who sends an import: whose name its rows carry, and what only operators may say in them."""

from collections.abc import Generator

import pytest
from redis import Redis

from cli.import_watch import likely_ids
from eventlog.envelope import BadRow, Envelope, ImportMark, RevertRows
from runtime.auth.caller import Scope
from runtime.settings import Settings
from tests.api.conftest import Api, running_api
from tests.api.importing import CSV, KEY, applying, on_the_log, rows_of, taken
from tests.tokens import bearer, guard, token

BODY = b"id,name,price,effective_at\na,A,1,\nb,B,2,2010-12-01\n"


@pytest.fixture
def guarded(settings: Settings, valkey_url: str, redis: "Redis") -> Generator[Api]:
    with running_api(settings, valkey_url, guard=guard(settings)) as api:
        yield api


def sent(api: Api, redis: "Redis", *scopes: Scope, subject: str) -> str:
    with applying(redis):
        headers = CSV | bearer(*scopes, subject=subject)
        return taken(api.client.post("/imports", content=BODY, headers=headers))["import_id"]


def test_all_of_an_import_carries_its_callers_name(guarded: Api, redis: "Redis") -> None:
    import_id = sent(guarded, redis, "items:write", "ops", subject="rosa")
    headers = bearer("items:write", subject="emma")
    taken(guarded.client.post(f"/imports/{import_id}/revert", headers=headers))
    entries = on_the_log(redis)
    rows = [each for each in rows_of(entries) if isinstance(each, Envelope)]
    assert [each.actor for each in rows] == ["rosa", "rosa"]
    marks = [each.actor for each in entries if isinstance(each, ImportMark)]
    assert marks == ["rosa", "rosa", "rosa", "emma"]
    assert [each.actor for each in entries if isinstance(each, RevertRows)] == ["emma"]


def test_only_operators_say_when_a_row_took_effect(guarded: Api, redis: "Redis") -> None:
    sent(guarded, redis, "items:write", subject="rosa")
    ordinary, backdated = rows_of(on_the_log(redis))
    assert isinstance(ordinary, Envelope)
    assert isinstance(backdated, BadRow)
    assert backdated.code == "insufficient-scope"

    sent(guarded, redis, "items:write", "ops", subject="otto")
    *_, backdated = rows_of(on_the_log(redis))
    assert isinstance(backdated, Envelope)
    assert (backdated.actor, backdated.command.effective_at) == ("otto", 1_291_161_600_000)


def test_the_console_knows_the_id_of_its_import_before_it_is_told(
    guarded: Api, api: Api, redis: "Redis"
) -> None:
    mine = token("items:write", subject="rosa")
    with applying(redis):
        for service, sent_token in ((guarded, mine), (api, None), (api, mine)):
            headers = CSV | KEY | ({"Authorization": f"Bearer {sent_token}"} if sent_token else {})
            made = taken(service.client.post("/imports", content=BODY, headers=headers))
            assert made["import_id"] in likely_ids(KEY["Idempotency-Key"], sent_token)
    assert len(likely_ids("spring", mine)) == 2
    assert likely_ids("spring", "no token") == likely_ids("spring", None)

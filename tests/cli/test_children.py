import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.children import MAY_TOUCH, OF_CLIENTS, children, nursery, preparation
from cli.misspelt import tell_unknown
from cli.nursery import ROOMS
from runtime.child import Child
from runtime.settings import Settings

LOG, RING, SQL = "redis://:log@log/0", "redis://:ring@ring/0", "postgresql+psycopg://u:sql@db/items"
INHERITED = {"PATH": "/bin", "ITEMLEDGER_DATABASE_URL": SQL, "itemledger_ring_url": RING}


@pytest.fixture
def production(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, redis_url=LOG, ring_url=RING, database_url=SQL, workers=2)


def of_process(settings: Settings) -> dict[str, Child]:
    return {child.name: child for child in children(settings, INHERITED)}


def read_by(child: Child, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a child reads from the environment it is given."""
    for name, value in child.env.items():
        monkeypatch.setenv(name, value)
    return Settings()


def secrets_in(env: Mapping[str, str]) -> set[str]:
    return {url for url in (LOG, RING, SQL) if url in env.values()}


def test_each_process_gets_only_the_stores_it_may_touch(production: Settings) -> None:
    found = {name: secrets_in(child.env) for name, child in of_process(production).items()}
    assert found == {
        "api": {LOG, RING},
        "query": {LOG, SQL},
        "worker-1": {LOG, RING, SQL},
        "worker-2": {LOG, RING, SQL},
        "cron": {LOG, RING},
    }


def test_the_secret_of_tokens_goes_to_those_who_check_them(production: Settings) -> None:
    settings = production.model_copy(update={"token_secret": "s" * 32, "token": "a client's"})
    holders = {
        name for name, child in of_process(settings).items() if "s" * 32 in child.env.values()
    }
    assert holders == {"api", "query"}
    assert not any("ITEMLEDGER_TOKEN" in child.env for child in of_process(settings).values())


def test_an_env_file_adds_nothing_to_a_child(
    production: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"ITEMLEDGER_DATABASE_URL={SQL}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ITEMLEDGER_ENV_FILE")
    assert Settings().database_url == SQL
    assert read_by(of_process(production)["api"], monkeypatch).database_url is None


def test_what_is_not_ours_is_inherited(production: Settings) -> None:
    assert all(child.env["PATH"] == "/bin" for child in of_process(production).values())


def test_children_agree_on_the_stores_with_up(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=Path("somewhere"))
    worker = read_by(of_process(settings)["worker"], monkeypatch)
    assert worker.log_url == settings.log_url
    assert worker.doorbell_url == settings.doorbell_url
    assert worker.sql_url == settings.sql_url
    assert worker.public_query_url == settings.public_query_url
    assert worker.data == settings.data.absolute()


def test_children_agree_on_the_partitions_of_a_fresh_start(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for settings in (Settings(), production):
        for child in children(settings, INHERITED):
            with monkeypatch.context() as patch:
                read = read_by(child, patch)
                assert read.default_partitions == settings.default_partitions
                assert read.partitions is None


def test_a_child_reads_what_up_has_read(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = production.model_copy(
        update={"cursor_secret": "a secret", "default_currency": "SEK", "partitions": 3}
    )
    set_by_up = {"fresh_partitions", "heartbeat", "min_durability", "witness"}
    for name, child in of_process(settings).items():
        with monkeypatch.context() as patch:
            read = read_by(child, patch)
        may_touch = MAY_TOUCH[name.partition("-")[0]] - set_by_up
        for field in may_touch - {"command_url", "query_url"}:
            assert getattr(read, field) == getattr(settings, field), (name, field)
        assert read.public_command_url == settings.public_command_url
        assert read.public_query_url == settings.public_query_url
        assert read.least_durability == settings.least_durability


def test_the_embedded_valkey_has_to_be_as_durable_as_we_make_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings(redis_url="redis://elsewhere/0").least_durability == "everysec"
    settings = Settings()
    api = read_by(of_process(settings)["api"], monkeypatch)
    assert settings.least_durability == api.least_durability == "fsync"


def test_what_up_has_warned_of_no_child_warns_of_again(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for child in children(production, {"ITEMLEDGER_RATE_LIMT": "5"}):
        assert tell_unknown(child.env, Path(child.env["ITEMLEDGER_ENV_FILE"])) is None
        with monkeypatch.context() as patch:
            assert read_by(child, patch).is_started_by_up
    assert not production.is_started_by_up


def test_every_setting_belongs_to_some_process() -> None:
    of_processes = set(itertools.chain(*MAY_TOUCH.values()))
    assert of_processes | OF_CLIENTS == set(Settings.model_fields)
    assert not of_processes & OF_CLIENTS


def test_those_that_can_freeze_have_a_heartbeat_each(production: Settings) -> None:
    beats = {name: child.heartbeat for name, child in of_process(production).items()}
    assert beats.pop("api") is beats.pop("query") is None
    assert None not in beats.values()
    assert len(set(beats.values())) == len(beats) == 3
    for name, child in of_process(production).items():
        if name in beats:
            assert child.env["ITEMLEDGER_HEARTBEAT"] == str(child.heartbeat)


def test_they_stop_front_to_back(production: Settings) -> None:
    order = sorted(children(production, INHERITED), key=lambda child: child.stop_order)
    assert [child.name for child in order] == ["api", "worker-1", "worker-2", "cron", "query"]


def test_the_preparation_reads_what_up_has_read(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = production.model_copy(update={"partitions": 4, "token_secret": "s" * 32})
    read = read_by(preparation(told, INHERITED), monkeypatch)

    assert (read.log_url, read.sql_url, read.partitions) == (LOG, SQL, 4)
    assert read.has_keys
    assert RING not in preparation(told, INHERITED).env.values()


def test_the_nursery_knows_each_of_them_and_no_setting(production: Settings) -> None:
    everybody = [preparation(production, INHERITED), *children(production, INHERITED)]
    assert {each.word for each in everybody} == frozenset[str]().union(*(r.words for r in ROOMS))

    told = nursery({**INHERITED, "ITEMLEDGER_TOKEN_SECRET": "hush"})._env
    assert {name for name in told if name.startswith("ITEMLEDGER")} == {"ITEMLEDGER_ENV_FILE"}

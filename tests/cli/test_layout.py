import pytest
from redis import Redis

from cli.layout import check_layout
from cli.refusals import WRONG_USAGE, Refusal
from eventlog import layout
from ledger import partitions
from ledger.engines import writing_engine
from runtime.settings import Settings


@pytest.fixture
def fresh(settings: Settings, sqlite_url: str, valkey_url: str) -> Settings:
    return settings.model_copy(update={"database_url": sqlite_url, "redis_url": valkey_url})


def lay_out(settings: Settings, ledger: int | None = None, log: int | None = None) -> None:
    if ledger is not None:
        engine = writing_engine(settings.sql_url)
        partitions.lay_out(engine, ledger)
        engine.dispose()
    if log is not None:
        with Redis.from_url(settings.log_url) as redis:
            layout.claim(redis, log)


def refusal(settings: Settings) -> str:
    with pytest.raises(Refusal) as refused:
        check_layout(settings)
    assert refused.value.code == WRONG_USAGE
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("told", [None, 4])
def test_before_the_first_start_any_number_will_do(fresh: Settings, told: int | None) -> None:
    check_layout(fresh.model_copy(update={"partitions": told}))


@pytest.mark.parametrize("told", [None, 3])
@pytest.mark.parametrize("where", [{"ledger": 3}, {"log": 3}, {"ledger": 3, "log": 3}])
def test_the_number_that_is_stored_will_do(
    fresh: Settings, told: int | None, where: dict[str, int]
) -> None:
    lay_out(fresh, **where)
    check_layout(fresh.model_copy(update={"partitions": told}))


@pytest.mark.parametrize("where", [{"ledger": 3}, {"log": 3}, {"ledger": 3, "log": 3}])
def test_another_number_than_is_stored_is_refused(fresh: Settings, where: dict[str, int]) -> None:
    lay_out(fresh, **where)
    line = refusal(fresh.model_copy(update={"partitions": 4}))
    assert "the data has 3 partitions, not 4" in line
    assert "set ITEMLEDGER_PARTITIONS to 3, or unset it" in line


def test_a_log_that_does_not_belong_to_the_database_is_refused(fresh: Settings) -> None:
    lay_out(fresh, ledger=1, log=8)
    line = refusal(fresh.model_copy(update={"partitions": 8}))
    assert "the database has 1 partition and the log has 8 partitions" in line

"""The truth about revoked tokens."""

import threading

import pytest
from sqlalchemy import update

from ledger import revocations
from ledger.engines import writing_engine
from ledger.register import opened_register
from ledger.revocations import Revocation
from ledger.schema import DatabaseUnusable, SchemaOutOfDate
from ledger.tables import facts
from runtime.auth.revoked import Revocations

LAMP = Revocation("token-1", 2_000, 1_000, "rosa")


def test_a_revocation_is_read_back_and_changes_the_version(database_url: str) -> None:
    with opened_register(database_url) as register:
        first = register.news(None)
        assert first is not None
        assert first.ids == frozenset()
        assert register.news(first.version) is None
        register.revoke(LAMP)
        second = register.news(first.version)
        assert second is not None
        assert second.ids == {"token-1"}
        assert register.listed() == [LAMP]
        register.revoke(Revocation("token-2", 2_000, 3_000, "rosa"))
        third = register.news(second.version)
        assert third is not None
        assert third.ids == {"token-1", "token-2"}
        assert [each.token_id for each in register.listed()] == ["token-2", "token-1"]


def test_what_has_expired_is_forgotten_and_that_is_news(database_url: str) -> None:
    with opened_register(database_url) as register:
        register.revoke(LAMP)
        register.revoke(Revocation("token-2", 3_000, 1_000, "rosa"))
        before = register.news(None)
        engine = writing_engine(database_url)
        with engine.begin() as connection:
            assert revocations.forget(connection, 2_001) == 1
        with engine.begin() as connection:
            assert revocations.forget(connection, 2_001) == 0
        engine.dispose()
        assert before is not None
        after = register.news(before.version)
        assert after is not None
        assert after.ids == {"token-2"}


def test_the_list_has_a_later_name_with_every_change_and_never_one_again(database_url: str) -> None:
    engine, names = writing_engine(database_url), list[str]()
    for set_back in (False, False, True):
        if set_back:
            with engine.begin() as connection:
                connection.execute(
                    update(facts).where(facts.c.name == "revocations").values(value=names[0])
                )
        with engine.begin() as connection:
            revocations.revoke(connection, LAMP)
            names.append(revocations.version(connection))
    engine.dispose()

    first, second, again = (Revocations(name, frozenset(name)) for name in names)
    assert first.on_hearing(second) == second
    assert second.on_hearing(first).ids == second.ids | first.ids
    assert second.on_hearing(again).ids == second.ids | again.ids
    assert again.version != second.version


def test_a_revocation_waits_for_a_worker_in_the_middle_of_a_transaction(sqlite_url: str) -> None:
    engine = writing_engine(sqlite_url)
    holding, let_go = threading.Event(), threading.Event()

    def work() -> None:
        with engine.begin():
            holding.set()
            let_go.wait(30)

    worker = threading.Thread(target=work)
    worker.start()
    holding.wait(30)
    with opened_register(sqlite_url) as register:
        revoker = threading.Thread(target=register.revoke, args=(LAMP,))
        revoker.start()
        assert register.listed() == []
        let_go.set()
        revoker.join()
        worker.join()
        assert register.listed() == [LAMP]
    engine.dispose()


def test_a_database_that_is_not_there_is_not_made(tmp_path: object) -> None:
    with (
        pytest.raises(DatabaseUnusable),
        opened_register(f"sqlite:///{tmp_path}/none.db"),
    ):
        pass


def test_an_older_schema_is_told(sqlite_url: str) -> None:
    engine = writing_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    engine.dispose()
    with pytest.raises(SchemaOutOfDate), opened_register(sqlite_url):
        pass

from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from cli.main import app
from cli.refusals import INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal
from cli.verify import _cut, run_verify
from ledger.engines import writing_engine
from tests.ledger.ledgers import NOW, edit, fill


@pytest.fixture
def url(database_url: str) -> str:
    engine = writing_engine(database_url)
    fill(engine, commands=30)
    engine.dispose()
    return database_url


def spoil(url: str, statement: str) -> None:
    engine = writing_engine(url)
    edit(engine, statement)
    engine.dispose()


def test_a_whole_ledger_is_told_with_the_hashes_to_note(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verify(url, (), NOW) == 0
    told = capsys.readouterr().out.splitlines()
    noted = [line.partition("--expect ")[2] for line in told[:2]]

    assert [line.partition(":")[0] for line in told[:2]] == ["Partition 0", "Partition 1"]
    assert told[2].endswith("events verified, no difference.")
    assert run_verify(url, noted, NOW) == 0


def test_ctrl_c_says_that_not_all_was_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.verify.verify_database", interrupted)
    assert run_verify("sqlite://", (), NOW) == INTERRUPTED
    assert "Interrupted: not all was compared" in capsys.readouterr().err


def test_a_hash_that_is_not_the_noted_one_is_a_difference(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verify(url, [f"1:3:{'f' * 64}"], NOW) == 1
    out = capsys.readouterr().out

    assert "partition 1, offset 3, item p1-" in out
    assert f"expected '{'f' * 64}'" in out


def test_a_difference_is_told_with_its_place_and_both_values(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(url, "UPDATE heads SET currency = 'XXX' WHERE item_id = 'p1-3'")

    assert run_verify(url, (), NOW) == 1
    out = capsys.readouterr().out
    assert "Difference: partition 1, item p1-3, heads.currency: expected '" in out
    assert "found 'XXX'" in out
    assert "Partition 1: " in out


def test_a_long_value_is_cut_to_where_it_differs() -> None:
    expected, found = _cut(["x" * 500 + "a" + "y" * 500, "x" * 500 + "b" + "y" * 500])

    assert expected.startswith("…xxx")
    assert expected.endswith("y…")
    assert len(expected) < 100
    assert expected.index("a") == found.index("b")
    assert _cut(["1", "2"]) == ["1", "2"]


@pytest.mark.parametrize("noted", ["", "0:1", "0:1:abc", f"x:1:{'f' * 64}", f"0:-1:{'f' * 64}"])
def test_what_is_no_noted_hash_is_wrong_usage(url: str, noted: str) -> None:
    with pytest.raises(Refusal, match="PARTITION:OFFSET:HASH") as refused:
        run_verify(url, [noted], NOW)
    assert refused.value.code == WRONG_USAGE


def test_a_database_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path}/none.db",
        f"postgresql+psycopg://nobody:secret@/none?host={tmp_path}",
    ):
        with pytest.raises(Refusal, match="cannot use the database") as refused:
            run_verify(url, (), NOW)
        assert refused.value.code == UNREACHABLE
        assert "secret" not in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_not_there_is_told_with_the_settings_that_name_it(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no such file") as refused:
        run_verify(f"sqlite:///{tmp_path}/none.db", (), NOW)
    assert "ITEMLEDGER_DATA, or the database with ITEMLEDGER_DATABASE_URL" in str(refused.value)
    assert "start it" not in str(refused.value)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("begin", [0, 4096])
def test_a_file_that_is_damaged_is_told_to_be_restored(url: str, begin: int) -> None:
    with Path(url.removeprefix("sqlite:///")).open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(begin)
        file.write(b"x" * (size - begin))
    with pytest.raises(Refusal, match="restore a backup") as refused:
        run_verify(url, (), NOW)
    assert refused.value.code == UNREACHABLE
    assert "start it" not in str(refused.value)
    assert "--database-url" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ('UPDATE checkpoints SET "offset" = 1 WHERE "partition" = 1', "nothing says why"),
        ('DELETE FROM checkpoints WHERE "partition" = 1', "it has no checkpoint"),
    ],
)
def test_a_view_that_is_not_compared_is_no_success(
    url: str, capsys: pytest.CaptureFixture[str], change: str, why: str
) -> None:
    engine = writing_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"{change} AND projection = 'items'"))
    engine.dispose()

    assert run_verify(url, (), NOW) == 1
    out = capsys.readouterr().out
    assert "no difference" not in out
    assert out.endswith(" events verified; 1 view not compared.\n")
    assert "; the view items is behind the ledger and was not compared: it " in out
    assert why in out


def test_a_database_without_a_schema_is_told_to_migrate(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    engine = writing_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (a)"))
    engine.dispose()

    with pytest.raises(Refusal, match="itemledger migrate") as refused:
        run_verify(f"sqlite:///{file}", (), NOW)
    assert refused.value.code == UNREACHABLE


def test_the_command_ends_with_its_exit_code(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITEMLEDGER_DATABASE_URL", url)
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0

    spoil(url, "UPDATE items SET price = price + 1")
    answer = CliRunner().invoke(app, ["verify"])
    assert answer.exit_code == 1
    assert "items.price" in answer.output
    assert CliRunner().invoke(app, ["verify", "--expect", "x"]).exit_code == WRONG_USAGE

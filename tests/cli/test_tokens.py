"""Tokens made and taken back at the console."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from eventlog.revocations import mirrored
from ledger.register import opened_register
from runtime.auth.caller import Caller
from runtime.auth.denied import Denied
from runtime.auth.guard import guard_of
from runtime.auth.revoked import Revocations, Revoked
from runtime.settings import Settings
from runtime.times import rfc3339
from tests.runtime.auth.issuers import claims, own
from tests.tokens import SECRET, token

LONG_ID = "8f14e45f-ceea-467f-ab5c-1f0c3d2b9a10"


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, valkey_url: str
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("ITEMLEDGER_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("ITEMLEDGER_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("ITEMLEDGER_REDIS_URL", valkey_url)
    return monkeypatch


def run(*words: str, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["token", *words])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def judge(made: str, revocations: Revocations | None = None) -> Caller:
    known = revocations or Revocations("", frozenset())
    return guard_of(Settings(token_secret=SECRET), Revoked(known)).caller([f"Bearer {made}"])


def made(*words: str) -> tuple[str, str]:
    """Make a token and return it with its id."""
    out, err = run("create", "--subject", "rosa", "--scope", "items:read", *words)
    return out.strip(), err.split()[3].rstrip(";")


def test_a_token_that_was_made_is_taken(environment: pytest.MonkeyPatch) -> None:
    out, err = run(
        "create", "--subject", "rosa", "--scope", "items:read", "--scope", "ops", "--ttl", "5m"
    )
    assert out.count("\n") == 1
    assert out.strip() not in err
    assert judge(out.strip()) == Caller("rosa", frozenset({"items:read", "ops"}))


def test_the_secret_may_be_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    environment.delenv("ITEMLEDGER_TOKEN_SECRET")
    environment.setenv("ITEMLEDGER_TOKEN_SECRET_FILE", str(tmp_path / "secret"))
    assert judge(made()[0]).subject == "rosa"


def test_without_a_secret_no_token_is_made(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("ITEMLEDGER_TOKEN_SECRET")
    _, err = run("create", "--subject", "rosa", "--scope", "ops", code=2)
    assert "ITEMLEDGER_TOKEN_SECRET" in err


@pytest.mark.parametrize(
    "words",
    [
        ("--scope", "items:read", "--ttl", "0d"),
        ("--scope", "items:read", "--ttl", "367d"),
        ("--scope", "items:read", "--ttl", "12"),
        ("--scope", "items:read", "--ttl", "1w"),
        ("--scope", "admin"),
        (),
    ],
)
def test_what_can_not_be_made_is_refused(
    environment: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    assert run("create", "--subject", "rosa", *words, code=2)[0] == ""


@pytest.mark.parametrize("subject", ["", " ", "x" * 201, "two\nlines", "a\x07bell"])
def test_a_subject_that_no_token_may_have_is_refused(
    environment: pytest.MonkeyPatch, subject: str
) -> None:
    assert "--subject" in run("create", "--subject", subject, "--scope", "ops", code=2)[1]


@pytest.mark.parametrize("by_id", [True, False])
def test_a_revoked_token_is_in_sql_and_in_the_mirror(
    environment: pytest.MonkeyPatch, sqlite_url: str, valkey_url: str, by_id: bool
) -> None:
    made_token, token_id = made()
    out, err = run("revoke", token_id if by_id else made_token)
    assert (out, err) == (f"{token_id} is revoked.\n", "")
    heard = mirrored(valkey_url)(None)
    assert heard is not None
    assert heard.ids == {token_id}
    with opened_register(sqlite_url) as register:
        assert register.news(heard.version) is None
        (kept,) = register.listed()
    # It outlives every token of that id.
    end = int(time.time()) + (366 if by_id else 30) * 24 * 60 * 60
    assert end - 60 <= kept.expires_at / 1000 <= end
    with pytest.raises(Denied, match="revoked"):
        judge(made_token, heard)
    assert json.loads(run("list", "--json")[0])[0]["id"] == token_id
    head, row = (line.split("\t") for line in run("list")[0].splitlines())
    assert dict(zip(head, row, strict=True))["expires by"] == rfc3339(kept.expires_at)
    assert row[0] == token_id


@pytest.mark.parametrize("foreign", ["garbage", LONG_ID.upper(), f"{{{LONG_ID}}}"])
def test_an_id_that_we_do_not_give_is_revoked_with_a_warning(
    environment: pytest.MonkeyPatch, foreign: str
) -> None:
    out, err = run("revoke", foreign)
    assert out == f"{foreign} is revoked.\n"
    assert err.startswith(f"itemledger: warning: {foreign} is no id that `itemledger token create`")
    assert err.count("\n") == 1


def test_what_a_whole_token_names_is_revoked_without_a_warning(
    environment: pytest.MonkeyPatch,
) -> None:
    out, err = run("revoke", own(claims(jti="a provider's")))
    assert (out, err) == ("a provider's is revoked.\n", "")


def test_a_token_may_be_revoked_twice(environment: pytest.MonkeyPatch) -> None:
    token_id = made()[1]
    run("revoke", token_id)
    run("revoke", token_id)
    assert len(json.loads(run("list", "--json")[0])) == 1


def test_a_revocation_holds_though_the_log_is_away(
    environment: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    environment.setenv("ITEMLEDGER_REDIS_URL", "redis://:hush@127.0.0.1:1/0")
    out, err = run("revoke", "token-1")
    assert out == "token-1 is revoked.\n"
    assert "warning" in err
    assert "hush" not in err
    with opened_register(sqlite_url) as register:
        assert [each.token_id for each in register.listed()] == ["token-1"]


def test_a_database_that_is_away_is_told_and_nothing_is_said_to_be_revoked(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("ITEMLEDGER_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    for words in (("revoke", LONG_ID), ("list",)):
        out, err = run(*words, code=3)
        assert out == ""
        assert err == (
            f"itemledger: cannot use the database sqlite:///{tmp_path}/none.db: there is no such "
            "file; `itemledger up` makes it, or name its folder with ITEMLEDGER_DATA, or the "
            "database with ITEMLEDGER_DATABASE_URL\n"
        )
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("wrong", ["a.b.c", "", "x" * 256, f"{token('ops').rpartition('.')[0]}x"])
def test_what_is_neither_token_nor_id_is_refused(
    environment: pytest.MonkeyPatch, wrong: str
) -> None:
    run("revoke", wrong, code=2)


def test_nothing_revoked_is_said(environment: pytest.MonkeyPatch) -> None:
    assert run("list")[0] == "No token is revoked.\n"

from pathlib import Path

import pytest

from cli.database_refusals import database_refusal
from cli.migrate import migrate_database
from cli.read_settings import read_settings
from cli.refusals import UNREACHABLE, WRONG_USAGE, Refusal, without_password
from ledger.schema import DatabaseUnusable

SECRET_URLS = [
    "redis://:hu/sh@host:1/0",
    "redis://me:hu@sh@host/0",
    "redis://:hu#sh@host/0",
    "redis://:hu?sh@host/0",
    "redis://:hu[sh@host/0",
    "rediss://me:hu@sh/hu@host:1/0",
]


def refusal(**given: object) -> str:
    """Return the one line of wrong usage."""
    with pytest.raises(Refusal) as refused:
        read_settings(**given)
    assert refused.value.code == WRONG_USAGE
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITEMLEDGER_HOST", "environment")
    assert read_settings(host="option").host == "option"
    assert read_settings(host=None).host == "environment"


def test_a_wrong_value_that_may_be_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal) as refusal:
        read_settings(redis_url=["redis://:hush@host"])
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite://", "must name a file"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///file::memory:?uri=true", "must name a file"),
        ("postgresql://me:hush@host/items", "postgresql+psycopg://"),
        ("mysql://me:hush@host/items", "sqlite:///FILE or postgresql+psycopg://"),
        ("nonsense", "sqlite:///FILE or postgresql+psycopg://"),
        ("postgresql+psycopg://me:hush@host:port/items", "percent-encoded"),
        ("postgresql+psycopg://me:hu@sh/x@host/items", "percent-encoded"),
        ("postgresql+psycopg://host:port/items", "a port that is a number"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_told_by_its_setting(url: str, told: str) -> None:
    line = refusal(database_url=url)
    assert line.startswith("--database-url (ITEMLEDGER_DATABASE_URL): must ") or "`@`" in line
    assert told in line
    assert "hu" not in line


@pytest.mark.parametrize("name", ["redis_url", "ring_url"])
@pytest.mark.parametrize(
    "url", ["nonsense", "http://host", "redis://host:port", "unix:///with space", *SECRET_URLS]
)
def test_a_redis_url_that_cannot_be_used_is_told_by_its_setting(name: str, url: str) -> None:
    line = refusal(**{name: url})
    assert f"ITEMLEDGER_{name.upper()}" in line
    assert "hu" not in line.removeprefix(f"--{name}")


@pytest.mark.parametrize("name", ["command_url", "query_url"])
@pytest.mark.parametrize("url", ["ftp://host", "host:8000", "http://", "http://host:port", "//x"])
def test_the_url_of_a_service_is_http_with_a_host(name: str, url: str) -> None:
    line = refusal(**{name: url})
    assert f"ITEMLEDGER_{name.upper()}" in line
    port = {"command_url": 8000, "query_url": 8001}[name]
    assert f"such as http://127.0.0.1:{port}" in line or "a port that is a number" in line


def test_a_text_of_the_wrong_form_is_told_which_one_is_wanted() -> None:
    assert refusal(cookie_domain="Shop") == (
        "--cookie-domain (ITEMLEDGER_COOKIE_DOMAIN): must be a domain in small letters, such as "
        "shop.example, not 'Shop'"
    )
    assert refusal(default_currency="eur") == (
        "--default-currency (ITEMLEDGER_DEFAULT_CURRENCY): must be three capital letters, such as "
        "EUR, not 'eur'"
    )


def test_urls_that_can_be_used_are_taken_as_they_are() -> None:
    given = {
        "database_url": "postgresql+psycopg://me:a%40b@/items?host=/run/a@b",
        "redis_url": "rediss://me:a%2Fb@[::1]:6379/1",
        "ring_url": "unix:///run/a@b/redis.sock?db=1",
        "command_url": "https://write.example/base",
        "query_url": "http://127.0.0.1:8001",
    }
    settings = read_settings(**given)
    assert {name: getattr(settings, name) for name in given} == given
    assert read_settings(database_url="sqlite:////a@b/c d.db").is_sqlite


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WORKERS", "0", "must be at least 1, not '0'"),
        ("COMMAND_PORT", "70000", "must be at most 65535, not '70000'"),
        ("PARTITIONS", "many", "must be a whole number, not 'many'"),
        ("LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error', not 'loud'"),
        ("DEFAULT_CURRENCY", "euro", "must be three capital letters, such as EUR, not 'euro'"),
        ("DEFAULT_CURRENCY", "ZZZ", "a currency is a code of ISO 4217, such as EUR, not 'ZZZ'"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"ITEMLEDGER_{name}", value)
    assert refusal() == f"ITEMLEDGER_{name}: {told}"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BACKLOG_AGE", "abc", ": must be a number, not 'abc'"),
        ("BACKLOG_AGE", "0", ": must be more than 0, not '0'"),
        ("REQUIRE_IF_MATCH", "maybe", " is no yes or no: write true or false, not 'maybe'"),
    ],
)
def test_a_value_of_another_kind_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"ITEMLEDGER_{name}", value)
    assert refusal() == f"ITEMLEDGER_{name}{told}"


@pytest.mark.parametrize("token", ["hüsh", "hu\nsh", "hu\rsh", "hu sh", "hush\udc80"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("ITEMLEDGER_TOKEN", token)
    assert refusal() == "ITEMLEDGER_TOKEN has a character that no token has"


def test_a_token_is_taken_as_it_stands_in_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITEMLEDGER_TOKEN", "Bearer eyJ.e30.c2ln")
    assert read_settings().token == "eyJ.e30.c2ln"  # noqa: S105  of a test


def test_the_end_of_a_line_is_no_part_of_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITEMLEDGER_TOKEN", " eyJ.e30.c2ln-_~+/= \r\n")
    assert read_settings().token == "eyJ.e30.c2ln-_~+/="  # noqa: S105  of a test
    monkeypatch.setenv("ITEMLEDGER_TOKEN", "\n")
    assert read_settings().token is None


def test_names_that_are_no_setting_are_warned_of_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text(
        "# ITEMLEDGER_NOTE=1\nITEMLEDGER_WORKERS=1\nexport ITEMLEDGER_DATABASE=hush\nOTHER=2\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ITEMLEDGER_ENV_FILE")
    monkeypatch.setenv("ITEMLEDGER_RATE_LIMT", "5")
    monkeypatch.setenv("ITEMLEDGER_XYZ", "1")
    read_settings()
    assert capsys.readouterr().err == (
        "itemledger: warning: there is no setting "
        "ITEMLEDGER_DATABASE (ITEMLEDGER_DATABASE_URL?), "
        "ITEMLEDGER_RATE_LIMT (ITEMLEDGER_RATE_LIMIT?), "
        "ITEMLEDGER_XYZ: see docs/configuration.md\n"
    )


def test_of_settings_and_of_our_own_names_nothing_is_warned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "named").write_text("ITEMLEDGER_HOST=localhost\nitemledger_command_port=9\n")
    (tmp_path / ".env").write_text("ITEMLEDGER_NOT_READ=1\n")
    monkeypatch.chdir(tmp_path)
    for file in ("", "named"):
        monkeypatch.setenv("ITEMLEDGER_ENV_FILE", file)
        monkeypatch.setenv("ITEMLEDGER_TEST_RUN_FOLDER", "folder")
        monkeypatch.setenv("ITEMLEDGER_TYPO", "")
        monkeypatch.setenv("itemledger_query_port", "8")
        read_settings()
    assert capsys.readouterr().err == ""


def test_a_file_of_settings_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ITEMLEDGER_ENV_FILE", str(tmp_path / "none"))
    assert str(tmp_path / "none") in refusal()


def test_a_file_of_settings_that_is_no_text_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings"
    file.write_bytes(b"ITEMLEDGER_HOST=127.0.0.1\nITEMLEDGER_TOKEN=\xff\n")
    monkeypatch.setenv("ITEMLEDGER_ENV_FILE", str(file))

    assert refusal() == f"{file}, line 2, is not UTF-8: save it as that"


def test_what_a_driver_says_of_an_unencoded_password_is_not_told() -> None:
    with pytest.raises(Refusal) as refused:
        migrate_database("postgresql+psycopg://me:s3cr@et/pw@127.0.0.1:1/items")
    assert refused.value.code == UNREACHABLE
    assert "percent-encoded" in str(refused.value)
    for part in ("s3cr", "et/", "pw"):
        assert part not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:hush@host:1/0", "redis://:***@host:1/0"),
        ("postgresql+psycopg://me:hush@host/items", "postgresql+psycopg://me:***@host/items"),
        ("redis://host:1/0", "redis://host:1/0"),
        ("unix:///a/socket", "unix:///a/socket"),
        ("redis://:p@ss/w@127.0.0.1:6390/0", "redis://:***@127.0.0.1:6390/0"),
        ("postgresql+psycopg://me:s3cr@et/pw@h:x/db", "postgresql+psycopg://me:***@h:x/db"),
        ("redis://host/0?password=hush&db=1", "redis://host/0?password=***&db=1"),
        ("redis://[broken", "redis://[broken"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("why", "mend"),
    [
        ("database or disk is full", "make room on its disk, choose another folder"),
        ("unable to open database file", "see that the file can be written, choose another"),
        ("file is not a database", "the file is damaged: restore a backup, or mend"),
    ],
)
def test_nobody_is_told_to_start_a_file(why: str, mend: str) -> None:
    line = str(database_refusal("sqlite:////x/itemledger.db", DatabaseUnusable(why)))
    assert line.startswith(f"cannot use the database sqlite:////x/itemledger.db: {why}; {mend}")
    assert "start" not in line

"""Settings whose values are files, as container engines, Kubernetes and systemd hand them over."""

import os
from pathlib import Path

import pytest

from cli.doctor import of_settings
from cli.doctor.finding import Doubt, Fine
from cli.read_settings import read_settings
from cli.refusals import WRONG_USAGE, Refusal

URL = "redis://api:hush@log.example:6379/0"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("ITEMLEDGER_SECRETS_DIR", str(folder))
    return folder


def refusal() -> str:
    with pytest.raises(Refusal) as refused:
        read_settings()
    assert refused.value.code == WRONG_USAGE
    return str(refused.value)


def test_a_file_named_like_a_setting_is_its_value(
    secrets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (secrets / "itemledger_redis_url").write_text(f"{URL}\n")
    (secrets / "ITEMLEDGER_TOKEN_SECRET").write_text("s" * 32)
    (secrets / "tls.crt").write_bytes(b"\xff\x00 nothing of ours")

    settings = read_settings()

    assert settings.redis_url == URL
    assert settings.token_secret == "s" * 32
    assert settings.database_url is None
    assert capsys.readouterr().err == ""


def test_files_may_be_links_within_their_folder_as_kubernetes_lays_them(secrets: Path) -> None:
    (secrets / "..2026").mkdir()
    (secrets / "..2026" / "itemledger_redis_url").write_text(URL)
    (secrets / "..data").symlink_to("..2026")
    (secrets / "itemledger_redis_url").symlink_to("..data/itemledger_redis_url")

    assert read_settings().redis_url == URL


def test_the_environment_goes_before_a_file_and_an_empty_file_is_no_value(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secrets / "itemledger_redis_url").write_text(URL)
    (secrets / "itemledger_ring_url").write_text("\n")
    monkeypatch.setenv("ITEMLEDGER_REDIS_URL", "redis://elsewhere")

    settings = read_settings()

    assert settings.redis_url == "redis://elsewhere"
    assert settings.ring_url is None


def test_what_is_wrong_in_a_file_is_told_without_showing_it(secrets: Path) -> None:
    (secrets / "itemledger_database_url").write_text("postgres://me:hush@db/items")
    assert refusal() == (
        "ITEMLEDGER_DATABASE_URL: must begin with postgresql+psycopg:// in place of postgres://"
    )


def test_a_file_that_is_no_text_is_told(secrets: Path) -> None:
    (secrets / "itemledger_token_secret").write_bytes(b"\xff" * 32)
    file = secrets / "itemledger_token_secret"
    assert refusal() == f"{file}, line 1, is not UTF-8: save it as that"


def test_a_folder_that_is_not_there_is_told(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = tmp_path / "none"
    monkeypatch.setenv("ITEMLEDGER_SECRETS_DIR", str(none))
    assert refusal() == (
        f"ITEMLEDGER_SECRETS_DIR names {none}, which can not be read (No such file or directory): "
        "name the folder with the secrets, or unset it"
    )


def test_a_misspelt_name_is_warned_of(secrets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (secrets / "itemledger_redis_ulr").write_text(URL)
    read_settings()
    assert capsys.readouterr().err == (
        "itemledger: warning: there is no setting itemledger_redis_ulr "
        "(ITEMLEDGER_REDIS_URL?): see docs/configuration.md\n"
    )


def test_doctor_finds_a_secret_that_others_on_this_machine_can_read(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITEMLEDGER_SECRETS_DIR", str(open_folder))
    file = open_folder / "itemledger_token_secret"
    file.write_text("s" * 32)
    file.chmod(0o640)

    def found() -> object:
        told = of_settings.look(read_settings(), os.environ)
        return next(each.finding for each in told if each.check == "settings: secrets")

    assert found() == Doubt(f"others on this machine can read {file}", f"chmod 600 {file}")
    file.chmod(0o600)
    assert found() == Fine("for their owner alone")
    # As deploy/secrets.sh makes them.
    file.chmod(0o444)
    open_folder.chmod(0o700)
    assert found() == Fine("for their owner alone")

import os
from pathlib import Path

import pytest

from cli.exposure import is_readable_by_others, require_guard
from cli.refusals import WRONG_USAGE, Refusal
from runtime.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105  of tests


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "a.localhost"])
def test_on_this_machine_alone_nobody_has_to_say_who_they_are(host: str) -> None:
    require_guard(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "10.0.0.1", ""])
def test_beyond_this_machine_nothing_is_served_without_keys(host: str) -> None:
    with pytest.raises(Refusal) as refused:
        require_guard(Settings(host=host))
    assert refused.value.code == WRONG_USAGE
    for part in (host, "ITEMLEDGER_TOKEN_SECRET", "ITEMLEDGER_JWKS_URL", "ITEMLEDGER_HOST"):
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)


def test_with_keys_it_may_listen_anywhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    require_guard(Settings(host="0.0.0.0", token_secret=SECRET))
    require_guard(Settings(host="0.0.0.0", token_secret_file=tmp_path / "secret"))
    require_guard(Settings(host="::", jwks_url="https://id.example/keys", jwks_issuer="https://id"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_links_that_lead_others_to_themselves_are_warned_of(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    require_guard(Settings(host=host, token_secret=SECRET))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("itemledger: warning: ")
    for part in ("http://127.0.0.1:8001", "ITEMLEDGER_COMMAND_URL and ITEMLEDGER_QUERY_URL"):
        assert part in line

    require_guard(Settings(host=host, token_secret=SECRET, query_url="http://shop.example:8001"))
    line = capsys.readouterr().err
    assert "ITEMLEDGER_COMMAND_URL" in line
    assert "ITEMLEDGER_QUERY_URL" not in line


@pytest.mark.parametrize(
    "settings",
    [
        Settings(host="127.0.0.1"),
        # Links name what it listens on.
        Settings(host="192.0.2.1", token_secret=SECRET),
        Settings(
            host="0.0.0.0",
            token_secret=SECRET,
            command_url="http://127.0.0.1:8000",
            query_url="https://shop.example",
        ),
        # Of this `up` itself has warned.
        Settings(host="0.0.0.0", token_secret=SECRET, fresh_partitions=1),
    ],
    ids=["this machine", "one address", "named", "under up"],
)
def test_links_that_lead_here_are_not_warned_of(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    require_guard(settings)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_can_read_is_warned_of(
    capsys: pytest.CaptureFixture[str], open_folder: Path, mode: int
) -> None:
    file = open_folder / "secret"
    file.write_text(SECRET)
    file.chmod(mode)
    require_guard(Settings(token_secret_file=file))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("itemledger: warning: ")
    for part in (str(file), "ITEMLEDGER_TOKEN_SECRET_FILE", "chmod 600"):
        assert part in line
    # It is not read there.
    require_guard(Settings(token_secret_file=file, token_secret=SECRET))
    file.chmod(0o600)
    require_guard(Settings(token_secret_file=file))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("mode", [0o700, 0o600, 0o744])
def test_a_secret_in_a_folder_that_nobody_else_can_enter_may_be_readable(
    open_folder: Path, mode: int
) -> None:
    file = open_folder / "mine" / "api" / "secret"
    file.parent.mkdir(parents=True)
    file.write_text(SECRET)
    file.chmod(0o444)
    (open_folder / "link").symlink_to(file)
    assert is_readable_by_others(file)
    file.parent.parent.chmod(mode)
    assert not is_readable_by_others(file)
    # Where it is named from does not matter, but where it lies.
    assert not is_readable_by_others(open_folder / "link")
    file.parent.parent.chmod(0o710)
    assert is_readable_by_others(file)


def test_a_folder_of_somebody_else_keeps_nothing_from_them(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = open_folder / "theirs" / "secret"
    file.parent.mkdir(0o700)
    file.write_text(SECRET)
    file.chmod(0o444)
    asked = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        found = asked(path, **how)
        return os.stat_result((*found[:4], 4711, *found[5:10])) if path == file.parent else found

    monkeypatch.setattr(Path, "stat", stat)
    assert is_readable_by_others(file)


def test_a_secret_that_a_container_is_given_may_be_readable(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run" / "secrets" / "key"
    file.parent.mkdir(parents=True)
    file.write_text(SECRET)
    file.chmod(0o444)
    monkeypatch.setattr("cli.exposure._MOUNTED", file.parent)
    (tmp_path / "link").symlink_to(file)
    for named in (file, tmp_path / "link"):
        require_guard(Settings(token_secret_file=named))
    assert capsys.readouterr().err == ""


def test_a_provider_without_a_name_is_refused() -> None:
    with pytest.raises(Refusal, match="ITEMLEDGER_JWKS_ISSUER"):
        require_guard(Settings(jwks_url="https://id.example/keys"))

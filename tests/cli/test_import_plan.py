"""What an import is to be, before anything is sent."""

import os
from pathlib import Path
from typing import Any

import pytest

from cli.import_file import Import, Wishes, plan_import
from cli.reach import Service
from cli.refusals import WRONG_USAGE, Refusal

URL = "http://127.0.0.1:1"


def plan(path: Path = Path("rows"), url: str = URL, given: bool = False, **wishes: Any) -> Import:
    return plan_import(
        Wishes(path, **wishes), Service("command", url, given), Service("query", url, given)
    )


def refusal(path: Path = Path("rows"), url: str = URL, **wishes: Any) -> str:
    with pytest.raises(Refusal) as refused:
        plan(path, url, **wishes)
    assert refused.value.code == WRONG_USAGE
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_rejects_in_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    line = refusal(rejects=tmp_path / "none" / "rejects")
    assert "there is no such folder" in line
    assert "--rejects" in line


def test_rejects_that_are_a_folder_are_refused(tmp_path: Path) -> None:
    assert "it is a folder" in refusal(rejects=tmp_path)


def test_rejects_that_cannot_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever runs the tests may be root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    assert "may not write" in refusal(rejects=tmp_path / "rejects")


@pytest.mark.parametrize("key", ["", " ", "two words", "ß", "x" * 256])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    assert "leave --key out" in refusal(key=key)


@pytest.mark.parametrize("charset", ["klingon", "hex"])
def test_a_charset_that_is_none_is_refused(charset: str) -> None:
    assert "--charset" in refusal(charset=charset)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8000"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    assert "is no URL of a service" in refusal(url=url)


def test_a_folder_is_no_file_to_import(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_standard_input_is_refused_with_the_way_out() -> None:
    assert "write them to a file first" in refusal(Path("-"))


def test_without_a_key_every_import_is_a_new_one() -> None:
    assert plan().key != plan().key


def test_the_command_to_go_on_repeats_what_was_given() -> None:
    made = plan(
        Path("my rows"),
        given=True,
        key="k",
        rejects=Path("bad"),
        patience=5,
        columns="id:Code,price:Price*100",
        on_error="stop",
        reason="it is spring",
        dry=True,
        charset="windows-1252",
    )
    assert made.resume == (
        "itemledger import 'my rows' --key k --dry-run --map 'id:Code,price:Price*100' "
        "--charset windows-1252 --on-error stop --reason 'it is spring' "
        f"--command-url {URL} --query-url {URL} --rejects bad --patience 5"
    )
    assert made.parameters == {
        "map": "id:Code,price:Price*100",
        "reason": "it is spring",
        "dry_run": "true",
        "on_error": "stop",
    }


def test_what_was_not_said_is_not_sent() -> None:
    assert plan().parameters == {}

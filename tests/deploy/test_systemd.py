"""The units of deploy/systemd: each process with the secrets that are its own, and shut in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.children import MAY_TOUCH
from runtime.settings import PREFIX, SECRETS_VARIABLE, Settings
from tests.deploy.deployed import DEPLOY, make_secrets

FOLDER = DEPLOY / "systemd"
UNITS = {
    "api": "itemledger-api.service",
    "query": "itemledger-query.service",
    "worker": "itemledger-worker@.service",
    "cron": "itemledger-cron.service",
    "migrate": "itemledger-migrate.service",
}
INSTALLED = "/opt/itemledger/bin/itemledger"
SECRETS = "/etc/itemledger/secrets"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine"
)


def unit(name: str) -> str:
    return (FOLDER / UNITS[name]).read_text("utf-8")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the program where this environment has it."""
    folder = tmp_path / "units"
    shutil.copytree(FOLDER, folder)
    program = Path(sys.executable).with_name("itemledger")
    for file in folder.glob("*.service"):
        file.write_text(file.read_text("utf-8").replace(INSTALLED, str(program)))
    return folder


def analyze(units: Path, *words: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *words],
        cwd=units,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_COLORS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_there_is_a_unit_for_every_process() -> None:
    assert {file.name for file in FOLDER.glob("*.service")} == set(UNITS.values())
    assert set(UNITS) == {*MAY_TOUCH, "migrate"}
    for name in UNITS:
        assert f"\nExecStart={INSTALLED} {name}\n" in unit(name)


def test_a_unit_is_given_only_what_its_process_may_touch(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets")
    for name in UNITS:
        given = re.findall(r"^LoadCredential=(\w+):(\S+)$", unit(name), re.MULTILINE)
        assert given
        may_touch = MAY_TOUCH.get(name, {"database_url"})
        for credential, file in given:
            assert credential.removeprefix(PREFIX.lower()) in may_touch
            assert file == f"{SECRETS}/{name}/{credential}"
            assert (made / name / credential).exists()


def test_every_setting_that_is_given_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    text = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*") if file.is_file())
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))
    assert named - known == {SECRETS_VARIABLE, "ITEMLEDGER_ENV_FILE"}


@needs_systemd
def test_systemd_takes_the_units_as_they_are(units: Path) -> None:
    names = [name.replace("@.", "@1.") for name in UNITS.values()]
    assert analyze(units, "verify", *(f"./{name}" for name in (*names, "itemledger.target"))) == ""


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_a_process_is_shut_in(units: Path, name: str) -> None:
    told = analyze(units, "security", "--offline=true", "--threshold=20", f"./{UNITS[name]}")
    assert "Overall exposure level" in told

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from cli.__main__ import main
from cli.main import app

COMMANDS = ["up", "api", "query", "worker", "cron", "migrate", "version"]


def test_the_help_names_every_command() -> None:
    answer = CliRunner().invoke(app, ["--help"])
    assert answer.exit_code == 0
    for command in COMMANDS:
        assert command in answer.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert "Usage: " in answer.output


def test_up_has_its_options() -> None:
    answer = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["up", "--help"])
    for option in ("data", "host", "command-port", "query-port", "workers"):
        assert f"--{option}" in answer.output
    for option in ("redis-url", "database-url"):
        assert f"--{option}" in answer.output


@pytest.mark.parametrize("columns", ["40", "80"])
@pytest.mark.parametrize("command", ["up", "import", "status", "dead", "token"])
def test_the_help_is_wrapped_and_not_cut(command: str, columns: str) -> None:
    said = CliRunner(env={"COLUMNS": columns}).invoke(app, [command, "--help"]).output
    assert "…" not in said.replace("token …", "")
    assert "<bool>" not in said
    if command == "import":
        assert "--command-url" in said
        assert "UnitPrice*100" in said
        assert "ITEMLEDGER_TOKEN" in said


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "token create --subject me --scope admin",
            "'--scope': 'admin' is not one of 'items:read', 'items:write', 'ops'.",
        ),
        ("export --format x", "'--format': 'x' is not one of 'ndjson', 'csv'."),
        ("openapi x", "'[command|query]': 'x' is not one of 'command', 'query'."),
        ("rebuild items --throttle 0", "'--throttle': must be at least 1, not '0'"),
        (
            "up --command-port x",
            (
                "'--command-port' (env var: 'ITEMLEDGER_COMMAND_PORT'): "
                "must be a whole number, not 'x'"
            ),
        ),
        ("alive --max-age soon", "'--max-age': must be a number, not 'soon'"),
    ],
)
def test_a_word_that_can_not_be_taken_is_told_in_words_for_people(typed: str, told: str) -> None:
    answer = CliRunner().invoke(app, typed.split())
    assert answer.exit_code == 2
    assert answer.output.splitlines()[-1] == f"Error: Invalid value for {told}"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "Missing options '--subject' and '--scope' (items:read, items:write, ops)."),
        ("--ttl 1h", "Missing options '--subject' and '--scope' (items:read, items:write, ops)."),
        ("--scope ops", "Missing option '--subject'."),
    ],
)
def test_all_that_is_missing_is_told_at_once(typed: str, told: str) -> None:
    answer = CliRunner().invoke(app, ["token", "create", *typed.split()])
    assert answer.exit_code == 2
    assert answer.output.splitlines()[-1] == f"Error: {told}"


@pytest.mark.parametrize("group", [[], ["dead"], ["token"]])
def test_what_a_command_does_is_listed_whole(group: list[str]) -> None:
    said = CliRunner(env={"COLUMNS": "60"}).invoke(app, [*group, "--help"]).output
    _, _, listed = said.partition("Commands:")
    assert listed.strip()
    assert "..." not in listed


def test_the_version_is_that_of_the_distribution() -> None:
    assert CliRunner().invoke(app, ["version"]).output == f"itemledger {version('itemledger')}\n"


def test_the_version_is_an_option_too() -> None:
    app_says = CliRunner().invoke(app, ["--version"])
    assert app_says.exit_code == 0
    assert app_says.output == f"itemledger {version('itemledger')}\n"


def test_ctrl_c_at_the_very_start_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.main.app", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_the_console_command_loads_no_room_before_it_has_to() -> None:
    code = (
        "import sys, cli.main\n"
        "rooms = {'api', 'eventlog', 'ledger', 'readmodel', 'worker', 'sqlalchemy', 'redis'}\n"
        "sys.exit(', '.join(rooms & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""

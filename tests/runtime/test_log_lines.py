import json
import os
import subprocess
import sys

import pytest

from runtime.log_lines import line_renderer, wants_colours


def line(*, colours: bool = False, **event: object) -> str:
    return str(line_renderer(colours=colours)(None, "", event))


def test_a_line_begins_with_the_time_and_the_room() -> None:
    facts = {"timestamp": "12:00:01", "process": "api", "level": "info", "event": "serving"}
    assert line(**facts, url="http://x") == "12:00:01 api    serving url=http://x"


def test_only_a_level_that_is_not_info_is_named() -> None:
    assert line(process="cron", level="warning", event="late") == "cron   warning: late"


def test_rooms_have_colours_of_their_own() -> None:
    api, worker = (line(colours=True, process=name, event="x") for name in ("api", "worker"))
    assert api.startswith("\x1b[36mapi")
    assert worker.startswith("\x1b[32mworker")


def test_what_came_from_outside_can_not_write_to_the_terminal() -> None:
    shown = line(process="api", event="a\x1b[2Jb\nc", name="two words", other="\x1b]0;x\x07")
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "name='two words'" in shown


def test_a_traceback_stands_below_its_line() -> None:
    first, second = line(process="api", event="broke", exception="Traceback").splitlines()
    assert (first, second) == ("api    broke", "Traceback")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_nobody_gets_colours_who_does_not_want_them(environ: dict[str, str]) -> None:
    assert not wants_colours(environ)
    assert wants_colours({"TERM": "xterm"})


THREADS = """
import logging, threading, structlog
from runtime.settings import Settings
from runtime.telemetry import configure_logging
configure_logging(Settings(), "worker")
threading.Thread(target=structlog.get_logger().info, args=("a new epoch",)).start()
threading.Thread(target=logging.getLogger("a library").warning, args=("odd",)).start()
"""


def test_what_a_thread_or_a_library_logs_names_the_process_too() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ITEMLEDGER_")}
    done = subprocess.run(
        [sys.executable, "-c", THREADS], env=env, capture_output=True, text=True, check=True
    )
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    assert {(each["event"], each["process"]) for each in logged} == {
        ("a new epoch", "worker"),
        ("odd", "worker"),
    }

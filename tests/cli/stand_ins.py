"""`up` with small stand-ins for the four processes: the real Valkey, database and supervisor."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

import typer

from cli.children import children
from cli.read_settings import read_settings
from cli.refusals import refusing
from cli.up import run_up
from runtime.child import Child
from runtime.nursery import Nursery
from runtime.settings import Settings

# Notes its name and process id, writes its environment down, and is ready or beats.
STAND_IN = """
import http.server, json, os, signal, sys
from pathlib import Path
name, folder = sys.argv[1], Path(sys.argv[2])
def end(*_):
    with (folder / "ends").open("a") as file:
        file.write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
ours = {key: value for key, value in os.environ.items() if key.startswith("ITEMLEDGER_")}
(folder / f"{name}.json").write_text(json.dumps(ours))
with (folder / "starts").open("a") as file:
    file.write(f"{name} {os.getpid()}\\n")
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = int(os.environ.get("STAND_INS_ANSWER", "200"))
        self.send_response(ready if self.path.startswith("/health/ready?") else 404)
        self.end_headers()
    def log_message(self, *_): pass
port = {"api": "ITEMLEDGER_COMMAND_PORT", "query": "ITEMLEDGER_QUERY_PORT"}.get(name)
if port:
    http.server.HTTPServer(("127.0.0.1", int(os.environ[port])), Ready).serve_forever()
while True:
    Path(os.environ["ITEMLEDGER_HEARTBEAT"]).touch()
    signal.sigtimedwait((), 0.2)
"""


def stand_ins(settings: Settings, inherited: Mapping[str, str]) -> list[Child]:
    folder = inherited["STAND_INS"]
    return [
        replace(child, argv=(sys.executable, "-I", "-S", "-c", STAND_IN, child.name, folder))
        for child in children(settings, inherited)
    ]


def _run() -> int:
    # What it loads is not what stand-ins are.
    return run_up(read_settings(), list_children=stand_ins, make_nursery=lambda _: Nursery((), {}))


def main() -> None:
    try:
        with refusing():
            os.chdir(os.environ["STAND_INS"])
            sys.exit(_run())
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


if __name__ == "__main__":
    main()

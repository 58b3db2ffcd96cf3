"""The whole service as a user has it, and a plain account of what it has to come to.

Nothing of the product is imported here: the account must not share its mistakes.
"""

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.asking import is_ready
from tests.ports import free_ports
from tests.waiting import until

ROOT = Path(__file__).parents[1]
RETAIL = ROOT.parent / "shared" / "data" / "online-retail-changes.ndjson.gz"
ITEMLEDGER = (sys.executable, "-m", "cli")
_FIELDS = ("name", "description", "price", "currency")
_READY = 60.0


def reasons(folder: Path, file: Path) -> list[dict[str, Any]]:
    """Read what an import from this folder has said of rejected rows, of CSV all of it as text; the
    rows that it has written beside it are as many.
    """
    stem, suffix = file.name.removesuffix(".gz").rsplit(".", 1)
    lines = (folder / f"{stem}.reasons.{suffix}").read_text().splitlines()
    told = list(csv.DictReader(lines)) if suffix == "csv" else list(map(json.loads, lines))
    rows = (folder / f"{stem}.rejects.{suffix}").read_bytes().count(b"\n")
    assert rows == len(told) + (suffix == "csv")
    return told


def retail_rows() -> list[dict[str, Any]]:
    """The real input, or a skip where it is not at hand."""
    if not RETAIL.exists():
        pytest.skip("the real input is not here: shared/data beside the repository")
    with gzip.open(RETAIL) as lines:
        return [json.loads(line) for line in lines]


def beginning_of_the_real_input(folder: Path, count: int) -> tuple[Path, list[dict[str, Any]]]:
    """Write a file of its first rows; return it with the rows."""
    rows = retail_rows()[:count]
    file = folder / "beginning.ndjson.gz"
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), 1))
    return file, rows


class Account:
    """What a plain loop over the rows makes of them: items, histories, and the refused rows."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.histories: dict[str, list[tuple[str, dict[str, Any], str]]] = {}

    def take(self, rows: Iterable[dict[str, Any]]) -> dict[int, str]:
        """Take rows in order; return the code of each refused one by its number."""
        refused: dict[int, str] = {}
        for number, row in enumerate(rows, 1):
            code = self._take(row)
            if code is not None:
                refused[number] = code
        return refused

    def _take(self, row: dict[str, Any]) -> str | None:
        item_id, at = row["id"], row["effective_at"].replace("Z", ".000Z")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}", item_id):
            return "invalid-body"
        old = self.items.get(item_id)
        history = self.histories.setdefault(item_id, [])
        if row["op"] == "put":
            new = {
                "name": row["name"].strip(),
                "description": row.get("description"),
                "price": row["price"],
                "currency": row["currency"],
            }
        else:
            assert row["op"] == "patch"
            if old is None:
                return "item-not-found"
            new = old | {field: row[field] for field in _FIELDS if field in row}
            new["name"] = new["name"].strip()
        if history and at < history[-1][2]:
            return "effective-at-too-early"
        if old is None:
            changes = {f: {"from": None, "to": new[f]} for f in _FIELDS if new[f] is not None}
            history.append(("ItemCreated", changes, at))
        else:
            for kind, fields in (
                ("ItemRenamed", ("name",)),
                ("ItemDescribed", ("description",)),
                ("ItemRepriced", ("price", "currency")),
            ):
                changes = {f: {"from": old[f], "to": new[f]} for f in fields if old[f] != new[f]}
                if changes:
                    history.append((kind, changes, at))
        self.items[item_id] = new
        return None


def take_the_journey(running: "Running", folder: Path, count: int, patience: float = 200) -> None:
    """Import the first rows of the real input, twice, and compare with what a plain loop says."""
    file, rows = beginning_of_the_real_input(folder, count)
    account = Account()
    refused = account.take(rows)
    assert refused == {
        number: "invalid-body" for number, row in enumerate(rows, 1) if row["id"] == "BANK CHARGES"
    }
    assert running.import_file(file).wait(patience) == 1
    assert running.imported().startswith(f"{len(rows):,} rows: "), running.imported()
    assert running.rejected(file) == refused
    running.assert_holds(account)

    before = {item_id: len(history) for item_id, history in account.histories.items()}
    refused = account.take(rows)
    assert "effective-at-too-early" in refused.values()
    assert running.import_file(file).wait(patience) == 1
    assert running.rejected(file) == refused
    moved = [each for each, count in before.items() if len(account.histories[each]) > count]
    running.assert_holds(account, moved)


class Running:
    """A service that runs, however it was started, as its users have it: two URLs, and a token
    where one is asked for.
    """

    def __init__(
        self, folder: Path, command_url: str, query_url: str, token: str | None = None
    ) -> None:
        self.folder, self.command_url, self.query_url = folder, command_url, query_url
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        kept = {name: value for name, value in os.environ.items() if "ITEMLEDGER" not in name}
        self.env = kept | {
            "PYTHONPATH": str(ROOT),
            "ITEMLEDGER_ENV_FILE": "",
            "ITEMLEDGER_COMMAND_URL": command_url,
            "ITEMLEDGER_QUERY_URL": query_url,
            "ITEMLEDGER_TOKEN": token or "",
        }

    def ready(self) -> bool:
        return is_ready(self.command_url, self.query_url)

    def import_file(self, file: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start an import; what it tells is in `import.log`, its result in `import.out`."""
        log, out = self.folder / "import.log", self.folder / "import.out"
        with log.open("ab") as told, out.open("wb") as result:
            return subprocess.Popen(
                [*ITEMLEDGER, "import", str(file), *options],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=told,
            )

    def imported(self) -> str:
        return (self.folder / "import.out").read_text()

    def rejected(self, file: Path) -> dict[int, str]:
        """Read which rows of an import were rejected, and why."""
        told = reasons(self.folder, file)
        assert len({each["row"] for each in told}) == len(told)
        return {int(each["row"]): each["code"] for each in told}

    def head(self) -> int:
        """How many commands the ledger has taken, 0 while nobody answers."""
        try:
            answer = httpx.get(f"{self.query_url}/status", headers=self.headers, trust_env=False)
        except httpx.TransportError:
            return 0
        return answer.json()["totals"]["outcomes"] if answer.is_success else 0

    def reader(self) -> httpx.Client:
        """Make a client of the query API."""
        return httpx.Client(
            base_url=self.query_url,
            headers=self.headers,
            trust_env=False,
            timeout=30,
            # With one, a thread that was held up finds the connection that it was just given closed
            # by another (httpcore takes it for idle until the request is written).
            limits=httpx.Limits(keepalive_expiry=None),
        )

    def items(self) -> Iterator[dict[str, Any]]:
        with self.reader() as client:
            yield from _pages(client, "/items", "items")

    def assert_holds(self, account: Account, histories: Iterable[str] | None = None) -> None:
        """Compare all items, and the histories of these items (of all, if not said)."""
        with self.reader() as client:
            found = {each["id"]: each for each in _pages(client, "/items", "items")}
            expected = {
                item_id: item | {"version": len(account.histories[item_id])}
                for item_id, item in account.items.items()
            }
            assert {
                item_id: {name: each[name] for name in (*_FIELDS, "version")}
                for item_id, each in found.items()
            } == expected

            def compare(item_id: str) -> None:
                events = list(_pages(client, f"/items/{item_id}/history", "events"))
                events.reverse()
                told = [(each["type"], each["changes"], each["effective_at"]) for each in events]
                assert told == account.histories[item_id], item_id
                assert [each["version"] for each in events] == list(range(1, len(events) + 1))
                times = [each["recorded_at"] for each in events]
                assert times == sorted(times)

            with ThreadPoolExecutor(2) as readers:
                list(readers.map(compare, account.items if histories is None else histories))


class Deployment(Running):
    """`itemledger up` on free ports with a folder of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        ports = free_ports()
        super().__init__(folder, *(f"http://127.0.0.1:{port}" for port in ports))
        self.log = folder / "up.log"
        # It works them out by itself, as those who use it do.
        for name in ("ITEMLEDGER_COMMAND_URL", "ITEMLEDGER_QUERY_URL"):
            del self.env[name]
        self.env |= {
            "ITEMLEDGER_DATA": str(folder / "data"),
            "ITEMLEDGER_COMMAND_PORT": str(ports[0]),
            "ITEMLEDGER_QUERY_PORT": str(ports[1]),
        }
        self._only_up = {"ITEMLEDGER_DATABASE_URL": database_url}

    def start(self) -> subprocess.Popen[bytes]:
        """Start it and wait until both services are ready."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*ITEMLEDGER, "up"],
                cwd=self.folder,
                env=self.env | self._only_up,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: self.ready() or process.poll() is not None, _READY, "both services ready")
        assert process.poll() is None, self.log.read_text()[-2000:]
        return process

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it for the block; then one Ctrl-C ends it with 0 and leaves nothing behind."""
        process = self.start()
        try:
            yield process
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, self.log.read_text()[-2000:]
            left = [each for each in family if _runs(each)]
            assert not left, f"left behind: {left}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _pages(client: httpx.Client, path: str, member: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(path, params={"limit": "200"} | cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page[member]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

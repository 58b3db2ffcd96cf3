"""What is exported can be imported elsewhere, and is the same there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journey import ITEMLEDGER, Deployment

# Two whole services, one after the other.
pytestmark = pytest.mark.timeout(240)

MEMBERS = ("id", "name", "description", "price", "currency")
MAP = ",".join(f"{each}:{each}" for each in MEMBERS)
ROWS: list[dict[str, Any]] = [
    {"id": "lamp-1", "name": "Elegant Lamp", "price": 4995, "currency": "EUR"},
    {"id": "lamp-2", "name": 'A "gaudy", lamp ☀', "price": 0, "currency": "USD"},
    {
        "id": "a~b._-C",
        "name": "=SUM(A1:A9)",
        "description": "two\r\nlines, and a \\ and a \t",
        "price": 2**53 - 1,
        "currency": "JPY",
    },
    {"id": "zebra", "name": "'-+@", "description": "\U0001d4b3", "price": 1, "currency": "EUR"},
]


def export(deployment: Deployment, *options: str) -> tuple[bytes, str]:
    done = subprocess.run(
        [*ITEMLEDGER, "export", *options],
        cwd=deployment.folder,
        env=deployment.env,
        capture_output=True,
        check=True,
    )
    return done.stdout, done.stderr.decode()


def imported(deployment: Deployment, file: Path, *options: str) -> None:
    assert deployment.import_file(file, *options).wait(60) == 0, deployment.imported()


def told(deployment: Deployment) -> dict[str, list[Any]]:
    return {each["id"]: [each[name] for name in MEMBERS] for each in deployment.items()}


def test_an_export_that_is_imported_elsewhere_gives_the_same_items(
    tmp_path: Path, sqlite_url: str, migrated_sqlite_file: Path
) -> None:
    rows = tmp_path / "rows.ndjson"
    rows.write_text("".join(f"{json.dumps(each)}\n" for each in ROWS))
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one = Deployment(tmp_path / "one", sqlite_url)
    files = [tmp_path / "items.csv", tmp_path / "items.ndjson"]
    with one.up():
        imported(one, rows)
        before = told(one)
        assert len(before) == len(ROWS)
        _, said = export(one, "--format", "csv", "--output", str(files[0]))
        lines, _ = export(one)
        files[1].write_bytes(lines)
        url = said.split()[-1]
        assert httpx.get(url, trust_env=False, timeout=30).json()["changes"] == []
    database = tmp_path / "other.db"
    database.write_bytes(migrated_sqlite_file.read_bytes())
    other = Deployment(tmp_path / "other", f"sqlite:///{database}")
    with other.up():
        for file in files:
            # Every item gets another price between the two, which the second brings back.
            for item_id in told(other):
                answer = httpx.patch(
                    f"{other.command_url}/items/{item_id}",
                    json={"price": 77},
                    headers={"Prefer": "wait=20"},
                    trust_env=False,
                    timeout=30,
                )
                assert answer.status_code == httpx.codes.OK
            imported(other, file, "--map", MAP)
            assert told(other) == before

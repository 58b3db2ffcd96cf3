"""Items as a shop has them, written over the command API."""

from collections.abc import Sequence
from typing import Any

import httpx

from tests.journey import Deployment


def write(deployment: Deployment, *commands: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Send commands as a batch and return what became of them, row by row."""
    answer = httpx.post(
        f"{deployment.command_url}/items/batch",
        json={"commands": commands},
        headers={"Prefer": "wait=20"},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def put(item_id: str, name: str, price: int = 1299, **fields: Any) -> dict[str, Any]:
    return {"op": "put", "id": item_id, "name": name, "price": price, **fields}


def patch(item_id: str, **fields: Any) -> dict[str, Any]:
    return {"op": "patch", "id": item_id, **fields}

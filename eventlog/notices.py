"""Telling the API processes that wait what became of their commands. Hints only, never the truth:
a notice that is lost only turns an answer into "not yet".
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from redis.client import Pipeline

from domain.outcomes import Outcome
from eventlog import keys
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Notice:
    """An outcome for the API process `reply_to`, with the item as rendered where there is a body.

    `fingerprint` is that of the sender's payload; `reused` where it is not the payload that the
    command was accepted with.
    """

    reply_to: str
    fingerprint: str
    outcome: Outcome
    position: Position
    body: str | None
    reused: bool = False


def publish(pipeline: "Pipeline", notices: Iterable[Notice]) -> None:
    """Queue one message per API process on the pipeline."""
    by_instance: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for notice in notices:
        outcome = notice.outcome
        by_instance[notice.reply_to].append(
            {
                "id": outcome.command_id,
                "item": outcome.item_id,
                "status": outcome.status,
                "http": outcome.http_status,
                "version": outcome.version,
                "code": outcome.code,
                "detail": outcome.detail,
                "at": notice.position.token,
                "body": notice.body,
                "fp": notice.fingerprint,
                "reused": notice.reused,
            }
        )
    for instance, documents in by_instance.items():
        pipeline.publish(keys.outcomes(instance), orjson.dumps(documents))


def read(message: bytes, reply_to: str) -> list[Notice]:
    return [
        Notice(
            reply_to,
            each["fp"],
            Outcome(
                each["id"],
                each["item"],
                each["status"],
                each["http"],
                each["version"],
                each["code"],
                each["detail"],
            ),
            Position.from_token(each["at"]),
            each["body"],
            each["reused"],
        )
        for each in orjson.loads(message)
    ]

"""The operations on commands that met a defect."""

from collections.abc import Sequence

from api.openapi import shapes
from api.openapi.table import Answer, Operation


def _order(name: str, summary: str, says: str) -> Operation:
    return Operation(
        "post",
        f"/dead/{{command_id}}/{name}",
        f"{name}_dead_command",
        "dead",
        summary,
        {
            202: Answer(
                "The order is on disk in the log; Location tells what came of it",
                "OrderAnswer",
                shapes.ORDER,
                ("Location", "Consistency-Token", "Retry-After"),
            )
        },
        ("CommandId", "Partition", "IdempotencyKey"),
        None,
        (
            "malformed-header",
            "bad-parameter",
            "not-dead",
            "not-accepted",
            "outcome-unknown",
            "body-too-large",
        ),
        (),
        f"{says} Where there is no such dead command, nothing changes, and the outcome of the "
        "order is `rejected`.",
    )


OF_DEAD: Sequence[Operation] = (
    _order(
        "replay",
        "Try a dead command again",
        "It is tried before those parked behind it, which go on after it.",
    ),
    _order(
        "discard",
        "Give a dead command up",
        "Its outcome is `discarded`, and those parked behind it go on.",
    ),
)

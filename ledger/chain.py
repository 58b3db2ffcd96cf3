"""The hash chain: each event's hash covers the event and the hash before it in its partition."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

# What the first event of a partition links to.
GENESIS = "0" * 64

# What a hash covers of an event, in this order.
COVERED = (
    "partition",
    "offset",
    "item_id",
    "version",
    "type",
    "data",
    "command_id",
    "actor",
    "reason",
    "recorded_at",
    "effective_at",
)


def link(previous: str, row: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of the previous hash and the event's row."""
    return link_values(previous, [row[name] for name in COVERED])


def link_values(previous: str, covered: Sequence[Any]) -> str:
    """Do the same for the values of `COVERED`."""
    return hashlib.sha256(previous.encode() + orjson.dumps(covered)).hexdigest()

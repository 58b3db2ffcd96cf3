"""Ids of commands and items: by time, or derived from what makes a request the same request."""

import base64
import hashlib
import json
import os
from typing import Any

from runtime.keyed_ids import uuid8, uuid_of

_VERSION_7 = 0x7


def uuid7(now: int) -> str:
    """Make a UUIDv7 (RFC 9562, 5.7) of a moment in milliseconds and 74 random bits."""
    random = int.from_bytes(os.urandom(10))
    return uuid_of((now << 80) | random, _VERSION_7)


def new_item_id(command_id: str, now: int, *, keyed: bool) -> str:
    """Make the id of an item that a command creates; with a key a repeat makes the same."""
    return uuid8(command_id, "item") if keyed else uuid7(now)


def fingerprint(payload: Any) -> str:
    """Return 128 bits of the SHA-256 of a payload, whatever the order of its members."""
    # The standard library's encoder: a payload that is refused later may hold numbers of any size.
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()

"""Ids of commands and items: by time, or derived from what makes a request the same request."""

import base64
import hashlib
import json
import os
from typing import Any

import orjson

_VERSION_7 = 0x7
_VERSION_8 = 0x8
_VARIANT = 0b10
# All but the bits of version and variant.
_RANDOM = (1 << 128) - 1 & ~((0xF << 76) | (0x3 << 62))


def uuid7(now: int) -> str:
    """Make a UUIDv7 (RFC 9562, 5.7) of a moment in milliseconds and 74 random bits."""
    random = int.from_bytes(os.urandom(10))
    return _uuid((now << 80) | random, _VERSION_7)


def uuid8(*parts: str) -> str:
    """Make the UUIDv8 (RFC 9562, 5.8) of the SHA-256 of these parts."""
    digest = hashlib.sha256(orjson.dumps(parts)).digest()
    return _uuid(int.from_bytes(digest[:16]), _VERSION_8)


def keyed_id(subject: str, method: str, path: str, key: str) -> str:
    """Derive a command's id from who sends it where under which key."""
    return uuid8("command", subject, method, path, key)


def new_item_id(command_id: str, now: int, *, keyed: bool) -> str:
    """Make the id of an item that a command creates; with a key a repeat makes the same."""
    return uuid8(command_id, "item") if keyed else uuid7(now)


def fingerprint(payload: Any) -> str:
    """Return 128 bits of the SHA-256 of a payload, whatever the order of its members."""
    # The standard library's encoder: a payload that is refused later may hold numbers of any size.
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def _uuid(bits: int, version: int) -> str:
    bits = bits & _RANDOM | (version << 76) | (_VARIANT << 62)
    # As the standard library's class writes it, without making one.
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

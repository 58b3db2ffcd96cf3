"""The ids of commands and imports that are sent under a key: derived, so that a repeat has the same
one, and whoever knows the key can find what was sent under it.
"""

import hashlib

import orjson

_VERSION_8 = 0x8
_VARIANT = 0b10
# All but the bits of version and variant.
_FREE = (1 << 128) - 1 & ~((0xF << 76) | (0x3 << 62))


def keyed_id(subject: str, method: str, path: str, key: str) -> str:
    """Derive the id of what somebody sends where under which key."""
    return uuid8("command", subject, method, path, key)


def uuid8(*parts: str) -> str:
    """Make the UUIDv8 (RFC 9562, 5.8) of the SHA-256 of these parts."""
    digest = hashlib.sha256(orjson.dumps(parts)).digest()
    return uuid_of(int.from_bytes(digest[:16]), _VERSION_8)


def uuid_of(bits: int, version: int) -> str:
    """Write a UUID of 122 bits out of 128; the others say its version."""
    bits = bits & _FREE | (version << 76) | (_VARIANT << 62)
    # As the standard library's class writes it, without making one.
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

"""Cursors: where a page ended, signed and bound to the list it belongs to; places in the feed."""

import hashlib
import re
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from itsdangerous import BadData, BadPayload, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

# A place in the feed, as it is written: offsets, which every database can count.
_OFFSETS = re.compile(r"(?:[0-9]{1,18}(?:-[0-9]{1,18})*)?")

# Bytes of a place as JSON: a name and an id, each character written as an escape, are less.
_PLACE_LIMIT = 16 * 1024

_NO_FEED_CURSOR = (
    "not a cursor of the feed: take one as it came, from a change, from `next` or from an export, "
    "or leave it out to begin at the beginning"
)


class BadCursor(ValueError):
    """The text is no cursor of this list."""


class _Serializer(URLSafeSerializer):
    """Packs what becomes shorter by it, and unpacks only so much: who knows the key could make a
    short text of very much.
    """

    def load_payload(self, payload: bytes, *args: Any, **kwargs: Any) -> Any:
        if payload.startswith(b"."):
            unpacking = zlib.decompressobj()
            try:
                plain = unpacking.decompress(base64_decode(payload[1:]), _PLACE_LIMIT)
            except (BadData, zlib.error) as error:
                raise BadPayload("not packed as it should be", original_error=error) from error
            if not unpacking.eof:
                raise BadPayload("longer than any place")
            payload = base64_encode(plain)
        return super().load_payload(payload, *args, **kwargs)


class Cursors:
    """Writes and reads cursors; `key` signs them."""

    def __init__(self, key: str) -> None:
        self._serializer = _Serializer(
            key, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def write(self, place: object, *binding: object) -> str:
        """Write down a place in the list that `binding` names: its resource, filter and sort."""
        return self._serializer.dumps(place, salt=_salt(binding))

    def read(self, cursor: str, *binding: object) -> Any:
        """Read a place back. Raises BadCursor where the cursor is not of exactly this list."""
        try:
            return self._serializer.loads(cursor, salt=_salt(binding))
        except BadData as error:
            raise BadCursor(
                "not a cursor of this list: leave filters and sort as they were, "
                "or start again without a cursor"
            ) from error


def _salt(binding: tuple[object, ...]) -> bytes:
    return orjson.dumps(binding)


class FeedCursors:
    """Writes and reads places in the feed: the last offset of each partition. There is one for
    every change of a page, so it is short, and costs one hash.
    """

    def __init__(self, key: str) -> None:
        # Another salt than any list's: those are JSON.
        salt, method = b"changes", hashlib.sha256
        derived = Signer(key, salt, key_derivation="hmac", digest_method=method).derive_key()
        self._signer = Signer(derived, salt, key_derivation="none", digest_method=method)

    def write(self, place: Sequence[int]) -> str:
        return self._signer.sign("-".join(map(str, place))).decode()

    def read(self, cursor: str) -> tuple[int, ...]:
        """Read a place back. Raises BadCursor where the text is no cursor of the feed."""
        try:
            place = self._signer.unsign(cursor.encode(errors="replace")).decode()
        except BadData as error:
            raise BadCursor(_NO_FEED_CURSOR) from error
        # Who knows the key, which is not everybody's own, could have signed anything.
        if _OFFSETS.fullmatch(place) is None:
            raise BadCursor(_NO_FEED_CURSOR)
        return tuple(map(int, place.split("-"))) if place else ()

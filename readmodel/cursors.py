"""Cursors: where a page ended, signed and bound to the list it belongs to; places in the feed."""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from itsdangerous import BadData, Signer, URLSafeSerializer


class BadCursor(ValueError):
    """The text is no cursor of this list."""


class Cursors:
    """Writes and reads cursors; `key` signs them."""

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeSerializer(
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
            raise BadCursor(
                "not a cursor of the feed: take one as it came, from a change, from `next` or from "
                "an export, or leave it out to begin at the beginning"
            ) from error
        return tuple(map(int, place.split("-"))) if place else ()

"""Cursors: where a page ended, signed and bound to the list it belongs to."""

import hashlib
from typing import Any

import orjson
from itsdangerous import BadData, URLSafeSerializer


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

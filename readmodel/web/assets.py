"""Style sheets and scripts of the pages, all served from here: nothing comes from elsewhere."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
VENDOR = FOLDER / "vendor"

_MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages need."""

    media_type: str
    body: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Load the files by their names. They stand side by side, whichever folder they are kept in: so
    a script can name another one.
    """
    files = (each for each in sorted(FOLDER.rglob("*")) if each.suffix in _MEDIA_TYPES)
    return {each.name: Asset(_MEDIA_TYPES[each.suffix], each.read_bytes()) for each in files}


@cache
def edition() -> str:
    """Name what all files hold: their URLs change with it, and may be kept for ever."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(hashlib.sha256(name.encode()).digest())
        digest.update(hashlib.sha256(asset.body).digest())
    return digest.hexdigest()[:16]

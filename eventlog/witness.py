"""How far a command API has acknowledged, on disk: it may die, and Redis come back shorter, before
it could tell anybody.

A file of fixed size that is mapped into memory: writing costs no system call, and what is written
outlives the process. Only the machine's own crash may take it.
"""

import fcntl
import hashlib
import mmap
import os
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from runtime.positions import Position

# Epoch, n, and both mixed: a place that was half written does not fit, and does not count.
_PLACE = struct.Struct("<QQQ")
# Epochs that are kept per partition: a loss may be found after newer ones have begun.
_EPOCHS = 4
_MIX = 0x9E3779B97F4A7C15
_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


class WitnessTaken(Exception):
    """Another process keeps this file; `str()` says what to do."""


class Witness:
    """One process at a time has the file; the next one finds what it kept."""

    def __init__(self, path: Path, partitions: int) -> None:
        """Raises WitnessTaken, and OSError where the file can not be made."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._partitions = partitions
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(
                descriptor, max(partitions * _EPOCHS * _PLACE.size, os.fstat(descriptor).st_size)
            )
            self._map = mmap.mmap(descriptor, 0)
        except BlockingIOError as error:
            os.close(descriptor)
            raise WitnessTaken(
                f"another command API keeps {path}: give each its own ITEMLEDGER_WITNESS"
            ) from error
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        # Per partition the place of each epoch that is kept.
        self._places: list[dict[int, int]] = [{} for _ in range(partitions)]
        for slot, position in self._kept():
            self._places[position.partition][position.epoch] = slot % _EPOCHS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._map.flush()
        self._map.close()
        os.close(self._descriptor)

    def keep(self, position: Position) -> None:
        """Keep this as the last position acknowledged in its epoch; a few epochs are kept."""
        slot = self._slot(position.partition, position.epoch)
        mixed = (position.epoch * _MIX ^ position.n) & _64_BITS
        _PLACE.pack_into(self._map, slot * _PLACE.size, position.epoch, position.n, mixed)

    def read(self) -> list[Position]:
        """Tell what was kept, by this process or the one before."""
        return [position for _, position in self._kept()]

    def _kept(self) -> Iterator[tuple[int, Position]]:
        for slot in range(self._partitions * _EPOCHS):
            epoch, n, mixed = _PLACE.unpack_from(self._map, slot * _PLACE.size)
            if n and mixed == (epoch * _MIX ^ n) & _64_BITS:
                yield slot, Position(slot // _EPOCHS, epoch, n)

    def _slot(self, partition: int, epoch: int) -> int:
        """Find the place of an epoch; a new one takes that of the oldest."""
        places = self._places[partition]
        place = places.get(epoch)
        if place is None:
            free = set(range(_EPOCHS)) - set(places.values())
            place = min(free) if free else places.pop(min(places))
            places[epoch] = place
        return partition * _EPOCHS + place


@contextmanager
def witnessing(path: Path | None, log_url: str, partitions: int) -> Generator[Witness | None]:
    """Open the file that goes with this log, `None` where there is to be none.

    Raises what Witness does.
    """
    if path is None:
        yield None
        return
    # What was acknowledged by another Redis says nothing of this one.
    which = hashlib.sha256(log_url.encode()).hexdigest()[:12]
    with Witness(path.with_name(f"{path.name}-{which}"), partitions) as witness:
        yield witness

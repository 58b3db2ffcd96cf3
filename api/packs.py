"""The rows of a batch on their way to the log: those of one partition travel in one entry."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.ids import fingerprint
from eventlog.append import Submission, Verdict
from eventlog.packing import Row, Shared, pack
from eventlog.partition import partition_of
from runtime.positions import Position


@dataclass(frozen=True, slots=True)
class Parcel:
    """The rows of one partition; `places` are theirs among all rows of the batch that are sent."""

    partition: int
    places: Sequence[int]
    submission: Submission


# A parcel, and what became of it.
Delivered = tuple[Parcel, Verdict]


def parcels(
    pack_id: str, shared: Shared, rows: Sequence[Row], partitions: int, *, keyed: bool
) -> list[Parcel]:
    """Pack rows by the partitions that their items are of, in their order."""
    places: dict[int, list[int]] = {}
    if partitions == 1:
        places[0] = list(range(len(rows)))
    else:
        for place, (_, command, _, _) in enumerate(rows):
            partition = partition_of(command.item_id, partitions)
            places.setdefault(partition, []).append(place)
    return [
        Parcel(partition, mine, _packed(pack_id, shared, [rows[each] for each in mine], keyed))
        for partition, mine in places.items()
    ]


def _packed(pack_id: str, shared: Shared, rows: Sequence[Row], keyed: bool) -> Submission:
    printed = fingerprint([[number, theirs] for number, _, theirs, _ in rows]) if keyed else ""
    body = pack(pack_id, shared, rows, printed)
    return Submission(pack_id, body, printed, width=len(rows))


def first_of(parcel: Parcel, last: Position) -> int:
    """Tell the n of a parcel's first row, where its last one stands at a position."""
    return last.n - parcel.submission.width + 1

"""The faults of every class, by name."""

from collections.abc import Mapping

from tests.chaos.faults import (
    of_databases,
    of_disks,
    of_points,
    of_processes,
    of_rq,
    of_setbacks,
    of_valkey,
)
from tests.chaos.faults.kind import Kind

KINDS: Mapping[str, Kind] = {
    name: kind
    for module in (
        of_processes,
        of_points,
        of_valkey,
        of_databases,
        of_disks,
        of_rq,
        of_setbacks,
    )
    for name, kind in module.registry.kinds.items()
}

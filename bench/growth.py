"""G12: what a hundred times as many items change."""

import random
from collections.abc import Mapping

import httpx

from bench.applying import drained
from bench.load import closed
from bench.measure import Found, interleave, ratios
from bench.reads import drawn, gets
from bench.sides import Service, Stage, item
from bench.sizes import Size

# Accepted at once, on both sides: what waits together is worked at together, and takes memory.
_AT_ONCE = 10_000
# Keeps what was accepted for a quarter of an hour, of however many items.
_LOG = "valkey-server"
# Bytes of items and of lists in memory, which have a limit of their own.
_KEPT = ("itemledger_item_cache_bytes ", "itemledger_list_memory_bytes ")


def growth(stage: Stage, size: Size) -> Found:
    counts = {f"{count:,} items": count for count in (size.few, size.many)}
    services = {
        name: stage.service(default_currency="EUR", backlog_limit=1_000_000 + n)
        for n, name in enumerate(counts)
    }
    traffic = {name: gets(stage, drawn(size, count), "item-") for name, count in counts.items()}
    for name, count in counts.items():
        for start in range(0, count, _AT_ONCE):
            services[name].fill(start, min(start + _AT_ONCE, count))
            services[name].await_applied()
        closed(services[name].queries, traffic[name], size.seconds)
    dice = random.Random(7)  # noqa: S311  of a bench

    def changes(count: int) -> list[dict[str, object]]:
        return [item(dice.randrange(count), stage.new()) for _ in range(size.commands)]

    reads = interleave(
        size.repeats,
        {
            name: lambda name=name: closed(services[name].queries, traffic[name], size.seconds)
            for name in counts
        },
    )
    applies = interleave(
        size.fewer,
        {
            name: lambda name=name, count=count: drained(services[name], changes(count))
            for name, count in counts.items()
        },
    )
    few, many = counts
    grown, note = _grown(services[few], services[many])
    return Found(
        {f"read, {name}": them for name, them in reads.items()}
        | {f"apply, {name}": them for name, them in applies.items()},
        {
            "read, warm": ratios(reads[many], reads[few]),
            "apply": ratios(applies[many], applies[few]),
            "memory of the process that grew most": [grown],
        },
        [note],
    )


def _grown(few: Service, many: Service) -> tuple[float, str]:
    """Tell how many times as large the process is that grew most, and the memory of all."""
    before, after = (_less_kept(service) for service in (few, many))
    told = ", ".join(f"{name} {before[name]:.0f} and {after[name]:.0f}" for name in before)
    grown = max(after[name] / before[name] for name in before if name != _LOG)
    return grown, (
        f"MB by process, with few and with many items: {told}; of query without what it keeps "
        "within its limits. Pages of the database's file, which the query process looks at in the "
        "memory of the system, are not its own. Valkey does not count: it keeps what was accepted "
        "within the last quarter of an hour, of however many items."
    )


def _less_kept(service: Service) -> Mapping[str, float]:
    """Tell the memory of all processes, without what the query process keeps within its limits."""
    memory = dict(service.own_memory())
    told = httpx.get(f"{service.deployment.query_url}/metrics", trust_env=False).text
    kept = [line.rpartition(" ")[2] for line in told.splitlines() if line.startswith(_KEPT)]
    memory["query"] -= sum(map(float, kept)) / 1e6
    return memory

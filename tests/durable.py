"""A log's Redis that keeps everything, as it tells of itself."""

from eventlog.durability import LogDurability

SAFE = LogDurability(
    appendonly=True,
    appendfsync="always",
    skips_fsync_on_rewrite=False,
    untold=None,
    last_write_ok=True,
    unsettled=False,
    incomplete=False,
    eviction="noeviction",
    used_memory=1,
    maxmemory=100,
    replicas=0,
)

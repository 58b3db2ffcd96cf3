"""The number of partitions, stored with the log at the first start."""

from redis import Redis

from eventlog import keys
from runtime.positions import PartitionMismatch


def stored_count(redis: "Redis") -> int | None:
    value = redis.get(keys.PARTITION_COUNT)
    return None if value is None else int(value)


def claim(redis: "Redis", count: int) -> None:
    """Store the number at the first start.

    Raises PartitionMismatch where the log was laid out for another number.
    """
    stored = stored_count(redis)
    if stored is None:
        # Not asked where it is known: a full server takes no write, and is there to be drained.
        redis.set(keys.PARTITION_COUNT, count, nx=True)
        stored = stored_count(redis)
    if stored != count:
        raise PartitionMismatch(
            f"the log has {stored} partitions and this process is told {count}: "
            f"set ITEMLEDGER_PARTITIONS={stored}, or start with an empty Redis"
        )

"""The names of everything on Redis. A partition's keys share a hash tag, so one script may touch
them all and a cluster may spread partitions.
"""

PARTITION_COUNT = "itemledger:partitions"
READY = "itemledger:ready"
RUNG = "itemledger:rung"
QUEUE = "itemledger"
# Hash: by the name of a worker process, how it is.
WORKERS = "itemledger:workers"
# Hash: what the workers have counted, see `eventlog.tally`.
TALLY = "itemledger:tally"
# Hash: what cron says of itself, see `eventlog.ticks`.
CRON = "itemledger:cron"
# Hash: the ids of revoked tokens, and the version of that list.
REVOKED = "itemledger:revoked"


def log(partition: int) -> str:
    """Stream of accepted commands."""
    return f"itemledger:{{{partition}}}:log"


def head(partition: int) -> str:
    """Hash: the server's run_id, the epoch, and the n last given out in it."""
    return f"itemledger:{{{partition}}}:head"


def epochs(partition: int) -> str:
    """Hash: of every epoch that has ended, its last n."""
    return f"itemledger:{{{partition}}}:epochs"


def bell(partition: int) -> str:
    """Raised with an append, cleared before the log is read."""
    return f"itemledger:{{{partition}}}:bell"


def done(partition: int) -> str:
    """Position up to which the ledger has taken the partition; a hint for the sweeper."""
    return f"itemledger:{{{partition}}}:done"


def marks(partition: int) -> str:
    """Sorted set: positions that were applied, by the time they were."""
    return f"itemledger:{{{partition}}}:marks"


def lost(partition: int) -> str:
    """Sorted set: by epochs that have ended, the last n that an API process saw acknowledged,
    where that is beyond the epoch's end.
    """
    return f"itemledger:{{{partition}}}:lost"


def begun(partition: int) -> str:
    """Hash: the position after which a batch was begun, and how many times it was."""
    return f"itemledger:{{{partition}}}:begun"


def alone(partition: int) -> str:
    """Hash: the position of a command that was begun alone, and how many times it was."""
    return f"itemledger:{{{partition}}}:alone"


def row(partition: int) -> str:
    """Hash: the id of a row of an entry that was begun alone, and how many times it was."""
    return f"itemledger:{{{partition}}}:row"


def command(partition: int, command_id: str) -> str:
    """Where a command's id, position and fingerprint are remembered."""
    return f"itemledger:{{{partition}}}:id:{command_id}"


def outcomes(instance: str) -> str:
    """Channel on which one API process hears what became of the commands it waits for."""
    return f"itemledger:outcomes:{instance}"


def turn(chore: str) -> str:
    """Set while a chore that comes round is not due again."""
    return f"itemledger:turn:{chore}"


def batch(batch_id: str) -> str:
    """Fingerprint of the payload a keyed batch came with."""
    return f"itemledger:batch:{batch_id}"


def import_state(import_id: str) -> str:
    """Hash: where an import stands while it is fed, and a day longer."""
    return f"itemledger:import:{import_id}"


def moves(database: int) -> str:
    """Channel on which query processes hear where the ledger of this database's log is."""
    return f"itemledger:moves:{database}"

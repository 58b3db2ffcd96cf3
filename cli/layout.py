"""See that database and log are laid out alike, and as the settings say."""

from redis.exceptions import RedisError

from cli.refusals import UNREACHABLE, WRONG_USAGE, Refusal, reason, without_password
from eventlog import layout
from eventlog.clients import working_client
from ledger import partitions
from ledger.engines import reading_engine
from runtime.settings import PREFIX, Settings


def check_layout(settings: Settings) -> None:
    """Raise Refusal where the number of partitions that is stored is not the one that is set, or
    database and log have different ones.
    """
    ledger, log = _of_ledger(settings), _of_log(settings)
    if ledger is not None and log is not None and ledger != log:
        raise Refusal(
            f"the database has {_partitions(ledger)} and the log has {_partitions(log)}, so they "
            f"do not belong together: mend --database-url ({PREFIX}DATABASE_URL) or --redis-url "
            f"({PREFIX}REDIS_URL)",
            WRONG_USAGE,
        )
    stored, told = ledger or log, settings.partitions
    if stored is not None and told is not None and stored != told:
        raise Refusal(
            f"the data has {_partitions(stored)}, not {told}, and the number is fixed at the first "
            f"start: set {PREFIX}PARTITIONS to {stored}, or unset it",
            WRONG_USAGE,
        )


def _of_ledger(settings: Settings) -> int | None:
    engine = reading_engine(settings.sql_url, connections=1)
    try:
        return partitions.stored_count(engine)
    finally:
        engine.dispose()


def _of_log(settings: Settings) -> int | None:
    try:
        with working_client(settings.log_url) as redis:
            return layout.stored_count(redis)
    except RedisError as error:
        raise Refusal(
            f"cannot read the log of {without_password(settings.log_url)}: "
            f"{reason(settings.log_url, error)}",
            UNREACHABLE,
        ) from None


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"{count} partitions"

"""`itemledger alive`: has the worker or cron of this machine given a sign of life lately."""

from cli.refusals import FAILED, WRONG_USAGE, Refusal
from runtime.settings import PREFIX, Settings


def check_alive(settings: Settings, max_age: float, now: float) -> str:
    """Say how old the last sign of life is at `now`, in seconds since 1970.

    Raises Refusal where it is older than `max_age` seconds, or there is none.
    """
    file = settings.heartbeat
    if file is None:
        raise Refusal(
            f"{PREFIX}HEARTBEAT is not set: give it the file that the worker or cron was given",
            WRONG_USAGE,
        )
    try:
        age = now - file.stat().st_mtime
    except OSError as error:
        raise Refusal(f"no sign of life: cannot look at {file}: {error.strerror}", FAILED) from None
    if age > max_age:
        raise Refusal(f"no sign of life for {age:.1f} s: {file}", FAILED)
    return f"The last sign of life is {max(age, 0):.1f} s old."

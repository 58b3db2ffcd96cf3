"""See that a Redis of somebody's own answers."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.refusals import UNREACHABLE, Refusal, reason, without_password

_TIMEOUT = 5.0


def ping(url: str, mend: str) -> None:
    """Raise Refusal where the Redis does not answer, or does not let us in."""
    try:
        # One try: whoever starts a service wants to know at once.
        with redis.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            client.ping()
    except redis.AuthenticationError:
        why = "it does not take this password" if "@" in url else "it wants a password"
        raise Refusal(
            f"cannot use the Redis {without_password(url)}: {why}; {mend}", UNREACHABLE
        ) from None
    except redis.InvalidResponse:
        raise Refusal(
            f"cannot use the Redis {without_password(url)}: who answers there is none; {mend}",
            UNREACHABLE,
        ) from None
    except (redis.RedisError, ValueError, OSError) as error:
        raise Refusal(
            f"cannot use the Redis {without_password(url)}: {reason(url, error)}; start it, {mend}",
            UNREACHABLE,
        ) from None

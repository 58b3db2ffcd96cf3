"""What was asked for under a key, remembered with the log: the same key with other wishes is
refused, and told what differs.
"""

from collections.abc import Mapping

from redis.exceptions import RedisError

from api.batch_keys import Remember
from api.ids import fingerprint
from api.problems import ProblemRaised, key_reused, not_accepted, retry_after
from runtime.problems import Problem

_SHORT = 8


async def require_the_same(
    remember: Remember, import_id: str, wishes: Mapping[str, object]
) -> None:
    """Refuse an import under the key of one that was to be another, before anything of it is
    accepted. Raises ProblemRaised.
    """
    whole = fingerprint(tuple(wishes.values()))
    parts = {name: fingerprint(value)[:_SHORT] for name, value in wishes.items()}
    try:
        before = await remember(import_id, " ".join((whole, *parts.values())))
    except (RedisError, OSError) as error:
        raise ProblemRaised(
            not_accepted(f"the log is not to be reached: {error}"), retry_after()
        ) from error
    if before is None:
        return
    first, *others = before.split(" ")
    if first == whole:
        return
    # An earlier release remembered the whole alone.
    if len(others) == len(parts):
        names = [
            name for (name, part), other in zip(parts.items(), others, strict=True) if part != other
        ]
        raise ProblemRaised(_reused(f"had another {' and another '.join(names)}"))
    raise ProblemRaised(_reused(f"had other wishes: one of {', '.join(parts)}"))


def _reused(differs: str) -> Problem:
    told = key_reused()
    detail = f"the import that the same caller sent under this key before {differs}"
    return Problem(told.status, told.code, told.title, detail)

"""Which form an answer has, by `Accept` (RFC 9110, 12.5.1)."""

from collections.abc import Sequence

from flask import request

from readmodel.answers import FRESH_ONLY
from readmodel.problem_codes import NOT_ACCEPTABLE
from readmodel.problems import Trouble, problem


def choose(offered: Sequence[str]) -> str:
    """Choose of the media types that are offered the one that the client likes best; of those that
    it likes equally, and where it does not say, the first.

    Raises Trouble where it takes none of them.
    """
    accepted = [
        (value.partition(";")[0].strip().lower(), q) for value, q in request.accept_mimetypes
    ]
    if not accepted:
        return offered[0]
    liked = {each: _quality(accepted, each) for each in offered}
    best = max(offered, key=lambda each: liked[each])
    if liked[best] > 0:
        return best
    detail = f"this resource is to be had as {', '.join(offered)}; mend Accept, or leave it out"
    raise Trouble(problem(NOT_ACCEPTABLE, detail), {**FRESH_ONLY, "Vary": "Accept"})


def _quality(accepted: Sequence[tuple[str, float]], offered: str) -> float:
    """Find the quality of a type: that of the most specific range it is in, whatever parameters the
    range has besides.
    """
    group = offered.partition("/")[0]
    for media_range in (offered, f"{group}/*", "*/*"):
        qualities = [q for value, q in accepted if value == media_range]
        if qualities:
            return max(qualities)
    return 0.0

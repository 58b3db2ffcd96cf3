"""What became of a command, once it is final."""

from typing import Literal

from domain.value import value

OutcomeStatus = Literal["applied", "unchanged", "rejected", "expired", "skipped", "dead"]


@value
class Outcome:
    """The end of one command.

    `http_status` is what a synchronous API would have answered. `version` is the item's after the
    command, 0 where there is none. `code` and `detail` say why it was rejected or, where it is
    `dead`, why it was given up; `expired` is what came too late, `skipped` a row of an import that
    was over before. `fingerprint` is that of the payload it was accepted with.
    """

    command_id: str
    item_id: str
    status: OutcomeStatus
    http_status: int
    version: int
    code: str | None = None
    detail: str | None = None
    fingerprint: str = ""

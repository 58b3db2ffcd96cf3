"""What has been revoked, as far as this process has heard; the truth is in SQL."""

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from runtime.auth.denied import undecided
from runtime.errors import first_line

# Seconds between two looks: a revocation works on both services within a second.
_LOOK_EVERY = 0.4

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Revocations:
    """The ids of all tokens that are revoked, and the name of this state of affairs."""

    version: str
    ids: frozenset[str]

    def on_hearing(self, news: "Revocations") -> "Revocations":
        """Go on to what is newer. A state that is not newer than this one, as of a store that was
        set back, takes nothing from it: what is known stays, until a newer one leaves it out.
        """
        if _number(news.version) > _number(self.version):
            return news
        return Revocations(self.version, self.ids | news.ids)


def following(version: str) -> str:
    """Name the state that follows one. Names are in the order of their numbers; and they differ
    also where a database was set back, and counts over the same numbers again.
    """
    return f"{_number(version) + 1}-{uuid.uuid4().hex}"


def _number(version: str) -> int:
    number, dash, _ = version.partition("-")
    return int(number) if dash and number.isdecimal() else 0


# Tells what is revoked, given the version that is known; None where there is no news.
Source = Callable[[str | None], Revocations | None]


class Revoked:
    """This process' copy. Who can not be asked any more does not make it forget."""

    def __init__(self, known: Revocations | None = None) -> None:
        self._known = known

    @classmethod
    def nothing(cls, ids: Iterable[str] = ()) -> "Revoked":
        """Make a copy that nobody keeps up to date."""
        return cls(Revocations("", frozenset(ids)))

    @property
    def is_known(self) -> bool:
        return self._known is not None

    def has(self, token_id: str) -> bool:
        """Say whether a token is revoked. Raises Denied where nothing has been heard yet."""
        known = self._known
        if known is None:
            raise undecided("what has been revoked is not known to this process yet", 1)
        return token_id in known.ids

    def look(self, source: Source) -> None:
        """Take in news, if there are any. Raises what the source raises."""
        known = self._known
        news = source(None if known is None else known.version)
        if news is not None:
            self._known = news if known is None else known.on_hearing(news)

    def follow(self, source: Source, stopping: threading.Event) -> None:
        """Look until the process is to stop."""
        silent = False
        while not stopping.wait(_LOOK_EVERY):
            try:
                self.look(source)
            except Exception as error:  # noqa: BLE001  whoever is away may come back
                if not silent:
                    log.warning("revocations stay as last known", error=first_line(error))
                silent = True
            else:
                silent = False

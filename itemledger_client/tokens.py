"""Which of its own writes a client has to see: the last Consistency-Token of each partition."""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable

# A token is a place in a partition: `<partition>.<epoch>.<n>`.
_TOKEN = re.compile(r"(\d+)\.(\d+)\.(\d+)")
# Items whose partition is remembered; of the others every partition is asked for.
_ITEMS = 10_000


class Tokens:
    """Remembers; may be used from several threads.

    A request carries one token, and an item lives in one partition: a read of an item that was
    written carries the last token of its partition. A read over many items carries the last token
    of all; those of other partitions have to be seen to be covered before, once each.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._last: OrderedDict[str, str] = OrderedDict()
        self._items: OrderedDict[str, str] = OrderedDict()
        # What was read with which token, and had it.
        self._covered: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        for token in tokens:
            self.add(token)

    def add(self, token: str, item_id: str | None = None) -> None:
        """Remember the token of a write, or of another client's, unless a later one is known."""
        partition = token.partition(".")[0]
        with self._lock:
            known = self._last.get(partition)
            if known is None or _place(known) <= _place(token):
                self._last[partition] = token
                self._last.move_to_end(partition)
            if item_id is not None:
                self._items[item_id] = partition
                self._items.move_to_end(item_id)
                if len(self._items) > _ITEMS:
                    self._items.popitem(last=False)

    def forget(self, token: str) -> None:
        """Forget a token of a write that is lost: no read ever has it."""
        with self._lock:
            partition = token.partition(".")[0]
            if self._last.get(partition) == token:
                del self._last[partition]

    def all(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._last.values())

    def needed(self, what: str, item_id: str | None = None) -> tuple[str, ...]:
        """List the tokens that a read has to have; it carries the last of them itself. Those before
        it have not been seen by a read of this kind yet.
        """
        with self._lock:
            partition = None if item_id is None else self._items.get(item_id)
            if partition is not None:
                token = self._last.get(partition)
                return () if token is None else (token,)
            seen = self._covered.get(what, {})
            *others, last = [*self._last.items()] or [("", "")]
            unseen = [token for partition, token in others if seen.get(partition) != token]
            return (*unseen, last[1]) if last[1] else ()

    def covered(self, what: str, token: str) -> None:
        """Remember that a read of this kind has had the token."""
        with self._lock:
            self._covered.setdefault(what, {})[token.partition(".")[0]] = token


def _place(token: str) -> tuple[int, ...]:
    """Tell where in its partition a token stands; one of another form than we know is the last."""
    match = _TOKEN.fullmatch(token)
    return (1 << 63,) if match is None else (int(match[2]), int(match[3]))

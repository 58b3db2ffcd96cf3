"""How many rows of an import are final while its file is still on its way: the answer to that comes
only when all of it is taken.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import orjson

from cli.import_client import Client, Told
from runtime.auth.caller import ANONYMOUS
from runtime.keyed_ids import keyed_id

_EVERY = 0.5


@contextmanager
def watching(
    client: Client, import_ids: Sequence[str], told: Callable[[Told], None]
) -> Generator[None]:
    """Look at the import every half second until the block is left; it has one of these ids, or is
    not known yet.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            for each in import_ids:
                found = client.peek(each)
                if found is not None and not over.is_set():
                    told(found)

    watcher = threading.Thread(target=watch, name="watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def likely_ids(key: str, token: str | None) -> Sequence[str]:
    """Tell which id the service derives from the key of an import. Who asks is the token's subject,
    or nobody where the service asks for none.
    """
    subjects = {ANONYMOUS.subject, _subject(token) or ANONYMOUS.subject}
    return [keyed_id(each, "POST", "/imports", key) for each in sorted(subjects)]


def _subject(token: str | None) -> str | None:
    if token is None:
        return None
    # Only those who send tokens pay for what reads them.
    from joserfc import jws  # noqa: PLC0415
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        return str(orjson.loads(jws.extract_compact(token.encode()).payload)["sub"])
    except (JoseError, ValueError, KeyError, TypeError):
        # The service says what is wrong with it.
        return None

"""Being told that the process is to stop, beside the server that handles the signal."""

import signal
import socket
import threading
from collections.abc import Callable

_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})


def when_told_to_stop(act: Callable[[], None]) -> None:
    """Have something done, in a thread of its own, when a signal asks this process to stop.

    To be called by the main thread. The server sets handlers of its own later on; what Python
    writes to a socket for each signal reaches us all the same.
    """
    hears, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def hear() -> None:
        # It holds both ends for as long as the process lives.
        with hears, told:
            while True:
                for number in hears.recv(64):
                    if number in _STOPS:
                        act()
                        return

    threading.Thread(target=hear, name="stopping", daemon=True).start()

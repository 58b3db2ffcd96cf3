"""A connection that asks those first who answer at once, where a request begins."""

from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from readmodel.hot.guest import Guest, Told
from runtime.serving import Connection, Words

# Bytes of what a client has sent ahead, from which on it is read no further.
_MEANWHILE = 64 * 1024

log = structlog.get_logger("readmodel")


class Desk(Protocol):
    def take(self, guest: Guest, data: bytes, always: Told) -> bool:
        """Take in bytes that a client has sent where a request may begin; `False` where they are
        not a whole one that is answered here. `always` are the headers that the server sends with
        all answers.
        """
        ...


class HotConnection(Connection):
    """One client's connection. One request of it at a time is at one of the desks; what the client
    sends meanwhile waits until that is answered, and so does the end.
    """

    def __init__(self, desks: Sequence[Desk], words: Words, **given: Any) -> None:
        super().__init__(words, **given)
        self._desks = desks
        # What came while a request is at a desk; `None` while none is.
        self._meanwhile: bytes | None = None
        self._is_to_close = False
        # The client sends no more; it is answered what it has sent.
        self._has_ended = False
        # Answers of desks, and how many there had been when the connection was last looked at.
        self._answered = 0
        self._answered_then = 0

    @property
    def waits_for_client(self) -> bool:
        return self._meanwhile is None and super().waits_for_client

    def data_received(self, data: bytes) -> None:
        if self._meanwhile is not None:
            self._meanwhile += data
            if len(self._meanwhile) > _MEANWHILE:
                self.flow.pause_reading()
            return
        if self.is_quiet and not self.flow.write_paused:
            self._meanwhile = b""
            if self._is_taken(data):
                # What came before it, as an empty line, is no begin of anything.
                self._head, self._is_late = 0, False
                return
            self._meanwhile = None
        super().data_received(data)

    def _is_taken(self, data: bytes) -> bool:
        always = self.server_state.default_headers
        for desk in self._desks:
            try:
                if desk.take(self, data, always):
                    return True
            except Exception:
                # A defect must not leave a client without an answer.
                log.exception("a desk failed")
                if self._meanwhile is None:
                    return True  # It has answered.
        return False

    def answer(self, data: bytes) -> None:
        """Send an answer of a desk."""
        if not self.transport.is_closing():
            self.transport.write(data)
            self._answered += 1
            self.server_state.total_requests += 1
            if self.timeout_keep_alive_task is None:
                self._look_again()
        self._go_on()

    def pass_on(self, data: bytes) -> None:
        """Have a request answered as any other."""
        meanwhile, self._meanwhile = self._meanwhile or b"", None
        if not self.transport.is_closing():
            super().data_received(data + meanwhile)
            if self._is_to_close:
                super().shutdown()
            if self._has_ended and not self.eof_received():
                self.transport.close()

    def eof_received(self) -> bool:
        if self._meanwhile is None:
            return super().eof_received()
        self._has_ended = True
        return True

    def shutdown(self) -> None:
        if self._meanwhile is None:
            super().shutdown()
        else:
            self._is_to_close = True

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if nothing was answered since it was last looked at."""
        if self._answered == self._answered_then and self._meanwhile is None:
            super().timeout_keep_alive_handler()
        else:
            self._look_again()

    def _look_again(self) -> None:
        self._answered_then = self._answered
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _go_on(self) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if self.transport.is_closing():
            # Who has gone asks for nothing more, whatever was sent before.
            return
        if self._is_to_close:
            self.transport.close()
        else:
            if meanwhile:
                self.flow.resume_reading()
                self.data_received(meanwhile)
            if self._has_ended and not self.eof_received():
                self.transport.close()

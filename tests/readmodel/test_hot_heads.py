"""Heads of requests that were read before."""

from readmodel.guard import Doorkeeper
from readmodel.hot.heads import Heads
from runtime.auth.guard import guard_of
from runtime.settings import Settings


def test_heads_are_remembered_only_so_often_and_only_short_ones() -> None:
    """Else a client could fill the memory with headers."""
    heads = Heads(Doorkeeper(guard_of(Settings())))

    def read(name: str, value: str) -> None:
        told = f" HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\n\r\n"
        assert heads.read(told.encode()) is not None

    read("X-Long", "x" * 3_000)
    read("X-Request-ID", "r-1")
    assert len(heads._known) == 0
    for number in range(1_500):
        read("X-Number", str(number))
    assert 0 < len(heads._known) <= 1_024

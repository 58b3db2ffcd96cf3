"""How much a build takes at once, and how long it rests."""

from worker.pace import Pace, Stride


def test_beside_other_work_a_transaction_is_as_short_as_is_said_and_else_longer() -> None:
    is_busy = False
    stride = Stride(Pace(1 / 64, 1 / 128, busy=lambda: is_busy), lambda: True)
    # Each event takes 1 / 65,536 s, so that no figure is rounded.
    for _ in range(10):
        stride.note(stride.count, stride.count / 65_536)
    assert stride.count == 1_024
    is_busy = True
    for _ in range(10):
        stride.note(stride.count, stride.count / 65_536)
    assert stride.count == 512

import os
from pathlib import Path

import pytest

from runtime.child import Pace
from runtime.heartbeat import Heartbeat

PACE = Pace(heartbeat=3, first_heartbeat=30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "heartbeats" / "worker"


def look_for(heartbeat: Heartbeat, start: int, seconds: int) -> str | None:
    """Look every half second, as the supervisor does, and give the last answer."""
    answer = None
    for half_second in range(2 * seconds + 1):
        answer = heartbeat.silence(start + half_second / 2)
    return answer


def touch(file: Path, at: int) -> None:
    file.touch()
    os.utime(file, (at, at))


def test_a_child_has_time_for_its_first_heartbeat(file: Path) -> None:
    heartbeat = Heartbeat(file, PACE, now=0)
    assert look_for(heartbeat, 0, 30) is None
    assert heartbeat.silence(30.5) == "no heartbeat since its start for 30 s"


def test_the_heartbeat_of_the_run_before_does_not_count(file: Path) -> None:
    file.parent.mkdir()
    touch(file, 1)
    Heartbeat(file, PACE, now=0)
    assert not file.exists()


def test_a_child_that_falls_silent_is_frozen_after_three_seconds(file: Path) -> None:
    heartbeat = Heartbeat(file, PACE, now=0)
    touch(file, 1)
    assert look_for(heartbeat, 0, 3) is None
    assert heartbeat.silence(3.5) == "no heartbeat for 3 s"


def test_a_child_that_goes_on_is_not_frozen(file: Path) -> None:
    heartbeat = Heartbeat(file, PACE, now=0)
    for second in range(60):
        touch(file, second + 1)
        assert heartbeat.silence(second) is None


def test_a_wall_clock_that_was_set_back_freezes_nobody(file: Path) -> None:
    heartbeat = Heartbeat(file, PACE, now=0)
    touch(file, 2_000_000_000)
    assert look_for(heartbeat, 0, 3) is None
    touch(file, 1_000_000_000)
    assert look_for(heartbeat, 3, 3) is None


def test_after_a_sleep_of_the_machine_a_child_gets_its_time_anew(file: Path) -> None:
    heartbeat = Heartbeat(file, PACE, now=0)
    touch(file, 1)
    assert heartbeat.silence(0) is None
    assert look_for(heartbeat, 3600, 3) is None
    assert heartbeat.silence(3603.5) is not None


def test_a_file_deleted_by_hand_is_silence_and_no_error(file: Path) -> None:
    heartbeat = Heartbeat(file, PACE, now=0)
    touch(file, 1)
    assert heartbeat.silence(0) is None
    file.unlink()
    assert look_for(heartbeat, 0, 4) == "no heartbeat for 3 s"

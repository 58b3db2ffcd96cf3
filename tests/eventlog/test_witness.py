"""What an API process has acknowledged outlives it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.witness import Witness, WitnessTaken
from runtime.positions import Position


def test_what_was_kept_is_found_by_the_next_process(tmp_path: Path) -> None:
    file = tmp_path / "some" / "witness"
    with Witness(file, 3) as witness:
        assert witness.read() == []
        for position in (Position(0, 5, 7), Position(2, 6, 1), Position(0, 5, 9)):
            witness.keep(position)
    with Witness(file, 3) as witness:
        assert witness.read() == [Position(0, 5, 9), Position(2, 6, 1)]


def test_the_last_four_epochs_of_a_partition_are_kept(tmp_path: Path) -> None:
    with Witness(tmp_path / "witness", 2) as witness:
        for epoch in range(1, 8):
            witness.keep(Position(1, epoch, epoch * 10))
            witness.keep(Position(1, epoch, epoch * 10 + 1))

        assert sorted(witness.read()) == [
            Position(1, epoch, epoch * 10 + 1) for epoch in (4, 5, 6, 7)
        ]


def test_it_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "witness"
    program = (
        "import os, pathlib, signal, sys\n"
        "from eventlog.witness import Witness\n"
        "from runtime.positions import Position\n"
        "witness = Witness(pathlib.Path(sys.argv[1]), 2)\n"
        "for n in range(1, 1001): witness.keep(Position(1, 5, n))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )

    assert ended.returncode == -signal.SIGKILL
    with Witness(file, 2) as witness:
        assert witness.read() == [Position(1, 5, 1000)]


def test_a_place_that_was_half_written_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "witness"
    with Witness(file, 2) as witness:
        witness.keep(Position(0, 5, 7))
        witness.keep(Position(1, 5, 7))
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    with Witness(file, 2) as witness:
        assert witness.read() == [Position(1, 5, 7)]


def test_what_the_process_before_kept_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "witness"
    with Witness(file, 2) as before:
        before.keep(Position(1, 5, 7))
    with Witness(file, 2) as witness:
        witness.keep(Position(1, 6, 1))
        assert witness.read() == [Position(1, 5, 7), Position(1, 6, 1)]


def test_a_new_epoch_takes_a_place_that_does_not_count_before_one_that_does(
    tmp_path: Path,
) -> None:
    file = tmp_path / "witness"
    with Witness(file, 1) as before:
        before.keep(Position(0, 5, 7))
        before.keep(Position(0, 6, 8))
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    with Witness(file, 1) as witness:
        witness.keep(Position(0, 7, 1))
        assert sorted(witness.read()) == [Position(0, 6, 8), Position(0, 7, 1)]


def test_two_processes_do_not_share_one(tmp_path: Path) -> None:
    file = tmp_path / "witness"
    with Witness(file, 2), pytest.raises(WitnessTaken, match="ITEMLEDGER_WITNESS"):
        Witness(file, 2)
    with Witness(file, 2) as witness:
        assert witness.read() == []

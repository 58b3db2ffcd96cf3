"""The main job from end to end: real input in, the right items and histories out."""

import os
from pathlib import Path

import pytest

from tests.journey import Deployment, take_the_journey

# `make journey` takes all of them.
ROWS = 3_000


@pytest.mark.timeout(280)
def test_the_real_input_comes_out_as_a_plain_loop_says_and_again_when_it_is_imported_twice(
    tmp_path: Path, database_url: str
) -> None:
    deployment = Deployment(tmp_path, database_url)
    with deployment.up():
        take_the_journey(deployment, tmp_path, int(os.environ.get("JOURNEY_ROWS", ROWS)))

"""A slice of `make fuzz`: what the description allows, what it does not, and links followed."""

from pathlib import Path

import pytest

from tests.fuzz.run import fuzz, guarded_deployment

# Of each operation, for each kind of data.
EACH = 5
# Always the same cases here: others are drawn by `make fuzz`.
SEED = 20261122


# On a busy machine the whole service starts slowly.
@pytest.mark.timeout(400)
def test_nothing_is_found_that_the_description_does_not_say(
    tmp_path: Path, sqlite_url: str
) -> None:
    with guarded_deployment(tmp_path, sqlite_url) as deployment:
        found = fuzz(deployment.command_url, 1, SEED, EACH, boundaries=False)
    print(found.summary())  # noqa: T201  beside the findings, where there are any
    assert list(found.failures.values()) == []
    assert found.requests > 200
    assert {"examples", "fuzzing", "stateful"} <= set(found.by_phase)
    # It was not all refused at the door.
    assert all(found.by_status[status] for status in (200, 201, 202, 204))
    assert not [status for status in found.by_status if status >= 500]

"""A slice of `make fuzz`: what the descriptions allow, what they do not, and links followed."""

from pathlib import Path

import pytest

from tests.fuzz.commands import commands
from tests.fuzz.queries import queries
from tests.fuzz.run import fuzz
from tests.fuzz.target import guarded_deployment

# Of each operation, for each kind of data. The query API has four times as many operations.
EACH_COMMAND, EACH_QUERY = 2, 1
# Always the same cases here: others are drawn by `make fuzz`.
SEED = 20261122


# On a busy machine the whole service starts slowly.
@pytest.mark.timeout(400)
def test_nothing_is_found_that_the_descriptions_do_not_say(tmp_path: Path, sqlite_url: str) -> None:
    with guarded_deployment(tmp_path, sqlite_url) as deployment:
        read = fuzz(queries(deployment), 1, SEED, EACH_QUERY, boundaries=False)
        written = fuzz(commands(deployment), 1, SEED, EACH_COMMAND, boundaries=False)
    for found in (read, written):
        print(found.summary())  # noqa: T201  beside the findings, where there are any
        assert not found.failures, "\n\n".join(found.failures.values())
        assert found.requests > 200
        assert {"examples", "fuzzing", "stateful"} <= set(found.by_phase)
        assert not [status for status in found.by_status if status >= 500]
    # It was not all refused at the door.
    assert all(written.by_status[status] for status in (200, 201, 202, 204))
    assert read.by_status[200] > read.requests / 3

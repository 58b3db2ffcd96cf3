"""The main job from end to end: real input in, the right items and histories out."""

import os
from pathlib import Path

import pytest

from tests.journey import Account, Deployment, beginning_of_the_real_input

# `make journey` takes all of them.
ROWS = 8_000


@pytest.mark.timeout(280)
def test_the_real_input_comes_out_as_a_plain_loop_says_and_again_when_it_is_imported_twice(
    tmp_path: Path, database_url: str
) -> None:
    count = int(os.environ.get("JOURNEY_ROWS", ROWS))
    file, rows = beginning_of_the_real_input(tmp_path, count)
    account = Account()
    refused = account.take(rows)
    assert refused == {
        number: "invalid-body" for number, row in enumerate(rows, 1) if row["id"] == "BANK CHARGES"
    }
    deployment = Deployment(tmp_path, database_url)
    with deployment.up():
        assert deployment.import_file(file).wait(200) == 1
        assert deployment.imported().startswith(f"{len(rows)} rows: "), deployment.imported()
        assert deployment.rejected(file) == refused
        deployment.assert_holds(account)

        before = {item_id: len(history) for item_id, history in account.histories.items()}
        refused = account.take(rows)
        assert "effective-at-too-early" in refused.values()
        assert deployment.import_file(file).wait(200) == 1
        assert deployment.rejected(file) == refused
        moved = [each for each, count in before.items() if len(account.histories[each]) > count]
        deployment.assert_holds(account, moved)

"""Whether all is well, in one line."""

from typing import Any

import pytest

from cli.status_verdict import brief, verdict

WELL: dict[str, Any] = {"partitions": [{"lag": 0, "lag_seconds": 0.0}], "pump": "ok", "dead": 0}


def view(state: str) -> dict[str, Any]:
    return {"projection": f"of {state}", "state": state}


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (WELL, "no command waits"),
        (
            {"partitions": [{"lag": 1200, "lag_seconds": 0.5}, {"lag": 1, "lag_seconds": 2.25}]},
            "1,201 commands wait, the first for 2.2 s",
        ),
        ({"partitions": [{"lag": 1, "lag_seconds": None}]}, "1 command waits, the first for 0.0 s"),
        (
            WELL | {"workers": [{"name": "w-1", "state": "paused", "why": "disk full"}]},
            "no command waits; w-1 is paused (disk full)",
        ),
        (
            WELL | {"gaps": [{"first": 1}]},
            "no command waits; the log has lost commands before (gaps: 1)",
        ),
        (WELL | {"projections": [view("behind")]}, "no command waits"),
        (
            WELL | {"workers": [], "durability": {"used_memory": 11, "maxmemory": 10}},
            "no command waits",
        ),
        (
            WELL | {"builds": [{"view": "items", "state": "different"}]},
            (
                "no command waits; items was built anew and is not what is live "
                "(`itemledger rebuild items`)"
            ),
        ),
    ],
)
def test_what_is_well_says_what_waits(document: dict[str, Any], line: str) -> None:
    found = verdict(document)
    assert found.well
    assert found.line == f"All is well: {line}"
    assert line.startswith(found.backlog)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"pump": "nothing has moved for 12 s"}, "nothing has moved for 12 s"),
        ({"workers": [], "durability": None}, "no worker is running"),
        ({"durability": {"lack": "fsync"}}, "no command is accepted"),
        ({"durability": {"short_of_memory": True}}, "no command is accepted"),
        ({"dead": 1, "parked": 0}, "1 dead (`itemledger dead list`)"),
        ({"dead": 2, "parked": 3}, "2 dead, 3 more are parked behind (`itemledger dead list`)"),
        (
            {"projections": [view("detached"), view("in step"), view("detached")]},
            "detached from the ledger: of detached (`itemledger rebuild`)",
        ),
        (
            {"builds": [{"view": "of no use", "state": "failed"}]},
            "could not be built: of no use (`itemledger rebuild`)",
        ),
        (
            {"dead": 1, "durability": {"lack": "fsync"}},
            "no command is accepted; 1 dead (`itemledger dead list`)",
        ),
    ],
)
def test_what_is_not_well_is_named(wrong: dict[str, Any], line: str) -> None:
    found = verdict(WELL | wrong)
    assert not found.well
    assert found.line == f"Not well: {line}"
    assert found.backlog == "no command waits"


def test_commands_that_wait_for_workers_that_all_wait_are_not_well() -> None:
    waits = {"partitions": [{"lag": 3, "lag_seconds": 17.8}]}
    paused = {"name": "w-1", "state": "paused", "why": "disk full"}
    found = verdict(WELL | waits | {"workers": [paused]})
    assert found.line == "Not well: commands wait, and every worker is paused (disk full)"
    assert found.backlog == "3 commands wait, the first for 17.8 s"
    # One that works keeps everything going.
    works = {"name": "w-2", "state": "working", "why": None}
    assert verdict(WELL | waits | {"workers": [paused, works]}).well


@pytest.mark.parametrize(
    ("name", "rows", "line"),
    [
        ("projections", [view("in step")] * 6, "views: 6, all in step"),
        (
            "projections",
            [view("in step"), view("behind"), view("in step")],
            "views: 3, 2 in step, 1 behind",
        ),
        ("partitions", [{"lag": 0}, {"lag": 0}], "partitions: 2, all in step"),
        ("partitions", [{"lag": 4}, {"lag": 0}], "partitions: 2, commands wait in 1 of them"),
        ("gaps", [{"first": 1}], "gaps: 1"),
    ],
)
def test_a_table_is_told_in_a_line(name: str, rows: list[dict[str, Any]], line: str) -> None:
    assert brief(name, rows) == line

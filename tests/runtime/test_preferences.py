import pytest

from runtime.preferences import WAIT_LIMIT, Preferences, read_preferences


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (["wait=5"], 5),
        (['wait="5"'], 5),
        (["respond-async, wait=7"], 7),
        (["WAIT=3"], 3),
        (["wait=1", "wait=9"], 1),
        (["wait=" + "9" * 40], WAIT_LIMIT),
        (["wait=000002"], 2),
        (["wait=-1"], 0),
        (["wait=1.5"], 0),
        (["wait=soon"], 0),
        ([], 0),
    ],
)
def test_the_seconds_to_wait_are_read(sent: list[str], seconds: int) -> None:
    assert read_preferences(sent).wait == seconds


def test_the_other_preferences_are_read() -> None:
    told = read_preferences(["return=minimal; x=1, handling=strict", "respond-async"])
    assert told == Preferences(minimal=True, asked_async=True, strict=True)
    assert read_preferences(["return=representation, handling=lenient"]) == Preferences()

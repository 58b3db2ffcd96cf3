from pathlib import Path

from runtime.settings import PREFIX, Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_the_example_lists_every_setting_with_its_default() -> None:
    listed = [line[1:] for line in EXAMPLE.read_text().splitlines() if line.startswith("#ITEM")]
    assert listed == [
        f"{PREFIX}{name.upper()}={'' if field.default is None else field.default}"
        for name, field in Settings.model_fields.items()
    ]


def test_the_example_says_what_each_setting_means() -> None:
    text = " ".join(line.removeprefix("# ") for line in EXAMPLE.read_text().splitlines())
    for field in Settings.model_fields.values():
        assert field.description is not None
        assert field.description in text

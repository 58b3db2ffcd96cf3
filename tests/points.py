"""Failpoints, as tests set them beside processes that run."""

from pathlib import Path


def arm(folder: Path, point: str, mode: str) -> None:
    """Have the next process that reaches this point fail. The file is there whole or not at all:
    one that was taken before it was written would do nothing.
    """
    waiting = folder / f"{point}.waiting"
    waiting.write_text(mode)
    waiting.rename(folder / point)

"""What this process has done since it began; counted in the event loop alone."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runtime.measures import Requests


@dataclass(slots=True)
class Counts:
    """`commands` by how they were answered, rows of batches each for itself; `problems` by their
    code; `uploads` are those that run now.
    """

    requests: Requests = field(default_factory=Requests)
    commands: Counter[str] = field(default_factory=Counter[str])
    problems: Counter[str] = field(default_factory=Counter[str])
    uploads: int = 0

    @contextmanager
    def upload(self) -> Generator[None]:
        """Count an upload while it runs."""
        self.uploads += 1
        try:
            yield
        finally:
            self.uploads -= 1

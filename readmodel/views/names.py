"""The names of the views, for who only wants to name one: with the views the database's library is
loaded, which takes longer than one waits for an answer to the Tab key.
"""

import pkgutil
import re
from collections.abc import Sequence
from pathlib import Path

import readmodel.views

# What makes a file of this folder a view's: a view is called as its file.
_VIEW = re.compile(r"^VIEW\b.*=", re.MULTILINE)


def view_names() -> Sequence[str]:
    """Name the views, in the order of their names."""
    return sorted(
        each.name
        for folder in readmodel.views.__path__
        for each in pkgutil.iter_modules([folder])
        if _VIEW.search(Path(folder, f"{each.name}.py").read_text("utf-8"))
    )

"""The names of the commands that are rows of an import or of a batch."""


def row_id(whole: str, row: int) -> str:
    """Name a row of an import or of a batch; names sort as rows do."""
    return f"{whole}.{row:09d}"


def number_of(command_id: str) -> int:
    """Tell the number of a row by its name. Raises ValueError where it is none."""
    return int(command_id.rpartition(".")[2])


def whole_of(command_id: str) -> str | None:
    """Find the import or batch that a command is a row of; `None` where it is no row."""
    whole, dot, _ = command_id.rpartition(".")
    return whole if dot else None

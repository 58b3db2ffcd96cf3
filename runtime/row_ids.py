"""The names of the commands that are rows of an import or of an atomic batch."""


def row_id(whole: str, row: int) -> str:
    """Name a row of an import or of an atomic batch; names sort as rows do."""
    return f"{whole}.{row:09d}"


def whole_of(command_id: str) -> str | None:
    """Find the import or atomic batch that a command is a row of; `None` where it is no row."""
    whole, dot, _ = command_id.rpartition(".")
    return whole if dot else None

"""What an error says, for logs and for people."""


def first_line(error: BaseException) -> str:
    """Cut what an error says down to its first line; one that says nothing is told by its kind."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(" .;:") if lines else type(error).__name__

"""What a terminal shows of what was written to it."""

import re


def on_screen(written: str, height: int) -> list[str]:
    """Lines that a terminal has in the end, what has left it at its top included."""
    lines, at = [""], 0
    for piece in re.findall("\x1b\\[[?0-9;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", written):
        match piece:
            case "\x1b[1A":
                at = max(at - 1, len(lines) - height, 0)
            case "\x1b[2K":
                lines[at] = ""
            case "\n":
                at += 1
                lines += [""] if at == len(lines) else []
            case _ if piece[0] not in "\x1b\r":
                lines[at] += piece
            case _:
                pass
    return lines

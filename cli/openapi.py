"""`itemledger openapi`: the description of both services, without either of them running."""

from collections.abc import Generator
from pathlib import Path
from typing import Literal, assert_never

from api.openapi.document import document
from cli.export_file import standard_output, written_whole
from cli.refusals import WRONG_USAGE, Refusal
from readmodel.openapi.document import openapi
from runtime.settings import Settings

Kind = Literal["command", "query"]
_KINDS: tuple[Kind, ...] = ("command", "query")


def described(settings: Settings, kind: Kind) -> bytes:
    """Make the very document that the service answers at `/openapi.json`."""
    match kind:
        case "command":
            return document(settings.public_command_url)
        case "query":
            return openapi(settings.public_query_url)
        case _:
            assert_never(kind)


def write_documents(settings: Settings, folder: Path) -> Generator[Path]:
    """Write both documents into a folder, and tell each file that is whole. Raises Refusal where
    that can not be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(
            f"cannot make the folder {folder}: {error.strerror}; name another with --output",
            WRONG_USAGE,
        ) from None
    for kind in _KINDS:
        path = folder / f"openapi-{kind}.json"
        with written_whole(path) as file:
            file.write(described(settings, kind))
        yield path


def print_document(settings: Settings, kind: Kind) -> None:
    """Print one document and nothing else. Raises Refusal where nobody reads it any more."""
    with standard_output() as out:
        out.write(described(settings, kind) + b"\n")

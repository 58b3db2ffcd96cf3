"""What a request says that asks for a list, as the layers in front of Flask read it."""

from collections.abc import Awaitable, Callable, Iterable

from readmodel.front.bridge import Receive, Scope, Send
from runtime.request_ids import HEADER, read_request_id

Header = tuple[bytes, bytes]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LISTS = "/items"
REQUEST_ID = HEADER.lower().encode()
# What asks to wait, or comes with a body, is for Flask.
_OTHERS = frozenset(
    {b"prefer", b"consistency-token", b"content-length", b"transfer-encoding", b"expect"}
)


def asks_for_list(scope: Scope) -> bool:
    """Say whether a request asks for a list, and for it as it stands."""
    return (
        scope["raw_path"] == LISTS.encode()
        and scope["method"] == "GET"
        and not any(name in _OTHERS for name, _ in scope["headers"])
    )


def environ_of(headers: Iterable[Header]) -> dict[str, str]:
    """Name headers as WSGI does, without those that would be taken for others then."""
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in headers
        if b"_" not in name
    }


def request_id_of(headers: Iterable[Header]) -> str | None:
    """Tell the id that a request came with, if it is one."""
    sent = [value.decode("latin-1") for name, value in headers if name == REQUEST_ID]
    return read_request_id(",".join(sent))

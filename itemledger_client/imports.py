"""Files of any number of rows: send one, follow it, stop it, take it back."""

from collections.abc import Mapping
from typing import BinaryIO, Literal, Never
from urllib.parse import quote

from itemledger_client.file_names import disposition
from itemledger_client.problems import NotYet, Problem
from itemledger_client.results import Import, ImportSent, RowResult
from itemledger_client.sending import Terms, is_replayed, refusal
from itemledger_client.session import Session, insist, new_key, succeeded, understood, whole_seconds
from itemledger_client.steps import Answer, Pause, Steps, Upload, given

NDJSON = "application/x-ndjson"
CSV = "text/csv"

_LOOK_FIRST, _LOOK_LATER = 0.1, 2.0


def send_import(
    session: Session,
    file: BinaryIO | bytes,
    *,
    media_type: Literal["application/x-ndjson", "text/csv"] = NDJSON,
    charset: str | None = None,
    gzipped: bool = False,
    columns: Mapping[str, str] | None = None,
    dry_run: bool = False,
    on_error: Literal["skip", "stop"] = "skip",
    file_name: str | None = None,
    reason: str | None = None,
    wait: float | None = None,
    key: str | None = None,
) -> Steps[Never, ImportSent]:
    """Send a file, from where it stands to its end; return when every row is on disk in the log.

    `columns` tells by member which column it is in, such as `{"price": "UnitPrice*100"}`. A file
    has to be seekable: where the connection breaks it is sent again, and no row is taken twice.
    With `dry_run` nothing is changed, and it is told what would become of each row. `file_name` is
    what the import is shown as; without one, what the file itself is called.
    """
    key = key or new_key()
    params = {
        "map": None if columns is None else ",".join(f"{to}:{of}" for to, of in columns.items()),
        "dry_run": "true" if dry_run else None,
        "on_error": on_error,
        "reason": reason,
    }
    headers = Terms(wait, key).headers(key)
    headers["Content-Type"] = media_type if charset is None else f"{media_type}; charset={charset}"
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    name = getattr(file, "name", None) if file_name is None else file_name
    if isinstance(name, str) and (named := disposition(name)) is not None:
        headers["Content-Disposition"] = named
    request = session.to_command(
        "POST",
        "/imports",
        params={name: each for name, each in params.items() if each is not None},
        headers=headers,
        content=file if isinstance(file, bytes) else _upload(file),
        # How long a piece may take is up to the service: it holds an import back that others are in
        # the way of, or that somebody has paused.
        timeout=session.timeout + session.patience + whole_seconds(wait or 0),
    )
    return _sent((yield from insist(session, request, key=key)), key)


def import_state(session: Session, import_id: str) -> Steps[Never, Import]:
    """Look at an import: how far it is, and how its rows came out."""
    request = session.to_query(f"/imports/{quote(import_id, safe='')}", {})
    return understood(succeeded((yield from insist(session, request))), Import.of)


def all_imports(session: Session, *, limit: int = 200) -> Steps[Import, None]:
    """Iterate over all imports, newest first."""
    cursor = None
    while True:
        request = session.to_query("/imports", {"limit": limit, "cursor": cursor})
        answer = succeeded((yield from insist(session, request)))
        found, cursor = understood(
            answer, lambda told: ([Import.of(each) for each in told["imports"]], told["next"])
        )
        yield from given(found)
        if cursor is None:
            return


def import_rows(
    session: Session,
    import_id: str,
    *,
    status: Literal["applied", "unchanged", "rejected", "skipped"] | None = None,
    limit: int = 200,
) -> Steps[RowResult, None]:
    """Iterate over what became of the rows, such as the rejected ones; `row` is the line of the
    file.
    """
    cursor = None
    while True:
        request = session.to_query(
            f"/imports/{quote(import_id, safe='')}/rows",
            {"status": status, "limit": limit, "cursor": cursor},
            headers={"Accept": "application/json"},
        )
        answer = succeeded((yield from insist(session, request)))
        found, cursor = understood(
            answer, lambda told: ([RowResult.of(each) for each in told["rows"]], told["next"])
        )
        yield from given(found)
        if cursor is None:
            return


def import_ended(
    session: Session, import_id: str, *, within: float = 300.0
) -> Steps[Never, Import]:
    """Wait until every row of an import is final, for so many seconds. Raises NotYet."""
    until = session.clock() + within
    pause = _LOOK_FIRST
    while True:
        found = yield from _state_of_begun(session, import_id)
        if found is not None and found.final:
            return found
        left = until - session.clock()
        if left <= 0:
            status = "not known yet" if found is None else found.status
            raise NotYet(f"import {import_id} is {status} after {within:g} s")
        yield Pause(min(pause, left))
        pause = min(2 * pause, _LOOK_LATER)


def pause_import(session: Session, import_id: str) -> Steps[Never, ImportSent]:
    """Have an import take no more rows until it is resumed."""
    return _control(session, import_id, "pause", None, None)


def resume_import(session: Session, import_id: str) -> Steps[Never, ImportSent]:
    return _control(session, import_id, "resume", None, None)


def cancel_import(session: Session, import_id: str) -> Steps[Never, ImportSent]:
    """End an import; what was applied stays, and can be reverted."""
    return _control(session, import_id, "cancel", None, None)


def revert_import(
    session: Session, import_id: str, *, reason: str | None = None, key: str | None = None
) -> Steps[Never, ImportSent]:
    """Take an import back: an import of its own, whose id is returned. Items that have changed
    since are left as they are, and told as rejected.
    """
    return _control(session, import_id, "revert", reason, key)


def _control(
    session: Session, import_id: str, action: str, reason: str | None, key: str | None
) -> Steps[Never, ImportSent]:
    key = key or new_key()
    request = session.to_command(
        "POST",
        f"/imports/{quote(import_id, safe='')}/{action}",
        params={} if reason is None else {"reason": reason},
        headers={"Idempotency-Key": key},
    )
    return _sent((yield from insist(session, request, key=key)), key)


def _sent(answer: Answer, key: str) -> ImportSent:
    if not answer.is_success:
        raise refusal(answer, key)
    replayed = is_replayed(answer)
    return understood(
        answer,
        lambda told: ImportSent(told["import_id"], told["status"], told.get("rows"), key, replayed),
    )


def _state_of_begun(session: Session, import_id: str) -> Steps[Never, Import | None]:
    """Look at an import that was begun, which the query API may not have heard of yet."""
    try:
        return (yield from import_state(session, import_id))
    except Problem as problem:
        if problem.code != "import-not-found":
            raise
        return None


def _upload(file: BinaryIO) -> Upload:
    if not file.seekable():
        raise ValueError("a file that can not be read again can not be sent again: give its bytes")
    return Upload(file, file.tell())

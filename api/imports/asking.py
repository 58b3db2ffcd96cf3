"""What a request for an import says besides its rows: parameters, media type, encoding."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from api.bodies import require_known_parameters
from api.imports.file_names import file_name
from api.imports.formats import CSV, NDJSON, Csv, Format, Ndjson
from api.imports.mapping import BadMap, Columns, read_map
from api.imports.unpacking import UnknownCharset, Unpacker, charset
from api.problems import ProblemRaised, bad_parameter
from api.schemas import REASON_LIMIT
from runtime.problems import Problem

_GZIP = frozenset({"gzip", "x-gzip"})


@dataclass(frozen=True, slots=True)
class Asked:
    """`payload` is what has to be the same where the same key comes again, by how it is called:
    not so the name of the file, which may have been moved meanwhile.
    """

    media_type: str
    columns: Columns | None
    dry: bool
    stop: bool
    reason: str | None
    gzip: bool
    charset: str | None
    file: str | None
    payload: Mapping[str, object]

    def unpacker(self) -> Unpacker:
        return Unpacker(gzip=self.gzip, charset=self.charset)

    def format(self) -> Format:
        return Csv(self.columns) if self.media_type == CSV else Ndjson(self.columns)


def asked_of(request: Request) -> Asked:
    """Read everything but the rows. Raises ProblemRaised: 400, or 415."""
    require_known_parameters(request, "map", "reason", "dry_run", "on_error")
    given = request.query_params
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if media_type not in {NDJSON, CSV}:
        raise _unsupported(f"send Content-Type: {NDJSON} or {CSV}")
    columns = given.get("map")
    dry = _one_of(request, "dry_run", "false", "true") == "true"
    stop = _one_of(request, "on_error", "skip", "stop") == "stop"
    reason = given.get("reason")
    return Asked(
        media_type,
        None if columns is None else _columns(columns),
        dry,
        stop,
        _checked_reason(reason),
        _is_gzip(request),
        _charset(parameters),
        file_name(request.headers.getlist("content-disposition")),
        {
            "media type": media_type,
            "map": columns,
            "dry_run": dry,
            "on_error": stop,
            "reason": reason,
        },
    )


def _checked_reason(reason: str | None) -> str | None:
    if reason is not None and (len(reason) > REASON_LIMIT or "\0" in reason):
        detail = f"has at most {REASON_LIMIT} characters and no NUL"
        raise bad_parameter("reason", "invalid-reason", detail)
    return reason


def _columns(text: str) -> Columns:
    try:
        return read_map(text)
    except BadMap as error:
        raise bad_parameter("map", "invalid-map", str(error)) from error


def _one_of(request: Request, name: str, usual: str, *others: str) -> str:
    value = request.query_params.get(name, usual)
    if value not in {usual, *others}:
        raise bad_parameter(name, "unknown-choice", f"is {' or '.join((usual, *others))}")
    return value


def _is_gzip(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity" and encoding not in _GZIP:
        raise _unsupported(
            f"send the body as it is or with Content-Encoding: gzip, not {encoding}",
            {"Accept-Encoding": "gzip, identity"},
        )
    return encoding in _GZIP


def _charset(parameters: str) -> str | None:
    for each in parameters.split(";"):
        name, _, value = each.partition("=")
        if name.strip().lower() == "charset":
            try:
                return charset(value.strip().strip('"'))
            except UnknownCharset as error:
                raise _unsupported(f"no charset that is known here: {error}") from error
    return None


def _unsupported(detail: str, headers: dict[str, str] | None = None) -> ProblemRaised:
    title = "The body is of a type that is not taken here"
    return ProblemRaised(Problem(415, "unsupported-media-type", title, detail), headers)

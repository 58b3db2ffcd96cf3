"""`itemledger import`: a file into a running service, and what became of its rows."""

import re
import secrets
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from cli.import_client import Client, GoesOn, Pause, Reject, Told
from cli.import_preview import first_rows
from cli.import_rejects import Targets, check_writable, how_to_mend, targets, write_rejects
from cli.import_report import Report, say, telling
from cli.import_source import Source, check_charset, examine
from cli.import_watch import likely_ids, watching
from cli.lines import tell
from cli.reach import Service
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal
from itemledger_client.file_names import disposition
from runtime.errors import first_line

PATIENCE = 120.0
OnError = Literal["skip", "stop"]

# How long a service that is being started may take to answer the first time.
_FIRST_ANSWER = 3.0
_LOOK_EVERY = 0.1
_KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for; `None` is what was not."""

    path: Path
    key: str | None = None
    rejects: Path | None = None
    patience: float = PATIENCE
    columns: str | None = None
    on_error: OnError = "skip"
    reason: str | None = None
    dry: bool = False
    charset: str | None = None
    # Of prices that name none, in what is shown of the first rows.
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class Import:
    """What to import, where to, and the key under which it can be taken up again."""

    wishes: Wishes
    command: Service
    query: Service
    key: str

    @property
    def resume(self) -> str:
        """The command that takes it up again."""
        wishes = self.wishes
        words = [*self._words(wishes.path), "--key", self.key, *self._options()]
        words += [] if wishes.rejects is None else ["--rejects", str(wishes.rejects)]
        return shlex.join(words + self._patience())

    def mended(self, rows: Path) -> str:
        """The command that sends rejected rows once they are mended."""
        return shlex.join(self._words(rows) + self._options() + self._patience())

    def _words(self, path: Path) -> list[str]:
        return ["itemledger", "import", str(path)]

    def _options(self) -> list[str]:
        wishes, command, query = self.wishes, self.command, self.query
        words = ["--dry-run"] if wishes.dry else []
        words += ["--map", wishes.columns] if wishes.columns is not None else []
        words += ["--charset", wishes.charset] if wishes.charset is not None else []
        words += ["--on-error", wishes.on_error] if wishes.on_error != "skip" else []
        words += ["--reason", wishes.reason] if wishes.reason is not None else []
        words += ["--command-url", command.url] if command.given else []
        return words + (["--query-url", query.url] if query.given else [])

    def _patience(self) -> list[str]:
        patience = self.wishes.patience
        return [] if patience == PATIENCE else ["--patience", f"{patience:g}"]

    @property
    def parameters(self) -> Mapping[str, str]:
        wishes = self.wishes
        given = {
            "map": wishes.columns,
            "reason": wishes.reason,
            "dry_run": "true" if wishes.dry else None,
            "on_error": None if wishes.on_error == "skip" else wishes.on_error,
        }
        return {name: value for name, value in given.items() if value is not None}


def plan_import(wishes: Wishes, command: Service, query: Service) -> Import:
    """Fill in what was not given.

    Raises Refusal for a key, a charset or a URL that is none, a folder in place of a file, or
    rejects that cannot be written.
    """
    path, key = wishes.path, wishes.key
    if key is not None and _KEY.fullmatch(key) is None:
        raise Refusal(
            "an import's key is 1 to 255 visible ASCII characters: leave --key out for a new one",
            WRONG_USAGE,
        )
    if str(path) == "-" and not path.exists():
        raise Refusal(
            "an import may have to send its rows again, which standard input can not: write them "
            "to a file first, as with `cat > rows.ndjson`, and import that",
            WRONG_USAGE,
        )
    if path.is_dir():
        raise Refusal(f"{path} is a folder: name a file", WRONG_USAGE)
    if wishes.charset is not None:
        check_charset(wishes.charset)
    command.check()
    query.check()
    if wishes.rejects is not None:
        check_writable(wishes.rejects)
    return Import(wishes, command, query, key or secrets.token_hex(8))


def run_import(
    plan: Import,
    transport: httpx.BaseTransport | None = None,
    pause: Pause = time.sleep,
) -> int:
    """Import the file, and return the exit code once every row is final.

    Raises Refusal where the file cannot be read or the service cannot be used.
    """
    source = examine(plan.wishes.path, plan.wishes.charset)
    to = targets(source, plan.wishes.rejects)
    wishes, kept = plan.wishes, None
    first = first_rows(source, wishes.charset, wishes.columns, wishes.currency)
    what = "Trying" if plan.wishes.dry else "Importing"
    report = Report(source.size)
    try:
        say(f"{what} {source.path} at {plan.command.url} under the key {plan.key}.")
        with (
            httpx.Client(transport=transport, trust_env=plan.command.proxied) as http,
            report,
        ):
            client = Client(http, plan.command, plan.query, plan.wishes.patience, pause)
            told = _import(plan, source, http, client, report, pause)
        with_rejects = told.counts["rejected"] > 0
        if with_rejects:
            with (
                httpx.Client(transport=transport, trust_env=plan.query.proxied) as http,
                Client(http, plan.command, plan.query, plan.wishes.patience, pause).rejects(
                    told.import_id
                ) as rejects,
            ):
                kept = _write_rejects(plan, told.import_id, rejects, source, to)
    except KeyboardInterrupt:
        say(f"\nInterrupted. {_so_far(report, plan)}")
        return INTERRUPTED
    except GoesOn as refusal:
        raise Refusal(f"{refusal}\n{_so_far(report, plan)}", refusal.code) from None
    if first:
        say("\n".join(["The first rows were read as:", *(f"  {each}" for each in first)]))
    tell(report.summary(told, dry=plan.wishes.dry), hang=2)
    if with_rejects:
        for line in how_to_mend(source.path, to, kept, plan.mended(to.rows), told, dry=wishes.dry):
            tell(line, hang=2)
    fine = told.status == "done" and not with_rejects and not told.counts["other"]
    return 0 if fine else FAILED


def _write_rejects(
    plan: Import, import_id: str, rejects: Iterable[Reject], source: Source, to: Targets
) -> Path | None:
    try:
        return write_rejects(telling(rejects, to.reasons), source, plan.wishes.charset, to)
    except Refusal as refusal:
        where = f"{plan.query.url}/imports/{import_id}/rows?status=rejected"
        raise Refusal(
            f"{refusal}; the import has ended, and its rejected rows are told at {where}"
        ) from None


def _import(
    plan: Import,
    source: Source,
    http: httpx.Client,
    client: Client,
    report: Report,
    pause: Pause,
) -> Told:
    _await_first_answer(http, plan.command, pause)
    report.begin()
    with watching(client, likely_ids(plan.key, plan.query.token), report.told):
        headers = _headers(plan, source)
        import_id = client.send(source, plan.parameters, headers, report.far, report.again)
    return client.follow(import_id, report.told)


def _headers(plan: Import, source: Source) -> Mapping[str, str]:
    charset = plan.wishes.charset
    parameter = "" if charset is None else f"; charset={charset}"
    headers = {"Content-Type": f"{source.media_type}{parameter}", "Idempotency-Key": plan.key}
    named = disposition(source.path.name)
    return headers if named is None else headers | {"Content-Disposition": named}


def _await_first_answer(http: httpx.Client, service: Service, pause: Pause) -> None:
    """Find out at once that there is no service, instead of waiting as for one that is away."""
    deadline = time.monotonic() + _FIRST_ANSWER
    while True:
        try:
            answer = http.get(f"{service.url}/health/live", timeout=_FIRST_ANSWER)
        except httpx.TransportError as error:
            if time.monotonic() >= deadline:
                raise Refusal(
                    f"cannot reach {service.url} ({first_line(error)}): {service.start}",
                    UNREACHABLE,
                ) from None
            pause(_LOOK_EVERY)
            continue
        if answer.is_client_error or answer.is_redirect:
            raise Refusal(
                f"{service.url} answers {answer.status_code} to /health/live: {service.start}",
                UNREACHABLE,
            )
        return


def _so_far(report: Report, plan: Import) -> str:
    done = f"{report.rows:,} rows are final" if report.rows else f"{report.sent:,} bytes are sent"
    return f"{done}. To go on: {plan.resume}"

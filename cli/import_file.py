"""`itemledger import`: the rows of a file into a running service, in order per item."""

import asyncio
import os
import secrets
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httpx
import typer

from cli.import_report import Report, say
from cli.import_rows import LANES, Batch, ImportFile, Reject, examine
from cli.import_sender import Done, Pause, Sender
from cli.reach import Service
from cli.refusals import FAILED, INTERRUPTED, UNREACHABLE, WRONG_USAGE, Refusal, first_line

PATIENCE = 120.0
# How long a service that is being started may take to answer the first time.
_FIRST_ANSWER = 3.0
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Import:
    """What to import, where to, and the key under which it can be taken up again."""

    path: Path
    service: Service
    key: str
    rejects: Path
    patience: float
    resume: str


def plan_import(
    path: Path, service: Service, key: str | None, rejects: Path | None, patience: float
) -> Import:
    """Fill in what was not given.

    Raises Refusal for an empty key, a URL that is none, a folder in place of a file, or rejects
    that cannot be written.
    """
    if key is not None and not key.strip():
        raise Refusal("an import's key is not empty: leave --key out for a new one", WRONG_USAGE)
    if path.is_dir():
        raise Refusal(f"{path} is a folder: name a file", WRONG_USAGE)
    service.check()
    target = rejects or Path(f"{path.name}.rejects.ndjson")
    _check_writable(target)
    key = key or secrets.token_hex(8)
    words = ["itemledger", "import", str(path), "--key", key]
    words += ["--command-url", service.url] if service.given else []
    words += [] if rejects is None else ["--rejects", str(rejects)]
    words += [] if patience == PATIENCE else ["--patience", f"{patience:g}"]
    return Import(
        path=path,
        service=service,
        key=key,
        rejects=target,
        patience=patience,
        resume=shlex.join(words),
    )


def run_import(
    plan: Import,
    transport: httpx.AsyncBaseTransport | None = None,
    pause: Pause = asyncio.sleep,
) -> int:
    """Import the file, and return the exit code once every row is final.

    Raises Refusal where the file cannot be read or the service cannot be used.
    """
    file = examine(plan.path)
    say(f"Importing {file.rows:,} rows to {plan.service.url} under the key {plan.key}.")
    report = Report(file.rows, plan.rejects)
    try:
        with report:
            asyncio.run(_run(plan, file, report, transport, pause))
    except KeyboardInterrupt:
        say(f"\nInterrupted. {_so_far(report, plan)}")
        return INTERRUPTED
    except Refusal as refusal:
        if not report.begun:
            raise
        raise Refusal(f"{refusal}\n{_so_far(report, plan)}", refusal.code) from None
    typer.echo(report.summary())
    return FAILED if report.rejected else 0


def _check_writable(rejects: Path) -> None:
    place = rejects if rejects.exists() else rejects.parent
    if rejects.is_dir():
        why = "it is a folder"
    elif not rejects.parent.is_dir():
        why = "there is no such folder"
    elif not os.access(place, os.W_OK):
        why = "this user may not write there"
    else:
        return
    raise Refusal(
        f"cannot write rejected rows to {rejects}: {why}; name another file with --rejects",
        WRONG_USAGE,
    )


async def _run(
    plan: Import,
    file: ImportFile,
    report: Report,
    transport: httpx.AsyncBaseTransport | None,
    pause: Pause,
) -> None:
    async with httpx.AsyncClient(
        transport=transport,
        trust_env=plan.service.proxied,
        limits=httpx.Limits(max_connections=LANES, max_keepalive_connections=LANES),
    ) as client:
        await _await_first_answer(client, plan.service, pause)
        report.begin()
        sender = Sender(
            client,
            plan.service,
            lambda batch: batch.key(plan.key, file.digest),
            plan.patience,
            pause,
        )
        lanes: list[asyncio.Queue[Batch | None]] = [asyncio.Queue(1) for _ in range(LANES)]
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(_send_in_order(lane, sender, report))
                group.create_task(_feed(file, lanes, report))
        except ExceptionGroup as errors:
            raise _cause(errors) from None


async def _feed(file: ImportFile, lanes: list[asyncio.Queue[Batch | None]], report: Report) -> None:
    """Hand each lane its batches; a full lane holds up the reading, so memory stays flat."""
    for each in file.batches():
        match each:
            case Batch(lane=lane):
                await lanes[lane].put(each)
            case Reject():
                report.take(Done(0, 0, (each,)))
    for lane in lanes:
        await lane.put(None)


async def _send_in_order(lane: asyncio.Queue[Batch | None], sender: Sender, report: Report) -> None:
    """Send the next batch only when all rows of the last one are final: an item's rows are here."""
    while (batch := await lane.get()) is not None:
        report.take(await sender.send(batch))


async def _await_first_answer(client: httpx.AsyncClient, service: Service, pause: Pause) -> None:
    """Find out at once that there is no service, instead of waiting as for one that is away."""
    deadline = time.monotonic() + _FIRST_ANSWER
    while True:
        try:
            answer = await client.get(f"{service.url}/health/live", timeout=_FIRST_ANSWER)
        except httpx.TransportError as error:
            if time.monotonic() >= deadline:
                raise Refusal(
                    f"cannot reach {service.url} ({first_line(error)}): {service.start}",
                    UNREACHABLE,
                ) from None
            await pause(_LOOK_EVERY)
            continue
        if answer.is_client_error or answer.is_redirect:
            raise Refusal(
                f"{service.url} answers {answer.status_code} to /health/live: {service.start}",
                UNREACHABLE,
            )
        return


def _cause(group: BaseException) -> BaseException:
    """Find what stopped the import: one lane's error is enough, the others stop for the same."""
    while isinstance(group, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", group).exceptions[0]
    return group


def _so_far(report: Report, plan: Import) -> str:
    return f"{report.rows:,} rows are final. To go on: {plan.resume}"

"""How fast one worker drains the log: every row of a file appended first, then applied, timed.

    python bench/drain.py FILE.ndjson.gz [DATABASE_URL]

Without a URL the ledger is a fresh SQLite file. The log is an embedded Valkey of its own.
"""

import gc
import gzip
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson
from pydantic import ValidationError

from api import translate
from api.schemas import ROW
from eventlog.append import Submission, evalsha, load_script
from eventlog.clients import working_client
from eventlog.codec import encode
from eventlog.envelope import Envelope
from eventlog.reader import LogReader
from eventlog.ring import Ring
from ledger.engines import writing_engine
from ledger.migrate import migrate
from readmodel.views.listing import all_projections, install
from runtime.settings import Settings
from runtime.telemetry import configure_logging
from runtime.times import now_ms
from runtime.valkey import running_valkey
from worker.drain import Drain
from worker.main import settle_partitions

_CALL = 256


def submissions(file: Path) -> Iterator[Submission]:
    """Make a command of every row that the command API would take."""
    with gzip.open(file, "rb") as lines:
        for line in lines:
            try:
                row = ROW.validate_python(orjson.loads(line))
            except ValidationError:
                continue
            command_id = str(uuid.uuid4())
            command = translate.row(row, command_id, now_ms(), "EUR")
            yield Submission(command_id, encode(Envelope(command_id, command, "bench", "")), "")


def main(file: Path, folder: Path, database_url: str | None) -> None:
    settings = Settings(data=folder, database_url=database_url, partitions=1, log_level="warning")
    configure_logging(settings, "bench")
    migrate(settings.sql_url, install)
    engine = writing_engine(settings.sql_url)
    with running_valkey(settings):
        redis = working_client(settings.log_url)
        reader = LogReader(redis, settle_partitions(settings, engine, redis))
        script = load_script()
        redis.script_load(script.text)
        waiting = list(submissions(file))
        for start in range(0, len(waiting), _CALL):
            redis.execute_command(*evalsha(script, 0, waiting[start : start + _CALL]))
        drain = Drain(engine, reader, Ring(redis), all_projections(), now_ms, threading.Event())
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        begun, worked = time.perf_counter(), time.process_time()
        while not drain.partition(0):
            pass
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    engine.dispose()
    print(
        f"{len(waiting):,} commands drained in {seconds:.1f} s: "
        f"{len(waiting) / seconds:,.0f} commands/s, {cpu:.1f} s of them our own CPU"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(Path(sys.argv[1]), Path(made), sys.argv[2] if len(sys.argv) > 2 else None)  # noqa: PLR2004

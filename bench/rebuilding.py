"""G9: every view made anew from the ledger, beside the running service, as fast as it can."""

import subprocess
import time

from bench.applying import drained, happenings
from bench.measure import Found, Sample
from bench.sides import Ask, Service, Stage, watching
from bench.sizes import Size
from readmodel.views.listing import all_views
from tests.journey import ITEMLEDGER

_LOOK_EVERY = 0.005
_GIVE_UP_AFTER = 600.0
_GOAL = "of live apply, the slowest view"
_ALL = "all views, one after the other"


def rebuild(stage: Stage, size: Size) -> Found:
    service, new = stage.service(), stage.new
    found = Found({"live apply": []}, {_GOAL: []})
    events = 0
    for _ in range(size.fewer):
        rows = happenings(new, size.rebuilt // size.fewer)
        events += len(rows)
        live = drained(service, rows)
        found.sides["live apply"].append(live)
        times = {view.name: _rebuilt(service, view.name) for view in all_views()[: size.views]}
        found.values[_GOAL].append(events / max(times.values()) / live.rate)
        times[_ALL] = sum(times.values())
        for name, seconds in times.items():
            found.sides.setdefault(name, []).append(Sample(rate=events / seconds))
    found.notes.append(f"Events a second of a ledger of {events:,} events at the last turn.")
    return found


def _rebuilt(service: Service, view: str) -> float:
    """Wish for a rebuild; return the seconds from the wish to the switch."""
    argv = [*ITEMLEDGER, "rebuild", view, "--no-watch"]
    env = service.deployment.env | {"ITEMLEDGER_DATABASE_URL": service.url}
    with watching(service.url) as ask:
        before = _book(ask, view)
        process = subprocess.Popen(
            argv, env=env, cwd=service.deployment.folder, stdout=subprocess.DEVNULL
        )
        begun: float | None = None
        while True:
            now, book = time.monotonic(), _book(ask, view)
            if begun is None and book != before:
                begun = now
            if begun is not None and book[0] == "idle":
                break
            if book[0] in {"failed", "different"} or process.poll() not in {None, 0}:
                raise SystemExit(f"{view} was not rebuilt: {book}")
            time.sleep(_LOOK_EVERY)  # between two looks
    process.wait()
    return now - begun


def _book(ask: Ask, view: str) -> tuple[str, int]:
    statement = f"SELECT state, changed_at FROM projections WHERE view = '{view}'"  # noqa: S608  ours
    state, changed_at = ask(statement)[0]
    return state, changed_at

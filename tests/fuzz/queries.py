"""The query API as a target, over a catalogue that is written first."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any
from zlib import crc32

from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from tests.fuzz.catalogue import CURRENCIES, MOMENTS, WORDS, Catalogue, write
from tests.fuzz.excuses import OF_QUERIES
from tests.fuzz.seen import look
from tests.fuzz.target import Target
from tests.journey import Deployment

_STREAM = "/changes/stream"
# A stream has no end: it is read until the first event, or so many seconds.
_CONFIG: Mapping[str, Any] = {
    "operations": [{"include-path": _STREAM, "request-timeout": 2.0, "max-stream-events": 1}]
}
# A second is waited for now and then: what comes at once has `wait` as well.
_PREFERENCES = (*("wait=0", "handling=lenient") * 8, "wait=1", None, None, None)
_STRICT = "wait=1, handling=strict"
_DAYS = ("2025-01-01", "2025-11-30", "2026-01-01")
_FORMS = (
    "application/json",
    "application/x-ndjson",
    "application/cloudevents-batch+json",
    "application/link-format",
    "text/csv",
    "text/html",
    "text/*;q=0.5, */*;q=0.1",
)


def queries(deployment: Deployment) -> Target:
    """Write a catalogue and aim at it."""
    catalogue = write(deployment)
    return Target(deployment.query_url, OF_QUERIES, _Aim(deployment, catalogue), _CONFIG)


class _Aim:
    """Asks mostly for what is there: of text that is drawn at random, nothing ever is.

    What is chosen hangs on the case, so that the same one is sent twice as the same.
    """

    def __init__(self, deployment: Deployment, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._seen = look(deployment.query_url, catalogue)
        self._by_name: Mapping[str, Sequence[Any]] = {
            "command_id": catalogue.commands,
            "import_id": catalogue.imports,
            "code": ("item-not-found", "cursor-ahead"),
            "asset": self._seen.assets,
            "name": ("stats",),
            "item_id": catalogue.items,
            "token": catalogue.tokens,
            "ids": (",".join(catalogue.items[2:9]), catalogue.items[0]),
            "q": (*WORDS, f"{WORDS[0]} {WORDS[1][:3]}"),
            "currency": CURRENCIES,
            "version": (1, 2, 3, 4),
            "as_of": MOMENTS,
            "at": MOMENTS,
            "updated_since": MOMENTS,
            "Consistency-Token": catalogue.tokens,
            "Accept-Datetime": ("Tue, 01 Apr 2025 08:00:00 GMT",),
            "Accept": _FORMS,
            "If-None-Match": ("*", '"1"', *self._seen.tags),
            "after": (*self._seen.cursors, "head"),
            "Last-Event-ID": self._seen.cursors,
        }
        self._by_path: Mapping[str, Mapping[str, Sequence[Any]]] = {
            "/items/{item_id}/diff": {"from": (0, 1, 2), "to": (1, 2, 3)},
            "/items/{item_id}/prices": {"from": MOMENTS[:5], "to": MOMENTS[5:]},
            "/stats": {"from": _DAYS[:2], "to": _DAYS[1:]},
        }

    def __call__(self, case: Case) -> Case:
        # What makes a case wrong stays in it.
        drawn = (case.path_parameters, case.query, case.headers)
        chance = Random(crc32(repr(drawn).encode()))  # noqa: S311  nothing is secret here
        if not _is_wrong(case, ParameterLocation.PATH):
            self._aim_path(case, chance)
        if not _is_wrong(case, ParameterLocation.HEADER):
            self._aim_token(case, chance)
        self._prefer(case, chance)
        if case.meta is None or case.meta.phase.name is not TestPhase.FUZZING:
            # Boundaries, examples, and what links lead to, are as they are.
            if case.operation.path == _STREAM and not _is_wrong(case, ParameterLocation.QUERY):
                self._aim_stream(case, chance)
            return case
        if not _is_wrong(case, ParameterLocation.QUERY):
            self._aim_query(case, chance)
        if not _is_wrong(case, ParameterLocation.HEADER):
            for header in case.operation.headers:
                if header.name in self._by_name and chance.random() < 0.4:
                    case.headers[header.name] = chance.choice(self._by_name[header.name])
        return case

    def _aim_path(self, case: Case, chance: Random) -> None:
        if not case.path_parameters or chance.random() < 0.1:
            return
        if "schedule_id" in case.path_parameters:
            item_id, schedule_id = chance.choice(self._catalogue.schedules)
            case.path_parameters |= {"item_id": item_id, "schedule_id": schedule_id}
            return
        for name in case.path_parameters:
            # Types and versions of events are drawn from the few there are.
            if name in self._by_name and "type_name" not in case.path_parameters:
                case.path_parameters[name] = chance.choice(self._by_name[name])

    def _aim_token(self, case: Case, chance: Random) -> None:
        """Of any other command but those of the catalogue one is told that it is lost."""
        if "Consistency-Token" in case.headers and chance.random() < 0.9:
            case.headers["Consistency-Token"] = chance.choice(self._catalogue.tokens)

    def _aim_query(self, case: Case, chance: Random) -> None:
        query, path = case.query, case.operation.path
        if path == _STREAM:
            self._aim_stream(case, chance)
            return
        if path == "/views/{name}":
            # Which parameters there are, the view says.
            case.query = chance.choice(({}, {"from": _DAYS[0]}, {"to": _DAYS[2]}, query))
            return
        pages = self._seen.pages.get(path, ())
        if pages and chance.random() < 0.25:
            page = chance.choice(pages)
            if not _is_wrong(case, ParameterLocation.PATH):
                case.path_parameters |= page.path_parameters
            case.query = dict(page.query)
            return
        if chance.random() < 0.9:
            query.pop("cursor", None)
        for name in query:
            if chance.random() < 0.7:
                query[name] = self._known(path, name, chance, query[name])

    def _aim_stream(self, case: Case, chance: Random) -> None:
        """Ask mostly for what has events, and seldom for what would be waited for."""
        if chance.random() < 0.03:
            return
        case.query = chance.choice(
            (
                {},
                {"types": "ItemCreated"},
                {"types": "ItemDeleted,ItemRepriced"},
                {"item_id": chance.choice(self._catalogue.items)},
                {"after": self._seen.cursors[0]},
            )
        )

    def _prefer(self, case: Case, chance: Random) -> None:
        """Wait little: for a token that nothing was accepted under, one would wait in vain. Who
        wants nothing stale is told 503 of such a one, so that is asked with real ones.
        """
        if all(each.name != "Prefer" for each in case.operation.headers):
            return
        case.headers.pop("Prefer", None)
        preferred = chance.choice(_PREFERENCES)
        if case.headers.get("Consistency-Token") in self._catalogue.tokens:
            preferred = chance.choice((preferred, _STRICT))
        if preferred is not None:
            case.headers["Prefer"] = preferred

    def _known(self, path: str, name: str, chance: Random, drawn: Any) -> Any:
        known = self._by_path.get(path, {}).get(name) or self._by_name.get(name)
        return chance.choice(known) if known else drawn


def _is_wrong(case: Case, place: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(place)

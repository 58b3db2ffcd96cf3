"""The pages and what they need, by path; and the page that says what is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from flask import Response, request

from readmodel import params
from readmodel.answers import FRESH_ONLY, Answer, answer
from readmodel.cursors import FeedCursors
from readmodel.guard import Doorkeeper
from readmodel.paging import Paging
from readmodel.problem_codes import NOT_FOUND
from readmodel.problems import Trouble, nothing_here
from readmodel.reads import Reads
from readmodel.web.assets import assets, edition
from readmodel.web.catalogue import CataloguePage
from readmodel.web.comparison import ComparisonPage
from readmodel.web.feed import FeedPage
from readmodel.web.imports import ImportPages
from readmodel.web.item import ItemPage
from readmodel.web.operations import OperationsPage
from readmodel.web.render import Pages, lead_to
from readmodel.web.sign_in import SignInPage
from runtime.auth.exposure import is_this_machine
from runtime.settings import Settings

View = Callable[..., Response]
# Below it everything is for people.
ROOT = "/ui"

_UNAUTHORIZED, _UNAVAILABLE = 401, 503
_ASSET_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}


class Site:
    """All pages; `clock` gives milliseconds."""

    def __init__(
        self,
        pages: Pages,
        reads: Reads,
        paging: Paging,
        cursors: FeedCursors,
        imports: ImportPages,
        operations: OperationsPage,
        door: Doorkeeper,
        settings: Settings,
        clock: Callable[[], int],
    ) -> None:
        self._pages = pages
        self._public_url = settings.public_query_url
        self._sign_in = SignInPage(pages, door, settings)
        self._catalogue = CataloguePage(pages, reads, paging, cursors)
        self._item = ItemPage(pages, reads, paging, cursors, clock)
        self._comparison = ComparisonPage(pages, reads)
        self._feed = FeedPage(pages, reads, cursors)
        self._imports = imports
        self._operations = operations

    def routes(self) -> Iterator[tuple[str, View]]:
        """List the pages."""
        yield "/", self.home
        yield "/ui/assets/<asset_edition>/<name>", self.asset
        yield "/ui/", self._at_home(self._catalogue.catalogue)
        yield "/ui/items/<item_id>", self._at_home(self._item.item)
        yield "/ui/items/<item_id>/diff", self._at_home(self._comparison.diff)

        yield "/ui/feed", self._at_home(self._feed.feed)
        yield "/ui/imports", self._at_home(self._imports.imports)
        yield "/ui/imports/<import_id>", self._at_home(self._imports.import_)
        yield "/ui/imports/sent/<key>", self._imports.sent
        yield "/ui/operations", self._at_home(self._operations.operations)
        yield "/ui/sign-in", self._at_home(self._sign_in.page)

    def forms(self) -> Iterator[tuple[str, View]]:
        """List what takes forms."""
        yield "/ui/sign-in", self._sign_in.sign_in
        yield "/ui/sign-out", self._sign_in.sign_out

    def home(self) -> Response:
        params.read(request.args, {})
        return lead_to(f"{self._pages.base}{ROOT}/")

    def asset(self, asset_edition: str, name: str) -> Answer:
        """Serve a file that pages name. Raises Trouble where there is no such file."""
        found = assets().get(name)
        if found is None or asset_edition != edition():
            raise nothing_here(request.path)
        written = answer(found.body, _ASSET_HEADERS)
        written.content_type = found.media_type
        return written

    def explain(self, trouble: Trouble) -> Answer | None:
        """Write the page of a problem, where it is a page that was asked for; else `None`."""
        trouble = _for_people(trouble)
        if not request.path.startswith(f"{ROOT}/") or "text/html" not in request.accept_mimetypes:
            return None
        if trouble.problem.status == _UNAUTHORIZED and "HX-Request" not in request.headers:
            return self._sign_in.lead_here()
        # What passes by itself is asked for again at the same address.
        passes = trouble.problem.status == _UNAVAILABLE and request.method == "GET"
        again = self._pages.base + request.full_path.rstrip("?") if passes else None
        values = {"problem": trouble.problem, "again": again}
        headers = {**FRESH_ONLY, **trouble.headers}
        return self._pages.page("problem.html", values, trouble.problem.status, headers)

    def _at_home(self, view: View) -> View:
        """Lead to the page under the name that the command API knows, where both names are this
        machine: it takes commands from no other.
        """
        home = urlsplit(self._public_url)

        def page(**arguments: str) -> Response:
            here = urlsplit(request.host_url)
            others = here.hostname != home.hostname and here.port == home.port
            if others and all(is_this_machine(each.hostname or "") for each in (here, home)):
                return lead_to(self._public_url + request.full_path)
            return view(**arguments)

        return page


def _for_people(trouble: Trouble) -> Trouble:
    """Say of an address where nothing is that there is no page: programs are sent to the
    description, which says nothing to a person.
    """
    if request.url_rule is not None or trouble.problem.status != NOT_FOUND.status:
        return trouble
    detail = f"There is no page at {request.path}. Those that there are stand above."
    return Trouble(replace(trouble.problem, detail=detail), trouble.headers)

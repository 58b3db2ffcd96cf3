import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
import yaml

import domain.events
from api.problem_codes import CATALOGUE
from cli.main import app
from docs import generate
from domain.events import Event
from ledger.shapes import SHAPES
from readmodel.problem_codes import PROBLEM_CODES
from readmodel.views.listing import all_views
from runtime.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    written = (ROOT / "docs" / name).read_text("utf-8")
    assert written == generate.PAGES[name](), "run: python docs/generate.py"


def test_settings_are_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    for name in Settings.model_fields:
        assert f"`{PREFIX}{name.upper()}`" in page


def test_problem_codes_are_documented() -> None:
    command_api, query_api = (
        (ROOT / "docs" / "problems.md").read_text("utf-8").split("## Query API")
    )
    assert all(f"| `{code}` |" in command_api for code in CATALOGUE)
    assert all(f"| `{code}` |" in query_api for code in PROBLEM_CODES)


def test_every_command_is_documented() -> None:
    console: Any = typer.main.get_command(app)
    text = "".join(page.read_text("utf-8") for page in PAGES)
    missing = [name for name in console.commands if f"itemledger {name}" not in text]
    assert missing == []


def test_every_event_and_version_is_documented() -> None:
    page = (ROOT / "docs" / "events.md").read_text("utf-8")
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == [
        each.__name__ for each in get_args(Event)
    ]
    for shape in SHAPES:
        assert f"/schemas/events/{shape.type}/v{shape.version}" in page


def test_every_view_is_documented_with_the_events_it_reads() -> None:
    page = (ROOT / "docs" / "views.md").read_text("utf-8")
    told = {
        name: frozenset(get_args(Event))
        if reads == "every event"
        else frozenset(getattr(domain.events, each) for each in re.findall(r"`(\w+)`", reads))
        for name, reads in re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|", page, re.MULTILINE)
    }
    assert told == {view.name: view.reads for view in all_views()}


def test_every_make_target_is_documented() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert targets
    assert [target for target in targets if f"make {target}" not in text] == []


def test_no_make_target_is_documented_that_does_not_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8")):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), (page, target)


def test_the_map_names_every_room_and_no_file_that_is_not_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for init in ROOT.glob("*/__init__.py"):
        assert f"`{init.parent.name}/`" in text
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|lua))`", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in _links(page.read_text("utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text("utf-8")), f"{target}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {target for target, _ in _links(index.read_text("utf-8"))}
    pages = {page.name for page in index.parent.glob("*.md")} - {index.name}
    assert pages - named == set(), "docs/README.md does not lead there"


def test_every_fault_is_linked_to_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    faults = re.findall(r"^\| (\d+)\. .*", page, flags=re.MULTILINE)
    assert faults == [str(number) for number in range(1, len(faults) + 1)]
    assert len(faults) >= 20
    for line in re.findall(r"^\| \d+\. .*", page, flags=re.MULTILINE):
        shown_by = re.findall(r"\[`([^`]+)`\]\(\.\./(tests/[^)]+)\)", line)
        assert shown_by or "make chaos" in line, line
        for name, file in shown_by:
            assert name == file or f"def {name}(" in (ROOT / file).read_text("utf-8"), name


def test_scraping_as_documented_is_of_both_services() -> None:
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    jobs = [each["job_name"] for each in yaml.safe_load(block)["scrape_configs"]]
    assert jobs == ["itemledger-api", "itemledger-query"]


def _links(text: str) -> Iterator[tuple[str, str]]:
    """List the files and the places in them that a page leads to."""
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
        if "://" not in target and (target or anchor):
            yield target, anchor


def _anchors(text: str) -> set[str]:
    """Name the headings of a page as GitHub does in addresses."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}

"""What a page shows is true: its code blocks are run, in order, against one service for all pages.

Each page has items of its own (`lamp-1` of the tutorial is another one than that of the README), a
folder of its own, and a shell and names of Python that go on from block to block.
"""

import contextlib
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs import edits
from tests.docs.answers import differences, last_answer
from tests.docs.blocks import ANSWER, EDIT, PAGES, ROOT, Block, blocks_of
from tests.docs.mirrored import goes_on_after_kills
from tests.docs.shell import Shell
from tests.journey import Deployment

# Blocks that nothing here can run, by page; each says why in a comment in front of it.
NOT_RUN = Counter(
    {
        "CONTRIBUTING.md": 1,
        "README.md": 1,
        "docs/capacity.md": 1,
        "docs/kubernetes.md": 2,
        "docs/operating.md": 1,
        "docs/postgresql.md": 1,
        "docs/production.md": 3,
        "docs/security.md": 1,
        "docs/tracing.md": 1,
        "docs/tutorial.md": 1,
        "docs/views.md": 1,
    }
)
# Pages whose blocks are run, if no comment says otherwise. A page that is not named here may do
# to a machine what it likes.
SHOWN = frozenset(
    {
        "README.md",
        "docs/adding-a-command.md",
        "docs/client.md",
        "docs/feed.md",
        "docs/following.md",
        "docs/importing-a-history.md",
        "docs/imports.md",
        "docs/lists.md",
        "docs/operating.md",
        "docs/read-your-writes.md",
        "docs/rebuilding.md",
        "docs/security.md",
        "docs/time-travel.md",
        "docs/tutorial.md",
        "docs/views.md",
        "docs/writing.md",
    }
)
# What is looked at, not run.
LOOKED_AT = frozenset({"text"})
GUIDE = "docs/adding-a-command.md"

_ITEM = re.compile(r"\b((?:chair|desk|jug|lamp|table)-\d+)\b")
# Seconds for a block.
_PATIENCE = 60.0


def all_blocks() -> Iterator[Block]:
    for page in PAGES:
        yield from blocks_of(page)


def test_every_block_is_run_or_says_why_not() -> None:
    for block in all_blocks():
        assert block.language, f"{block.where} does not say of what language it is"
        is_run = block.is_run and block.page in SHOWN
        assert is_run or block.mark or block.language in LOOKED_AT, (
            f"{block.where}: nothing runs it; say in a comment in front of it why: "
            f"<!-- not run: … --> or <!-- run by tests/… -->, or name its page in SHOWN"
        )
    not_run = Counter(block.page for block in all_blocks() if block.mark == "not run")
    assert not_run == NOT_RUN, "a block is not run any more, or again: NOT_RUN counts them"


def test_a_block_that_another_test_runs_is_run_there() -> None:
    for block in all_blocks():
        if block.mark == "run by":
            name = Path(block.page).name
            assert name in (ROOT / block.says).read_text("utf-8"), block.where


def test_the_changes_that_a_guide_shows_fit_the_code(tmp_path: Path) -> None:
    code = edits.copy_of_the_code(tmp_path)
    for page in PAGES:
        edits.edit(code, [block for block in blocks_of(page) if block.language == EDIT])


@pytest.mark.timeout(280)
def test_what_pages_show_is_what_happens(
    tmp_path: Path, migrated_sqlite_file: Path, subtests: pytest.Subtests
) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("the pages' blocks want curl and bash, which are not here")
    wanted = os.environ.get("PAGES", "").split()
    pages = [
        (page, list(blocks_of(page)))
        for page in PAGES
        if page.relative_to(ROOT).as_posix() in SHOWN and (not wanted or page.stem in wanted)
    ]
    code = edits.copy_of_the_code(tmp_path / "code")
    with subtests.test(GUIDE):
        for _, blocks in pages:
            if any(block.language == EDIT for block in blocks):
                edits.edit(code, blocks)
    database = tmp_path / "itemledger.db"
    shutil.copy(migrated_sqlite_file, database)
    deployment = Deployment(tmp_path, f"sqlite:///{database}")
    # The command of the guide is in this service, as any other.
    deployment.env["PYTHONPATH"] = str(code)
    with deployment.up():
        for page, blocks in pages:
            if any(block.is_run for block in blocks):
                with subtests.test(page.name):
                    edited = code if any(block.language == EDIT for block in blocks) else None
                    show(blocks, edited or tmp_path / page.stem, deployment, database)
        # What docs/following.md says of its program.
        if (tmp_path / "following" / "mirror.py").exists():
            with subtests.test("the follower is killed"):
                goes_on_after_kills(tmp_path / "following" / "mirror.py", deployment)


def show(blocks: list[Block], folder: Path, deployment: Deployment, database: Path) -> None:
    """Run the blocks of a page."""
    folder.mkdir(exist_ok=True)
    here = Translation(blocks[0].page, deployment)
    names: dict[str, object] = {"__name__": "__main__"}
    said = ""
    env = {**deployment.env, "ITEMLEDGER_DATABASE_URL": f"sqlite:///{database}"}
    with Shell(folder, env) as shell:
        for block in blocks:
            text = here.there(block.text)
            if not block.is_run or block.language == EDIT:
                continue
            try:
                if block.mark == "file":
                    (folder / block.says).parent.mkdir(parents=True, exist_ok=True)
                    (folder / block.says).write_text(text, "utf-8")
                elif block.language == ANSWER:
                    shown = last_answer(block.text)
                    assert list(differences(shown, last_answer(said))) == [], said
                else:
                    run = {"sh": shell_of(shell), "python": python_of(block, names)}
                    said = here.back(run[block.language](text))
            except BaseException as error:
                error.add_note(f"{block.where}\n{block.text}")
                raise


def shell_of(shell: Shell) -> Callable[[str], str]:
    return lambda text: shell.run(text, _PATIENCE)


def python_of(block: Block, names: dict[str, object]) -> Callable[[str], str]:
    def run(text: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(text, block.where, "exec"), names)  # noqa: S102  our own page
        return printed.getvalue()

    return run


class Translation:
    """From what a page says to this service, and back."""

    def __init__(self, page: str, deployment: Deployment) -> None:
        self._mine = "." + re.sub(r"\W+", "-", Path(page).stem)
        command, query = (
            each.rpartition(":")[2] for each in (deployment.command_url, deployment.query_url)
        )
        self._ports = {"127.0.0.1:8000": command, "127.0.0.1:8001": query}

    def there(self, text: str) -> str:
        for place, port in self._ports.items():
            text = text.replace(place, f"127.0.0.1:{port}")
        return _ITEM.sub(rf"\1{self._mine}", text)

    def back(self, said: str) -> str:
        for place, port in self._ports.items():
            said = said.replace(f"127.0.0.1:{port}", place)
        return said.replace(self._mine, "")

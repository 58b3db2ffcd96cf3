import ast
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from inspect import isfunction
from pathlib import Path

import pytest

from eventlog.ring import DRAIN, HOUSEKEEP
from worker import jobs, rqworker

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ROOMS = ["api", "cli", "domain", "eventlog", "ledger", "readmodel", "runtime", "worker"]
# No room of the service, but what programs of others import; it is shipped and checked alike.
CLIENT = "itemledger_client"
PACKAGES = sorted([*ROOMS, CLIENT])
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]

# Dependencies that no contract speaks of, and why.
USED_EVERYWHERE = {"orjson", "structlog"}
NEVER_IMPORTED = {
    *("httptools", "psycopg", "uvloop"),  # drivers that others load by themselves
    "flask_swagger_ui",  # only its files are served
    "opentelemetry_exporter_otlp_proto_http",  # found by its entry point
    "opentelemetry_sdk",  # a part of `opentelemetry`, which a contract speaks of
}


def test_every_room_imports_only_what_it_may() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_dependency_has_its_rooms() -> None:
    project = PYPROJECT["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    names = {_import_name(each) for each in [*project["dependencies"], *extras]}
    spoken_of = {
        module
        for contract in CONTRACTS
        for module in [
            *contract.get("protected_modules", ()),
            *contract.get("forbidden_modules", ()),
        ]
    }
    assert names - spoken_of - USED_EVERYWHERE - NEVER_IMPORTED == set()


def test_every_room_is_checked_and_shipped() -> None:
    packages = sorted(file.parent.name for file in ROOT.glob("*/__init__.py"))
    assert packages == PACKAGES
    assert PYPROJECT["tool"]["importlinter"]["root_packages"] == PACKAGES
    assert PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == PACKAGES
    assert PYPROJECT["tool"]["pyright"]["include"] == PACKAGES


@pytest.mark.parametrize("room", PACKAGES)
def test_a_room_is_ours(room: str) -> None:
    # Another distribution may ship a package of the same name; pip would say nothing.
    spec = find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) == ROOT / room / "__init__.py"


@pytest.mark.parametrize("room", ROOMS)
def test_an_init_is_its_law_and_nothing_else(room: str) -> None:
    for file in (ROOT / room).rglob("__init__.py"):
        tree = ast.parse(file.read_text("utf-8"))
        assert len(tree.body) == 1, file
        assert ast.get_docstring(tree), file


def test_the_client_opens_with_its_law_and_the_names_it_gives() -> None:
    tree = ast.parse((ROOT / CLIENT / "__init__.py").read_text("utf-8"))
    law, *imports, names = tree.body
    assert isinstance(law, ast.Expr)
    assert ast.get_docstring(tree)
    assert all(isinstance(each, ast.ImportFrom) for each in imports)
    given = {alias.name for each in imports for alias in getattr(each, "names", ())}
    assert isinstance(names, ast.Assign)
    assert set(ast.literal_eval(names.value)) == given
    assert (ROOT / CLIENT / "py.typed").is_file()


@pytest.mark.parametrize("room", PACKAGES)
def test_every_file_opens_with_what_it_is_for(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_text("utf-8"))), file


def test_the_queued_jobs_exist_and_are_the_only_ones_allowed() -> None:
    named = {"worker.jobs.drain": jobs.drain, "worker.jobs.housekeep": jobs.housekeep}
    assert {DRAIN, HOUSEKEEP} == set(named)
    assert all(isfunction(function) for function in named.values())
    assert named == rqworker._FUNCTIONS


def _import_name(requirement: str) -> str:
    name = requirement.partition(";")[0]
    for end in "[<>=!~ ":
        name = name.partition(end)[0]
    return name.replace("-", "_")

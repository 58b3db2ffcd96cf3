"""Write the pages of this folder that are made from the code: `python docs/generate.py`."""

# ruff: noqa: INP001  a folder of pages, not a package

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer.main
from pydantic.fields import FieldInfo

from api import metrics as of_api
from api.problem_codes import CATALOGUE
from cli.children import MAY_TOUCH
from cli.main import app
from readmodel import metric_names as of_query
from readmodel.problem_codes import PROBLEM_CODES
from runtime.metrics import OF_PROCESSES, Metric
from runtime.settings import ENV_FILE_VARIABLE, PREFIX, Settings

HERE = Path(__file__).parent

_GENERATED = "<!-- Made by docs/generate.py; do not edit. -->\n"


def configuration() -> str:
    """Write the page of settings."""
    schema = Settings.model_json_schema()["properties"]
    options = _options_of_up()
    rows = [
        (
            f"`{PREFIX}{name.upper()}`",
            options.get(name, ""),
            _values(name, schema[name]),
            _default(field),
            field.description or "",
            ", ".join(_readers(name)),
        )
        for name, field in Settings.model_fields.items()
    ]
    head = ("setting", "option of `up`", "value", "default", "meaning", "`up` hands it to")
    return (
        f"{_GENERATED}"
        "# Configuration\n\n"
        "Every setting comes from the environment or from a file `.env` in the working directory. "
        "Options of the command line go before the environment, and the environment before the "
        "file. An empty value is no value. `.env.example` holds the same list, to be copied.\n\n"
        "`itemledger up` hands each of its processes only the settings that it may touch: the "
        "command API never learns the database's URL. Started one by one (Procfile, compose), "
        "give each process only its own, by the last column; a URL that `up` works out by itself "
        "(its embedded engines) is then yours to name.\n\n"
        f"{_table(head, rows)}\n"
        "`itemledger import`, `itemledger export` and `itemledger status` find a running service "
        f"by `{PREFIX}COMMAND_URL` and `{PREFIX}QUERY_URL`.\n\n"
        f"`{ENV_FILE_VARIABLE}` names another file than `.env`; empty, no file is read.\n"
    )


def problems() -> str:
    """Write the page of problem codes."""
    return (
        f"{_GENERATED}"
        "# Problems\n\n"
        "Every error is an `application/problem+json` document (RFC 9457). Its `code` is stable; "
        "its `type` is the address of a page on the service that answered, with the same words as "
        "here. A rejected command carries the same problem in its outcome.\n\n"
        "## Command API\n\n"
        f"{_problem_table(CATALOGUE)}\n"
        "## Query API\n\n"
        f"{_problem_table(PROBLEM_CODES)}"
    )


def metrics() -> str:
    """Write the page of metrics."""
    return (
        f"{_GENERATED}"
        "# Metrics\n\n"
        "Both services tell them at `/metrics`, in Prometheus' text format, to whoever has the "
        "scope `ops`. [How to scrape them, and what to be woken up for](operating.md).\n\n"
        "A histogram is told as three: its name with `_bucket` (and the label `le`), `_sum` and "
        "`_count`. A value that is not known is not there.\n\n"
        "## Both\n\n"
        f"{_metric_table(OF_PROCESSES)}\n"
        "## Command API\n\n"
        f"{_metric_table(_own(of_api.METRICS))}\n"
        "## Query API\n\n"
        f"{_metric_table(_own(of_query.METRICS))}"
    )


PAGES = {"configuration.md": configuration, "metrics.md": metrics, "problems.md": problems}


def main() -> None:
    """Write all pages."""
    for name, write in PAGES.items():
        (HERE / name).write_text(write(), "utf-8")


def _options_of_up() -> Mapping[str, str]:
    up: Any = typer.main.get_command(app)
    return {
        parameter.name: f"`{parameter.opts[0]}`"
        for parameter in up.commands["up"].params
        if parameter.name in Settings.model_fields
    }


def _values(name: str, schema: Mapping[str, Any]) -> str:
    """Say what a setting takes, from its JSON Schema."""
    kinds = schema.get("anyOf", [schema])
    kind = next(each for each in kinds if each.get("type") != "null")
    if "enum" in kind:
        return ", ".join(f"`{each}`" for each in kind["enum"])
    if kind.get("type") == "integer":
        return f"{kind['minimum']} to {kind['maximum']}"
    if kind.get("format") == "path":
        return "path"
    return "URL" if name.endswith("_url") else "text"


def _default(field: FieldInfo) -> str:
    return "" if field.default is None else f"`{field.default}`"


def _readers(name: str) -> Iterable[str]:
    return (process for process, settings in MAY_TOUCH.items() if name in settings)


def _problem_table(catalogue: Mapping[str, Any]) -> str:
    found = sorted(catalogue.values(), key=lambda each: (each.status, each.code))
    rows = [
        (f"`{each.code}`", str(each.status), each.title, each.meaning, each.mend) for each in found
    ]
    return _table(("code", "status", "title", "what it means", "what to do"), rows)


def _own(metrics: Iterable[Metric]) -> list[Metric]:
    return [each for each in metrics if each not in OF_PROCESSES]


def _metric_table(metrics: Iterable[Metric]) -> str:
    rows = [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.says)
        for each in metrics
    ]
    return _table(("metric", "kind", "labels", "what it tells"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()

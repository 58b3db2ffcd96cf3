"""Write the pages of this folder that are made from the code: `python docs/generate.py`."""

# ruff: noqa: INP001  a folder of pages, not a package

import inspect
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import orjson
import typer.main
from pydantic.fields import FieldInfo

from api import metrics as of_api
from api.problem_codes import CATALOGUE
from cli.children import MAY_TOUCH
from cli.main import app
from cli.refusals import EXIT_CODES
from ledger.shapes import NEWEST, SHAPES, Shape
from readmodel import metric_names as of_query
from readmodel.problem_codes import PROBLEM_CODES
from runtime.metrics import OF_PROCESSES, Metric
from runtime.settings import ENV_FILE_VARIABLE, PREFIX, SECRETS_VARIABLE, Settings

HERE = Path(__file__).parent

_GENERATED = "<!-- Made by docs/generate.py; do not edit. -->\n"

_COMPLETION = """\
## The Tab key

Shells complete commands, options and views where `itemledger` is found by its name: put
`.venv/bin` on `PATH`, as `. .venv/bin/activate` does (fish: `. .venv/bin/activate.fish`).

- **bash, fish**: `itemledger --install-completion`, once, in that shell; the next one has it.
- **zsh**: at the end of `~/.zshrc`, below `autoload -Uz compinit; compinit`, the line
  `eval "$(_ITEMLEDGER_COMPLETE=source_zsh itemledger)"`. (After `--install-completion` the first
  Tab of each shell does nothing there.)
"""


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
        "`status`, `doctor`, `import` and `export` take ports and URLs that are not set from the "
        "`up` that runs in the same data folder, which leaves them there in `serving.json`.\n\n"
        "`itemledger up` hands each of its processes only the settings that it may touch: the "
        "command API never learns the database's URL. Started one by one (Procfile, compose), "
        "give each process only its own, by the last column; a URL that `up` works out by itself "
        "(its embedded engines) is then yours to name.\n\n"
        f"{_table(head, rows)}\n"
        "`itemledger import`, `itemledger export` and `itemledger status` find a running service "
        f"by `{PREFIX}COMMAND_URL` and `{PREFIX}QUERY_URL`.\n\n"
        f"`{ENV_FILE_VARIABLE}` names another file than `.env`; empty, no file is read.\n\n"
        f"`{SECRETS_VARIABLE}` names a folder of files that are called like settings "
        f"(`{PREFIX.lower()}database_url`, in small letters or capitals) and hold their values, as "
        "container engines, Kubernetes and systemd hand over secrets. What stands in the "
        "environment or in `.env` goes before them; other files in the folder are let be.\n"
    )


def problems() -> str:
    """Write the page of problem codes."""
    return (
        f"{_GENERATED}"
        "# Problems\n\n"
        "Every error is an `application/problem+json` document (RFC 9457). Its `code` is stable; "
        "its `type` is the address of a page on the service that answered, with the same words as "
        "here; `/problems` lists them. A rejected command carries the same problem in its "
        "outcome.\n\n"
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
        "Workers and cron serve no HTTP, by their law, and have no port to be scraped at. What a "
        "worker counts it tells the log's Redis each second, and how it is every five; each query "
        "process reads that when it is scraped. Nothing jumps when a worker ends: what all have "
        "counted is one sum, and what is of one has its name and goes with it. Cron tells there, "
        "every five seconds, that it is there, which chores were due, and what went wrong.\n\n"
        "A histogram is told as three: its name with `_bucket` (and the label `le`), `_sum` and "
        "`_count`. A value that is not known is not there.\n\n"
        "## Both\n\n"
        f"{_metric_table(OF_PROCESSES)}\n"
        "## Command API\n\n"
        f"{_metric_table(_own(of_api.METRICS))}\n"
        "## Query API\n\n"
        f"{_metric_table(_own(of_query.METRICS))}"
    )


def commands() -> str:
    """Write the page of the console's commands."""
    console: Any = typer.main.get_command(app)
    told = "\n".join(_words("itemledger", console.commands))
    codes = [(str(code), says) for code, says in EXIT_CODES.items()]
    return (
        f"{_GENERATED}"
        "# The console\n\n"
        "`itemledger` stands for `.venv/bin/itemledger` here. Every setting can be given in the "
        "environment or in `.env`, too: [configuration.md](configuration.md). `--help` works "
        "everywhere and says the same.\n\n"
        "Exit codes are the same everywhere:\n\n"
        f"{_table(('exit code', 'means'), codes)}\n"
        "So a script can tell a file of which some rows were rejected (1) from one that was "
        "refused as a whole (2: by a map or a column that is none, semicolons for commas, a "
        "spreadsheet, a JSON array, a CSV without a header).\n\n"
        f"{_COMPLETION}\n"
        f"{told}"
    )


def events() -> str:
    """Write the page of events."""
    told = "\n".join(_event(name) for name in NEWEST)
    return (
        f"{_GENERATED}"
        "# Events\n\n"
        "What can have happened to an item. Each event moves the item's version by one. "
        "[How to follow them](following.md), and [what else a change tells](feed.md).\n\n"
        "An event has a version, and each version a JSON Schema (draft 2020-12), which the query "
        "API serves at its `$id` and lists at `/schemas/events`. One that was released never "
        "changes. Types will be added: ignore those that you do not know.\n\n"
        f"{told}"
    )


PAGES = {
    "cli.md": commands,
    "configuration.md": configuration,
    "events.md": events,
    "metrics.md": metrics,
    "problems.md": problems,
}


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


def _words(begun: str, commands: Mapping[str, Any]) -> Iterable[str]:
    for name, command in commands.items():
        if hasattr(command, "commands"):
            yield f"## {begun} {name}\n\n{inspect.cleandoc(command.help)}\n"
            yield from _words(f"{begun} {name}", command.commands)
        else:
            yield _command(f"{begun} {name}", command)


def _command(name: str, command: Any) -> str:
    words = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    typed = " ".join([name, *(["[OPTIONS]"] if options else []), *map(_word, words)])
    said = [f"## {name}\n", f"`{typed}`\n", f"{inspect.cleandoc(command.help)}\n"]
    if words:
        rows = [(f"`{_word(each)}`", each.help or "") for each in words]
        said.append(_table(("argument", "what it is"), rows))
    if options:
        rows = [(_flags(each), _taken(each), _kept(each), each.help or "") for each in options]
        said.append(_table(("option, setting", "value", "default", "what it does"), rows))
    return "\n".join(said)


def _word(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def _flags(option: Any) -> str:
    named = [*option.opts, *option.secondary_opts, *filter(None, [option.envvar])]
    return ", ".join(f"`{each}`" for each in named)


def _taken(option: Any) -> str:
    """Say what an option takes: nothing, one of some words, a number, or what its name says."""
    if option.is_flag:
        return ""
    kind = option.type_descriptor.annotation
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    if issubclass(kind, Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    if option.max is not None:
        return f"{option.min} to {option.max}"
    if option.min is not None:
        return f"number, at least {option.min}"
    return option.metavar or ("path" if kind is Path else "text")


def _kept(option: Any) -> str:
    """Say what an option is unless given, where that can be said in a word."""
    if option.required:
        return "required"
    return "" if option.default is None or option.is_flag else f"`{option.default}`"


def _event(name: str) -> str:
    versions = [shape for shape in SHAPES if shape.type == name]
    told = [f"## {name}\n", f"{versions[-1].says}\n"]
    for shape in reversed(versions):
        if len(versions) > 1:
            newest = " (the newest)" if shape is versions[-1] else ""
            told.append(f"Version {shape.version}{newest}:\n")
        told += _shape(shape)
    return "\n".join(told)


def _shape(shape: Shape) -> Iterable[str]:
    rows = [
        (
            f"`{member}`",
            _kind(kind.schema) + (", or left out" if member in shape.optional else ""),
            kind.schema.get("description", ""),
        )
        for member, kind in shape.members.items()
    ]
    if rows:
        yield _table(("member of `data`", "is", "means"), rows)
    else:
        yield "Its `data` has no members.\n"
    url = f"http://127.0.0.1:8001/schemas/events/{shape.type}/v{shape.version}"
    schema = orjson.dumps(shape.schema(url), option=orjson.OPT_INDENT_2).decode()
    yield (
        "<details><summary>JSON Schema</summary>\n\n<!-- run by tests/test_docs.py -->\n"
        f"```json\n{schema}\n```\n\n</details>\n"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    named = ["moment" if schema.get("format") and kind == "string" else kind for kind in kinds]
    return " or ".join(named)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()

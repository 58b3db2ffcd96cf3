"""Options that are the setting of their name: those of `up`, and where a service is."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the embedded engines, made if need be. Default: ./data.",
        envvar="ITEMLEDGER_DATA",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        help="Address both services listen on. Default: 127.0.0.1.", envvar="ITEMLEDGER_HOST"
    ),
]
CommandPort = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        help="Port of the command API. Default: 8000.",
        envvar="ITEMLEDGER_COMMAND_PORT",
    ),
]
QueryPort = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        help="Port of the query API. Default: 8001.",
        envvar="ITEMLEDGER_QUERY_PORT",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        help="Worker processes; on SQLite exactly 1. Default: 1.",
        envvar="ITEMLEDGER_WORKERS",
    ),
]
RedisUrl = Annotated[
    str | None,
    typer.Option(
        help="Redis or Valkey to use instead of the embedded one, such as "
        "redis://localhost:6379/0.",
        envvar="ITEMLEDGER_REDIS_URL",
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="Database to use instead of SQLite, such as "
        "postgresql+psycopg://user:password@localhost/items.",
        envvar="ITEMLEDGER_DATABASE_URL",
    ),
]
QueryUrl = Annotated[
    str | None,
    typer.Option(
        help="URL of the query API. Default: http://127.0.0.1:8001.",
        envvar="ITEMLEDGER_QUERY_URL",
        show_envvar=True,
    ),
]

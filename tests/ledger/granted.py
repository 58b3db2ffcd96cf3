"""A database on a real PostgreSQL with the roles and rights of deploy/postgresql."""

import re
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from ledger.migrate import migrate
from readmodel.views.listing import install

FOLDER = Path(__file__).parents[2] / "deploy" / "postgresql"
ROLES = ("owner", "worker", "query", "backup")


@dataclass(frozen=True, slots=True)
class Roles:
    """A database made as the files say; each URL is that of a role. `name` stands for `itemledger`
    in all names.
    """

    owner: str
    worker: str
    query: str
    backup: str
    name: str


def script(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def statements(script: str) -> list[str]:
    without_comments = re.sub(r"--.*", "", script)
    return [each for each in without_comments.split(";") if each.strip()]


@contextmanager
def granted(postgresql_server: Any) -> Generator[Roles]:
    """Make a migrated database with roles of its own, and drop all of it after the block."""
    # Roles are the server's, which other tests share: each test has its own.
    mine = f"t{uuid.uuid4().hex[:12]}"
    first, second = (
        "".join(map(script, names)).replace("itemledger", mine)
        for names in (("roles.sql", "database.sql"), ("rights.sql",))
    )
    root = postgresql_server.get_uri()
    with psycopg.connect(root, autocommit=True) as connection:
        for statement in statements(first):
            connection.execute(statement)
    database = make_url(postgresql_server.get_uri(mine, "psycopg"))
    made = Roles(
        *(
            database.set(username=f"{mine}_{role}", password=None).render_as_string(False)
            for role in ROLES
        ),
        mine,
    )
    migrate(made.owner, install)
    run(made.owner, second)
    yield made
    with psycopg.connect(root, autocommit=True) as connection:
        for database in (mine, f"{mine}_before"):
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        for role in ROLES:
            connection.execute(f"DROP ROLE {mine}_{role}")


def run(url: str, *wanted: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in wanted:
            connection.execute(statement)

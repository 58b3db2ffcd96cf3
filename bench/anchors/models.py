"""The one table of the plain services, as the tutorials of SQLAlchemy's ORM write it."""

from sqlalchemy import Engine, create_engine, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_AT_ONCE = 10_000
_THREADS = 40


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    price: Mapped[int]


def engine_of(url: str) -> Engine:
    """Open a database, with a connection for each thread that FastAPI may have: with the 15 that
    are the default it comes to a standstill at 64 clients, all threads waiting for a connection and
    those who would give one back for a thread.
    """
    arguments = {"check_same_thread": False} if url.startswith("sqlite") else {}
    return create_engine(url, pool_size=_THREADS, connect_args=arguments)


def fill(url: str, count: int) -> None:
    """Make the table, with items 1 to `count`."""
    engine = engine_of(url)
    Base.metadata.create_all(engine)
    for start in range(1, count + 1, _AT_ONCE):
        with engine.begin() as connection:
            connection.execute(
                insert(Item),
                [
                    {"id": each, "name": f"Item {each}", "description": "A thing", "price": each}
                    for each in range(start, min(start + _AT_ONCE, count + 1))
                ],
            )
    engine.dispose()

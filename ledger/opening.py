"""A ledger opened to be written and to be read, for whoever comes and goes."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from ledger.engines import reading_engine, writing_engine
from ledger.schema import check_schema, unusable


@dataclass(frozen=True, slots=True)
class Opened:
    """`reads` gives connections that see one snapshot."""

    writes: Engine
    reads: Engine


@contextmanager
def opened(url: str) -> Generator[Opened]:
    """Open a ledger whose schema is that of this release.

    Raises SchemaOutOfDate, or DatabaseUnusable where it is not to be had, whenever that comes out;
    a driver that is not installed raises ModuleNotFoundError.
    """
    writes, reads = writing_engine(url), reading_engine(url)
    try:
        check_schema(reads)
        yield Opened(writes, reads)
    except SQLAlchemyError as error:
        raise unusable(error) from error
    finally:
        writes.dispose()
        reads.dispose()

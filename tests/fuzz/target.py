"""What is fuzzed: the address of a service, and what is peculiar to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemathesis import Case, Response
from schemathesis.core.failures import Failure

from tests.journey import Deployment
from tests.tokens import SECRET

Excuses = Mapping[type[Failure], Callable[[Case, Response], bool]]


@dataclass(frozen=True, slots=True)
class Target:
    """`aimed` changes a case before it is sent, the same one always alike. `config` is that of
    Schemathesis, beside what all targets have; `checks` are made beside its own.
    """

    url: str
    excuses: Excuses
    aimed: Callable[[Case], Case]
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    checks: Sequence[Callable[..., None]] = ()


@contextmanager
def guarded_deployment(folder: Path, database_url: str) -> Iterator[Deployment]:
    """Run the whole service with tokens, so that what is open to nobody shows."""
    deployment = Deployment(folder, database_url)
    deployment.env["ITEMLEDGER_TOKEN_SECRET"] = SECRET
    with deployment.up():
        yield deployment

"""Who can reach an address: only this machine, or others too."""

from ipaddress import ip_address

import typer

from runtime.settings import Settings


def is_this_machine(host: str) -> bool:
    """Whether a name or an address is only ever this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def warn_of_exposure(settings: Settings) -> None:
    """Print one line where others can reach the services; `up` has told it for its children."""
    if is_this_machine(settings.host) or settings.fresh_partitions is not None:
        return
    typer.echo(
        f"itemledger: warning: whoever reaches {settings.host} may read and write everything: "
        "there is no authentication yet",
        err=True,
    )

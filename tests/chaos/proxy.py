"""A TCP proxy in front of Valkey that can be slow, deaf or cut answers off; a process of its own.

`python proxy.py LISTEN_PORT SERVER_PORT`; how it behaves comes as JSON lines on standard input:
`{"mode": "normal"}`, `{"mode": "slow", "ms": 200}`, `{"mode": "deaf"}`, `{"mode": "drip"}`,
`{"mode": "closed"}`, and `{"mode": "cut", "share": 0.2}`, which lets the server run an append and
then closes the connection in place of its answer.
"""

import asyncio
import contextlib
import json
import random
import sys
from dataclasses import dataclass, field
from typing import Any

_CHUNK = 1 << 16
_APPEND = b"EVALSHA"


@dataclass(slots=True)
class Behaviour:
    mode: str = "normal"
    ms: float = 0.0
    share: float = 0.0
    cuts: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  no secret
    links: set[asyncio.Task[Any]] = field(default_factory=set)
    # Set again whenever the behaviour changes: a deaf link forgets its connection then.
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class _Cut(Exception):
    """This connection ends here."""


async def _to_server(
    behaviour: Behaviour, client: asyncio.StreamReader, server: asyncio.StreamWriter, doomed: list
) -> None:
    while chunk := await client.read(_CHUNK):
        if behaviour.mode == "deaf":
            await _swallow(behaviour)
        if (
            behaviour.mode == "cut"
            and _APPEND in chunk
            and behaviour.dice.random() < behaviour.share
        ):
            doomed.append(True)
        server.write(chunk)
        await server.drain()
    server.write_eof()


async def _to_client(
    behaviour: Behaviour, server: asyncio.StreamReader, client: asyncio.StreamWriter, doomed: list
) -> None:
    while chunk := await server.read(_CHUNK):
        if doomed:
            # The server has answered, so it has done what it was asked to.
            behaviour.cuts += 1
            raise _Cut
        match behaviour.mode:
            case "deaf":
                await _swallow(behaviour)
            case "slow":
                await asyncio.sleep(behaviour.ms / 1000)  # the fault is this delay
            case "drip":
                for byte in chunk[:200]:
                    client.write(bytes([byte]))
                    await client.drain()
                    await asyncio.sleep(0.002)  # the fault is this delay
                chunk = chunk[200:]
            case _:
                pass
        client.write(chunk)
        await client.drain()


async def _swallow(behaviour: Behaviour) -> None:
    """Take everything and say nothing, until the behaviour changes; then the connection is gone."""
    while behaviour.mode == "deaf":
        behaviour.changed.clear()
        await behaviour.changed.wait()
    raise _Cut


async def _link(
    behaviour: Behaviour,
    server_port: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    task = asyncio.current_task()
    assert task is not None
    behaviour.links.add(task)
    server: asyncio.StreamWriter | None = None
    try:
        if behaviour.mode == "closed":
            return
        if behaviour.mode == "deaf":
            await _swallow(behaviour)
        from_server, server = await asyncio.open_connection("127.0.0.1", server_port)
        doomed: list[bool] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(_to_server(behaviour, reader, server, doomed))
            group.create_task(_one_end(_to_client(behaviour, from_server, writer, doomed)))
    except* (OSError, _Cut, EOFError):
        pass
    finally:
        behaviour.links.discard(task)
        for each in (writer, server):
            if each is not None:
                with contextlib.suppress(OSError, RuntimeError):
                    each.transport.abort()


async def _one_end(passing: Any) -> None:
    """When the server has ended the connection, the other direction ends as well."""
    await passing
    raise _Cut


async def _obey(behaviour: Behaviour) -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        behaviour.mode = order["mode"]
        behaviour.ms = order.get("ms", 0.0)
        behaviour.share = order.get("share", 0.0)
        behaviour.changed.set()
        if behaviour.mode == "closed":
            for link in list(behaviour.links):
                link.cancel()
        sys.stdout.write(json.dumps({"mode": behaviour.mode, "cuts": behaviour.cuts}) + "\n")
        sys.stdout.flush()


async def main(listen_port: int, server_port: int) -> None:
    behaviour = Behaviour()
    server = await asyncio.start_server(
        lambda reader, writer: _link(behaviour, server_port, reader, writer),
        "127.0.0.1",
        listen_port,
    )
    async with server:
        await _obey(behaviour)


if __name__ == "__main__":
    # Ends with the harness: its end closes standard input.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))

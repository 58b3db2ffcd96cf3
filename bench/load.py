"""Load on a side: closed loops by wrk where it is on PATH, all else by our own generator."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.generator import FRAME
from bench.measure import Sample
from bench.sides import Side

ROOT = Path(__file__).parents[1]
CONNECTIONS = 64
# Of a core: a generator that takes more is itself the limit.
LIMIT = 0.9


def render(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: object = None
) -> bytes:
    """Render a request, to be sent many times."""
    lines = {"Host": "127.0.0.1"} | dict(headers or {})
    content = b"" if body is None else orjson.dumps(body)
    if content:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


@dataclass(slots=True)
class Traffic:
    """Requests in a file; each run goes on where the last ended, and from the end to the beginning.

    `weight` is what one request counts: the commands of a batch.
    """

    file: Path
    weight: int = 1
    sent: int = 0

    @classmethod
    def of(
        cls, file: Path, requests: Iterable[bytes | tuple[int, bytes]], weight: int = 1
    ) -> "Traffic":
        """Write requests; one that is not for the side's first port comes with its number."""
        with file.open("wb") as out:
            for each in requests:
                port, request = (0, each) if isinstance(each, bytes) else each
                out.write(FRAME.pack(len(request), port) + request)
        return cls(file, weight)


def generator_name() -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        return "our own (bench/generator.py); wrk is not on PATH"
    told = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False).stdout
    return f"wrk {told.split()[1]}" if told.split()[1:] else "wrk"


def closed(side: Side, traffic: Traffic, seconds: float, connections: int = CONNECTIONS) -> Sample:
    """Send over so many connections, each its next request when it has its answer."""
    wrk = shutil.which("wrk")
    # wrk knows one address, and whole seconds.
    if wrk and len(side.ports) == 1 and seconds >= 1:
        return _sample(side, traffic, lambda: _wrk(wrk, side, traffic, int(seconds), connections))
    return _sample(side, traffic, lambda: _own(side.ports, traffic, seconds, None, connections))


def opened(side: Side, traffic: Traffic, seconds: float, rate: float) -> Sample:
    """Send so many requests per second in the mean, whether answers come or not; latencies count
    from when a request was due.
    """
    return _sample(side, traffic, lambda: _own(side.ports, traffic, seconds, rate, CONNECTIONS))


def kept(
    side: Side, traffic: Traffic, seconds: float, rate: float, header: str
) -> Sequence[tuple[float, str]]:
    """Send as `opened` does; return when (monotonic) each answer came, with that header of it."""
    told = _own(side.ports, traffic, seconds, rate, CONNECTIONS, header)
    traffic.sent += told["count"]
    if told["failed"]:
        raise SystemExit(f"{side.name}: not all was taken: {told['statuses']}")
    return [(at, value) for at, value in told["kept"]]


def _sample(side: Side, traffic: Traffic, run: Any) -> Sample:
    before = side.cpu()
    told = run()
    used = side.cpu() - before
    traffic.sent += told["count"]
    good = (told["count"] - told["failed"]) * traffic.weight
    if not good:
        raise SystemExit(f"{side.name} answers nothing that is good: {told}")
    return Sample(
        rate=good / told["seconds"],
        p50=told["p50"],
        p99=told["p99"],
        cpu=1e6 * used / good,
        generator=told["cpu"] / told["seconds"],
        count=good,
        errors=told["failed"],
    )


def _wrk(wrk: str, side: Side, traffic: Traffic, seconds: int, connections: int) -> dict[str, Any]:
    argv = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    argv += ["-s", str(ROOT / "bench" / "requests.lua"), f"http://127.0.0.1:{side.ports[0]}"]
    argv += ["--", str(traffic.file), str(traffic.sent)]
    before = _children()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    used = _children() - before
    if done.returncode:
        raise SystemExit(f"wrk ended with {done.returncode}: {done.stdout}{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if told["lost"]:
        raise SystemExit(f"{side.name}: {told['lost']} requests were not answered at all")
    return told | {"cpu": used}


def _children() -> float:
    """Seconds of CPU of our children that have ended: while wrk runs, of wrk alone."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own(
    ports: Sequence[int],
    traffic: Traffic,
    seconds: float,
    rate: float | None,
    connections: int,
    keep: str = "",
) -> dict[str, Any]:
    given = {
        "ports": ports,
        "requests": str(traffic.file),
        "start": traffic.sent,
        "seconds": seconds,
        "rate": rate,
        "connections": connections,
        "keep": keep,
    }
    # -I -S: it needs nothing but the standard library, and is there at once.
    argv = [sys.executable, "-I", "-S", str(ROOT / "bench" / "generator.py"), json.dumps(given)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the load generator ended: {done.stderr.strip()}")
    told: dict[str, Any] = json.loads(done.stdout)
    good = sum(count for status, count in told["statuses"].items() if status[0] in "23")
    return told | {"failed": told["count"] - good}

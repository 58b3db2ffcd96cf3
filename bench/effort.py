"""G13: the CPU of everything that a command sets in motion, from the request to the row."""

from bench.applying import jobs
from bench.commands import creations, echo
from bench.load import Traffic, closed
from bench.measure import Found, Sample, interleave
from bench.sides import Service, Stage
from bench.sizes import Size

_OF = {"SQLite": "sqlite", "PostgreSQL": "postgresql"}


def effort(stage: Stage, size: Size) -> Found:
    anchor, traffic = echo(stage), creations(stage)
    services = {name: stage.service(database) for name, database in _OF.items()}
    for service in services.values():
        _finished(service, traffic, size)
    sides = {"FastAPI echo": lambda: closed(anchor, traffic, size.seconds)}
    for name, database in _OF.items():
        sides[f"command, {name}"] = lambda name=name: _finished(services[name], traffic, size)
        sides[f"job per event, {name}"] = lambda database=database: jobs(
            stage, "fork", size.forked, database
        )
    samples = interleave(size.fewer, sides)
    for name, database in _OF.items():
        samples[f"job per event, {name}, SimpleWorker"] = [
            jobs(stage, "simple", size.jobs, database)
        ]
    values = {
        f"{name}: of echo and job per event": [
            _cpu(mine) / (_cpu(answered) + _cpu(done))
            for mine, answered, done in zip(
                samples[f"command, {name}"],
                samples["FastAPI echo"],
                samples[f"job per event, {name}"],
                strict=True,
            )
        ]
        for name in _OF
    }
    return Found(samples, values)


def _finished(service: Service, traffic: Traffic, size: Size) -> Sample:
    """Send commands, and count what it took until all of them were applied."""
    before = service.cpu()
    sample = closed(service.commands, traffic, size.seconds)
    service.await_applied()
    used = service.cpu() - before
    # Those answered after the generator's last look count as well: it knows how many it had.
    return Sample(sample.rate, sample.p50, sample.p99, 1e6 * used / sample.count, sample.generator)


def _cpu(sample: Sample) -> float:
    return sample.cpu or 0.0

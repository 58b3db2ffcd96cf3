"""Each check by itself: facts in, a finding out. Nothing is asked of anybody."""

from dataclasses import replace
from pathlib import Path

import pytest

from cli.doctor import of_database, of_log, of_machine, of_services, of_settings, of_work
from cli.doctor.finding import Doubt, Fault, Fine, clocks, told
from cli.doctor.of_database import DatabaseFacts
from cli.doctor.of_log import LogFacts
from cli.doctor.of_machine import FolderFacts, ProcessFacts, file_system_of
from cli.doctor.of_services import ServiceFacts
from cli.doctor.of_settings import SettingsFacts
from cli.doctor.of_work import WorkFacts
from eventlog.server import Server
from eventlog.workers import Report
from ledger import checkup
from ledger.checkup import Database
from readmodel.standings import Standing
from runtime.settings import Settings
from tests.durable import SAFE

LOG = LogFacts(Server("Valkey", (9, 1, 2), 0, SAFE, 8), "fsync", 0)
POSTGRESQL = checkup.Server(
    settings={"fsync": "on", "full_page_writes": "on"},
    synchronous_commit="on",
    role="itemledger_worker",
    is_superuser=False,
    may_change_events=(),
    replay_lag=None,
    skew=0,
)
DATABASE = DatabaseFacts(
    Database("postgresql", (18, 1), of_database.REVISION, 8, (), POSTGRESQL), 8, None
)
WORKER = Report("one", "working", None, 0, 0)
WAITS = Standing(0, 1, 20, 10, 10, 42.0, 0.0)
WORK = WorkFacts(8, [WORKER], 0, [], False, {"dead": 0, "parked": 0}, [], 0)
FOLDER = FolderFacts(Path("/data"), None, "ext4", 50 << 30, 100 << 30)
SERVICE = ServiceFacts("query", "http://q", "http://q", "itemledger query API", "0.1.0")


def of_server(**changed: object) -> LogFacts:
    return replace(LOG, server=replace(LOG.server, **changed))


def kept(**changed: object) -> LogFacts:
    return of_server(durability=replace(SAFE, **changed))


def database(**changed: object) -> DatabaseFacts:
    return replace(DATABASE, database=replace(DATABASE.database, **changed))


def server(**changed: object) -> DatabaseFacts:
    return database(server=replace(POSTGRESQL, **changed))


def settings_facts(**given: object) -> SettingsFacts:
    return SettingsFacts(Settings.model_validate(given), Path(".env"), None, ())


@pytest.mark.parametrize(
    ("checks", "facts"),
    [
        (of_log.CHECKS, LOG),
        (of_database.CHECKS, DATABASE),
        (of_work.CHECKS, WORK),
        (of_machine.OF_FOLDER, FOLDER),
        (of_machine.OF_PROCESS, ProcessFacts(1024, 600)),
        (of_services.CHECKS["query"], SERVICE),
        (of_settings.CHECKS, settings_facts()),
    ],
)
def test_what_is_as_it_should_be_has_no_finding(checks: object, facts: object) -> None:
    found = list(told(checks, facts))
    assert found
    assert [each for each in found if not isinstance(each.finding, Fine)] == []


CASES = [
    (of_log.CHECKS, of_server(kind="Redis", version=(6, 0, 16)), "log: version", Fault, "6.2"),
    (of_log.CHECKS, of_server(durability=None), "log: durability", Fault, "+config|get"),
    (of_log.CHECKS, kept(appendonly=False), "log: durability", Fault, "appendonly yes"),
    (of_log.CHECKS, kept(appendfsync="everysec"), "log: durability", Fault, "appendfsync always"),
    (of_log.CHECKS, kept(eviction="allkeys-lru"), "log: eviction", Fault, "noeviction"),
    (of_log.CHECKS, kept(used_memory=75), "log: memory", Doubt, "maxmemory"),
    (of_log.CHECKS, kept(used_memory=95), "log: memory", Fault, "maxmemory"),
    (of_log.CHECKS, kept(maxmemory=0), "log: memory", Doubt, "maxmemory"),
    (of_log.CHECKS, of_server(skew=-90_000), "log: clock", Fault, "NTP"),
    (of_database.CHECKS, database(version=(13, 2)), "database: version", Fault, "14"),
    (of_database.CHECKS, database(revision="0001"), "database: schema", Fault, "migrate"),
    (of_database.CHECKS, database(revision="9999"), "database: schema", Fault, "newer"),
    (of_database.CHECKS, database(unguarded=("x",)), "database: guards", Fault, "verify"),
    (of_database.CHECKS, database(partitions=4), "database: partitions", Fault, "REDIS_URL"),
    (
        of_database.CHECKS,
        replace(DATABASE, of_settings=4),
        "database: partitions",
        Fault,
        "PARTITIONS=8",
    ),
    (
        of_database.CHECKS,
        server(settings={"fsync": "off"}),
        "database: durability",
        Fault,
        "fsync = on",
    ),
    (
        of_database.CHECKS,
        server(synchronous_commit="off"),
        "database: durability",
        Fault,
        "pool_mode=session",
    ),
    (of_database.CHECKS, server(is_superuser=True), "database: role", Doubt, "docs/postgresql.md"),
    (
        of_database.CHECKS,
        server(may_change_events=("UPDATE",)),
        "database: role",
        Doubt,
        "docs/postgresql.md",
    ),
    (of_database.CHECKS, server(replay_lag=60.0), "database: replica", Doubt, "primary"),
    (of_database.CHECKS, server(skew=2_000), "database: clock", Doubt, "NTP"),
    (of_work.CHECKS, replace(WORK, workers=[]), "workers", Fault, "itemledger worker"),
    (
        of_work.CHECKS,
        replace(WORK, workers=[replace(WORKER, state="paused", why="the database is away")]),
        "workers",
        Fault,
        "that store",
    ),
    (of_work.CHECKS, replace(WORK, partitions=0), "workers", Doubt, "0 at most"),
    (of_work.CHECKS, replace(WORK, standings=[WAITS]), "pump", Fault, "start a worker"),
    (of_work.CHECKS, replace(WORK, standings=[WAITS], moves=True), "pump", Doubt, "more workers"),
    (
        of_work.CHECKS,
        replace(WORK, quarantined={"dead": 2, "parked": 1}),
        "dead commands",
        Fault,
        "dead list",
    ),
    (of_work.CHECKS, replace(WORK, lost=3), "losses", Doubt, "send them again"),
    (
        of_machine.OF_FOLDER,
        replace(FOLDER, denied=Path("/data/x")),
        "folder: rights",
        Fault,
        "chown",
    ),
    (
        of_machine.OF_FOLDER,
        replace(FOLDER, file_system="nfs4"),
        "folder: file system",
        Fault,
        "a disk of this machine",
    ),
    (of_machine.OF_FOLDER, replace(FOLDER, free=1 << 20), "folder: disk", Fault, "make room"),
    (of_machine.OF_FOLDER, replace(FOLDER, free=1 << 30), "folder: disk", Doubt, "make room"),
    (of_machine.OF_PROCESS, ProcessFacts(256, 600), "open files", Doubt, "ulimit -n 4096"),
    (
        of_services.CHECKS["query"],
        replace(SERVICE, title="itemledger command API"),
        "query API: answers",
        Fault,
        "ITEMLEDGER_QUERY_URL",
    ),
    (
        of_services.CHECKS["query"],
        replace(SERVICE, release="0.0.9"),
        "query API: release",
        Doubt,
        "restart",
    ),
    (
        of_services.CHECKS["query"],
        replace(SERVICE, not_ready="not in order: schema"),
        "query API: ready",
        Fault,
        "what it names",
    ),
    (
        of_settings.CHECKS,
        settings_facts(host="0.0.0.0"),
        "settings: open to",
        Fault,
        "TOKEN_SECRET",
    ),
    (
        of_settings.CHECKS,
        settings_facts(host="0.0.0.0", token_secret="x" * 32),
        "settings: links",
        Doubt,
        "ITEMLEDGER_QUERY_URL",
    ),
    (of_settings.CHECKS, settings_facts(workers=3), "settings: workers", Fault, "WORKERS=1"),
]


@pytest.mark.parametrize(("checks", "facts", "name", "kind", "mend"), CASES)
def test_a_fault_is_found_and_its_mend_is_named(
    checks: object, facts: object, name: str, kind: type[Doubt | Fault], mend: str
) -> None:
    found = {each.check: each.finding for each in told(checks, facts)}
    finding = found[name]
    assert isinstance(finding, kind)
    assert mend in finding.mend


def test_what_a_service_says_is_a_part_of_the_line() -> None:
    away = replace(SERVICE, not_ready="the log does not answer: nobody is there.")
    found = {each.check: each.finding for each in told(of_services.CHECKS["query"], away)}
    ready = found["query API: ready"]
    assert isinstance(ready, Fault)
    assert ready.seen == "the log does not answer: nobody is there"


@pytest.mark.parametrize(
    ("skew", "kind"), [(999, Fine), (-1_000, Doubt), (29_999, Doubt), (30_000, Fault)]
)
def test_clocks_may_be_a_second_apart(skew: int, kind: type) -> None:
    assert isinstance(clocks("the log's", skew), kind)


def test_the_file_system_is_that_of_the_nearest_mount() -> None:
    mounts = ["/dev/vda / ext4 rw 0 0", "nas:/x /srv/my\\040data nfs4 rw 0 0"]
    assert file_system_of(Path("/srv/my data/inside"), mounts) == "nfs4"
    assert file_system_of(Path("/srv"), mounts) == "ext4"


def test_a_worker_that_reports_no_more_is_not_counted_beside_the_one_in_its_place() -> None:
    killed, restarted = replace(WORKER, name="old", seen=1), replace(WORKER, name="new", seen=2)
    later = replace(restarted, seen=5002)
    assert of_work.those_alive([killed, restarted], [killed, later]) == [later]

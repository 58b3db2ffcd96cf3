"""The users of deploy/valkey/users.acl on a real Valkey: what a user must not do is refused. That
they can do what they need is shown by `test_processes.py`, which runs every process as its user.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from eventlog import keys
from tests.deploy.deployed import DEPLOY, make_secrets, password
from tests.eventlog.replication import Server, server
from tests.waiting import until
from tests.worker.test_losses import LAMP, applied, patches, swept
from tests.worker.world import World

USERS = ("api", "worker", "cron", "query")

NOBODY = [
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG SET appendfsync no",
    "CONFIG SET maxmemory-policy allkeys-lru",
    "CONFIG SET requirepass x",
    "CONFIG REWRITE",
    "CONFIG RESETSTAT",
    "ACL SETUSER eve on nopass ~* &* +@all",
    "ACL LIST",
    "ACL SAVE",
    "SAVE",
    "BGSAVE",
    "BGREWRITEAOF",
    "KEYS *",
    "RANDOMKEY",
    "MONITOR",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 1",
    "SCRIPT FLUSH",
    "FUNCTION FLUSH",
    "MODULE LIST",
    "REPLICAOF 127.0.0.1 1",
    "FAILOVER",
    "SWAPDB 0 1",
    "SHUTDOWN NOSAVE",
    "PSYNC ? -1",
    "RENAME itemledger:{0}:log itemledger:{0}:gone",
    "DUMP itemledger:{0}:log",
    "MIGRATE 127.0.0.1 1 itemledger:{0}:log 0 10",
    "XDEL itemledger:{0}:log 1-1",
    "XADD somebody-else 1-1 c x",
    "SET somebody-else x",
    "GET somebody-else",
    "EVAL return(redis.call('FLUSHALL')) 0",
    "EVAL return(redis.call('GET','somebody-else')) 0",
    "SUBSCRIBE somebody-else",
    "PSUBSCRIBE *",
    "PUBLISH rq:pubsub:worker stop",
]
NOT_THE_QUERY = [
    "SET itemledger:partitions 9",
    "DEL itemledger:{0}:log",
    "XADD itemledger:{0}:log 1-1 c x",
    "XTRIM itemledger:{0}:log MAXLEN 0",
    "HSET itemledger:{0}:head n 0",
    "EXPIRE itemledger:revoked 1",
    "EVAL return(redis.call('HSET','itemledger:revoked','version','')) 0",
    "PUBLISH itemledger:moves:0 x",
    "PUBLISH itemledger:outcomes:x x",
    "SUBSCRIBE itemledger:outcomes:x",
    "LRANGE rq:queue:itemledger 0 -1",
    "RPUSH rq:queue:itemledger x",
]
NOT_THE_API = [
    "XRANGE itemledger:{0}:log - +",
    "XREAD STREAMS itemledger:{0}:log 0",
    "XTRIM itemledger:{0}:log MAXLEN 0",
    "DEL itemledger:{0}:log",
    "DEL itemledger:{0}:head",
    "DEL itemledger:revoked",
    "EVAL return(redis.call('DEL',KEYS[1])) 1 itemledger:{0}:log",
    "PUBLISH itemledger:outcomes:x x",
    "PUBLISH itemledger:moves:0 x",
    "SUBSCRIBE itemledger:moves:0",
    "HGETALL rq:job:x",
    "LPOP rq:queue:itemledger",
    "SET rq:worker:x y",
]
NOT_THE_CLOCK = [
    *NOT_THE_QUERY[:-1],
    *NOT_THE_API,
    "SET itemledger:{0}:done 9-9",
    "GET itemledger:partitions",
    "CONFIG GET appendfsync",
]
NOT_THE_WORKER = ["SUBSCRIBE itemledger:outcomes:x", "SUBSCRIBE itemledger:moves:0"]
EACH = {
    "api": [*NOBODY, *NOT_THE_API],
    "worker": [*NOBODY, *NOT_THE_WORKER],
    "cron": [*NOBODY, *NOT_THE_CLOCK],
    "query": [*NOBODY, *NOT_THE_QUERY],
    "probe": [*NOBODY, *NOT_THE_QUERY, *NOT_THE_API, "INFO", "GET itemledger:partitions"],
    "replica": [each for each in NOBODY if not each.startswith("PSYNC")] + ["INFO", *NOT_THE_QUERY],
}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_secrets(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def guarded(secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Valkey with the users of the file, which is answered as its `admin`."""
    conf = DEPLOY / "valkey" / "valkey.conf"
    folder = tmp_path_factory.mktemp("guarded") / "valkey"
    arguments = ("--include", str(conf), "--aclfile", str(secrets / "valkey" / "users.acl"))
    with server(folder, *arguments, username="admin", password=password(secrets, "admin")) as made:
        yield made


def went_through(redis: "Redis", forbidden: list[str]) -> list[str]:
    """Try each command, and return those that were not refused to this user."""
    done: list[str] = []
    for command in forbidden:
        try:
            redis.execute_command(*command.split())
        except NoPermissionError:
            continue
        except Exception as error:  # noqa: BLE001  of a script: what it was refused is in the text
            if "NOPERM" in str(error) or "ACL failure in script" in str(error):
                continue
        done.append(command)
    return done


@pytest.mark.parametrize("user", EACH)
def test_a_user_can_do_nothing_else(guarded: Server, secrets: Path, user: str) -> None:
    with Redis.from_url(guarded.url, username=user, password=password(secrets, user)) as redis:
        assert redis.ping()
        assert went_through(redis, EACH[user]) == []
    assert guarded.answers()


def test_what_a_worker_does_seldom_is_not_refused_to_it(
    guarded: Server, secrets: Path, sqlite_url: str
) -> None:
    """It trims after a quarter of an hour, and puts up a fence when the log came back shorter."""
    guarded.redis.acl_log_reset()
    place = guarded.url.partition("://")[2]
    url = f"redis://worker:{password(secrets, 'worker')}@{place}/0"
    with World.of(sqlite_url, url, partitions=1) as world:
        world.append(LAMP, *patches(0, 3))
        world.drain().partition(0)
        world.clock.now += 16 * 60 * 1000
        world.reader.trim(world.checkpoint(), world.clock.now)
        world.reader.trim_at_once(world.checkpoint())
        world.reader.forget_lost(0, world.checkpoint().epoch, 1, 1)
        world.redis.hset(keys.head(0), "run_id", "of the server before")
        swept(world)
        world.append(*patches(3, 1))
        swept(world)
        assert applied(world) == ["c1", "p0", "p1", "p2", "p3"]
    assert guarded.redis.acl_log() == []


def test_what_the_command_api_does_seldom_is_not_refused_to_it(
    guarded: Server, secrets: Path
) -> None:
    """It waits for replicas, tells of losses, and gives an import back."""
    with Redis.from_url(guarded.url, username="api", password=password(secrets, "api")) as redis:
        for command in (
            "SET itemledger:barrier 1",
            "WAIT 0 1",
            "WAITAOF 1 0 1",
            "ZADD itemledger:{0}:lost GT 1 1",
            "HGETALL itemledger:{0}:epochs",
            "DEL itemledger:import:x",
            "PEXPIRE itemledger:import:x 1",
        ):
            redis.execute_command(*command.split())


def test_whoever_does_not_say_who_it_is_can_do_nothing(guarded: Server) -> None:
    with (
        Redis.from_url(guarded.url) as redis,
        pytest.raises(AuthenticationError),
    ):
        redis.ping()


def test_a_stolen_file_of_users_holds_no_password(secrets: Path) -> None:
    text = (secrets / "valkey" / "users.acl").read_text()
    assert "@api@" not in text
    assert all(password(secrets, user) not in text for user in (*USERS, "replica", "admin"))


def test_a_replica_follows_as_its_user(guarded: Server, secrets: Path, tmp_path: Path) -> None:
    port = guarded.url.rpartition(":")[2]
    arguments = ["--replicaof", f"127.0.0.1 {port}"]
    arguments += ["--masteruser", "replica", "--masterauth", password(secrets, "replica")]
    with server(tmp_path / "replica", *arguments):
        until(lambda: guarded.replicas() == 1, 30, "the replica is online")

"""Bugs to be planted: changes of the product that the checker has to find, each by its name.

A change is (file, old text, new text); the old text has to be there exactly once, so that a plant
that the product has outgrown is noticed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.options import DatabaseName

Change = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Plant:
    """`faults`, `seconds` and the rest are what it takes to bring the bug to light."""

    name: str
    changes: tuple[Change, ...]
    faults: tuple[str, ...] = ("none",)
    seconds: float = 15.0
    database: DatabaseName = "sqlite"
    limit: float = 15.0
    valkey: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


_PROCESSES = ("worker-kill", "api-kill", "point-kill")

PLANTS: tuple[Plant, ...] = (
    Plant(
        "the log is not on disk",
        (),
        ("valkey-kill",),
        valkey={"appendonly": "no"},
        environment={"ITEMLEDGER_MIN_DURABILITY": "none"},
    ),
    Plant(
        "an id is not remembered by the log",
        (
            (
                "eventlog/append.lua",
                "redis.call('SET', id, position .. ' ' .. fingerprint)",
                "",
            ),
        ),
        ("proxy-cut",),
    ),
    Plant(
        "a repeat after a lost answer goes out under another id",
        (
            (
                "eventlog/append.py",
                "        arguments += (each.body, each.fingerprint)\n",
                (
                    "        import uuid\n"
                    "        other = str(uuid.uuid4()).encode()\n"
                    "        arguments += (each.body.replace(each.id.encode(), other), "
                    "each.fingerprint)\n"
                    "        names[4 + submissions.index(each)] += str(other)\n"
                ),
            ),
        ),
        ("proxy-cut",),
    ),
    Plant(
        "a key does not make the command's id",
        (
            (
                "api/requests.py",
                "    if key is None:\n        return uuid7(now)",
                "    if True:\n        return uuid7(now)",
            ),
        ),
    ),
    Plant(
        "the payload under a key is not compared",
        (
            (
                "api/accept.py",
                "if known and fingerprint != expected:",
                "if False:",
            ),
        ),
    ),
    Plant(
        "what is not known is called refused",
        (
            (
                "eventlog/append.py",
                "Verdict = Appended | NotAppended | Unknown\n",
                "Unknown = NotAppended\nVerdict = Appended | NotAppended\n",
            ),
        ),
        ("proxy-cut-long",),
        25,
    ),
    Plant(
        "refused after it was appended",
        (
            (
                "api/accept.py",
                "            case Appended(position, known, fingerprint):\n",
                (
                    "            case Appended() if draft.id[-2:] in {'0a', '1a'}:\n"
                    "                return Refused(draft, 'planted', False)\n"
                    "            case Appended(position, known, fingerprint):\n"
                ),
            ),
        ),
    ),
    Plant(
        "rows of a batch in reversed order",
        (
            (
                "api/packs.py",
                "[rows[each] for each in mine]",
                "[rows[each] for each in reversed(mine)]",
            ),
        ),
    ),
    Plant(
        "the checkpoint is moved in a second transaction",
        (
            (
                "worker/apply.py",
                "    partitions.move(connection, moved)\n",
                "    Circumstances.later = moved\n",
            ),
            (
                "worker/apply.py",
                '    given.reach("tx.after_commit")\n',
                (
                    '    given.reach("tx.after_commit")\n'
                    "    if jobs:\n"
                    "        with engine.begin() as connection:\n"
                    "            partitions.move(connection, Circumstances.later)\n"
                ),
            ),
        ),
        ("point-kill", "point-raise", "worker-kill"),
        30,
    ),
    Plant(
        "what is read is taken out of the log before it is applied",
        (
            (
                "worker/drain.py",
                "        applied = self._batches.take(batches)\n",
                (
                    "        for each in batches.values():\n"
                    "            last = each[-1].position\n"
                    "            self._reader.redis.xtrim(\n"
                    "                f'itemledger:{{{last.partition}}}:log',\n"
                    "                minid=f'{last.epoch}-{last.n + 1}', approximate=False)\n"
                    "        applied = self._batches.take(batches)\n"
                ),
            ),
        ),
        ("point-kill", "worker-kill"),
        25,
    ),
    Plant(
        "the doorbell is answered late, and nobody sweeps",
        (
            (
                "worker/drain.py",
                "        self._ring.answered()\n        over = time.monotonic() + _JOB\n",
                "        over = time.monotonic() + _JOB\n",
            ),
            (
                "worker/drain.py",
                "            if aside:\n                self._ring.put_back(aside)\n",
                (
                    "            if aside:\n                self._ring.put_back(aside)\n"
                    "            self._ring.answered()\n"
                ),
            ),
            (
                "worker/sweeper.py",
                (
                    "        if waiting and not self._press_the_bell(list(waiting)):\n"
                    "            overdue = list(waiting)\n"
                ),
                "        overdue = []\n",
            ),
        ),
        ("worker-kill", "rung-left", "rq-damaged"),
        25,
        limit=4,
    ),
    Plant(
        "the items view leaves out version 7",
        (
            (
                "readmodel/views/items.py",
                "    for item_id, item in changes.after.items():\n",
                (
                    "    for item_id, item in changes.after.items():\n"
                    "        if item.version == 7:\n"
                    "            continue\n"
                ),
            ),
        ),
    ),
    Plant(
        "the items view is written later than the events",
        (
            (
                "worker/apply.py",
                "            _project(connection, name, project, changes_of[which])\n",
                "",
            ),
            (
                "worker/apply.py",
                '    given.reach("tx.after_commit")\n',
                (
                    '    given.reach("tx.after_commit")\n'
                    "    def late():\n"
                    "        with engine.begin() as connection:\n"
                    "            for name, project in [('items', projections['items'])]:\n"
                    "                changes = _changes([job.work for job in jobs])\n"
                    "                _project(connection, name, project, changes)\n"
                    "    import threading\n"
                    "    threading.Timer(0.2, late).start()\n"
                ),
            ),
        ),
    ),
    Plant(
        "an expected version is not compared",
        (
            (
                "domain/checks.py",
                "            if item is None or item.version not in versions:",
                "            if item is None:",
            ),
        ),
    ),
    Plant(
        "a deleted item can be changed",
        (
            (
                "domain/checks.py",
                "    if item.is_deleted:\n        raise ItemGone(",
                "    if False:\n        raise ItemGone(",
            ),
        ),
    ),
    Plant(
        "bringing back is no event",
        (
            (
                "domain/decide.py",
                "    if item.is_deleted:\n        events.append(ItemRestored(item.id, now, at))\n",
                "",
            ),
        ),
    ),
    Plant(
        "an outcome is kept with another version",
        (
            (
                "ledger/outcomes.py",
                "        outcome.version,\n",
                "        outcome.version + (position.n % 50 == 0),\n",
            ),
        ),
    ),
    Plant(
        "a notice tells another version",
        (
            (
                "eventlog/notices.py",
                '                "version": outcome.version,\n',
                '                "version": outcome.version + (notice.position.n % 9 == 0),\n',
            ),
        ),
    ),
    Plant(
        "heads are not always stored",
        (
            (
                "worker/apply.py",
                "for job in jobs for item in job.work.shelf.changed.values()],\n",
                (
                    "for job in jobs for item in job.work.shelf.changed.values()\n"
                    "         if job.work.shelf.offset % 7],\n"
                ),
            ),
        ),
    ),
    Plant(
        "the chain does not cover the reason",
        (("ledger/chain.py", '    "reason",\n', ""),),
    ),
    Plant(
        "the ledger's clock goes back",
        (
            (
                "worker/shelf.py",
                "self.recorded_at = max(now, checkpoint.recorded_at)",
                "self.recorded_at = now - checkpoint.offset % 2 * 5000",
            ),
        ),
    ),
    Plant(
        "an accepted command is not known while it waits",
        (
            (
                "eventlog/inspect.py",
                "            return any(pipeline.execute())",
                "            return not pipeline.execute()",
            ),
        ),
        ("worker-kill", "worker-freeze"),
    ),
    Plant(
        "a restarted Redis goes on counting where it was",
        (
            ("eventlog/append.lua", "head[1] ~= run_id", "not head[1]"),
            (
                "eventlog/append.lua",
                "local floor, floor_n = tonumber(ARGV[4]), tonumber(ARGV[5])",
                "local floor, floor_n = 0, 0",
            ),
            (
                "worker/losses.py",
                "        if sight.same_server and not behind:",
                "        if True:",
            ),
        ),
        ("redis-set-back", "redis-set-back-unapplied"),
        30,
    ),
    Plant(
        "what the log has lost is not recorded",
        (
            (
                "worker/losses.py",
                "            fresh = gaps.record(connection, found, self._clock())\n",
                "            fresh = found\n",
            ),
        ),
        ("redis-set-back-unapplied",),
        30,
    ),
    Plant(
        "what the ledger knows is not looked up",
        (
            (
                "worker/apply.py",
                "    known = outcomes.find(connection, [",
                "    known = {} if jobs else outcomes.find(connection, [",
            ),
        ),
        ("redis-set-back",),
        30,
    ),
    Plant(
        "a dead worker is not restarted",
        (
            (
                "runtime/keeper.py",
                "        while not self._asked.is_set():\n            began",
                (
                    "        while not self._asked.is_set() and (\n"
                    "            not self.endings or not self.child.name.startswith('worker')\n"
                    "        ):\n            began"
                ),
            ),
            (
                "runtime/supervisor.py",
                "keeper = Keeper(child, self._pace, self._start)\n",
                (
                    "keeper = Keeper(child, self._pace, self._start)\n"
                    "        run = keeper.run\n"
                    "        async def forever():\n"
                    "            await run()\n"
                    "            await keeper._asked.wait()\n"
                    "        keeper.run = forever\n"
                ),
            ),
        ),
        ("worker-kill",),
    ),
)

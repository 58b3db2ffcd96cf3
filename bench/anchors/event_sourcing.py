"""The `eventsourcing` library: an event per save; half of them create, half change a price.

    PERSISTENCE_MODULE=… SQLITE_DBNAME=… python -m bench.anchors.event_sourcing EVENTS

Prints as JSON how many seconds and how much CPU of this process it took.
"""

import json
import sys
import time
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event


class Item(Aggregate):
    @event("Created")
    def __init__(self, name: str, price: int) -> None:
        self.name = name
        self.price = price

    @event("Repriced")
    def reprice(self, price: int) -> None:
        self.price = price


class Catalogue(Application[UUID]):
    def create(self, name: str, price: int) -> UUID:
        item = Item(name, price)
        self.save(item)
        return item.id

    def reprice(self, item_id: UUID, price: int) -> None:
        item = self.repository.get(item_id)
        item.reprice(price)
        self.save(item)


def main(count: int) -> None:
    catalogue = Catalogue()
    begun, before = time.perf_counter(), time.process_time()
    made = [catalogue.create(f"Item {each}", each) for each in range((count + 1) // 2)]
    for each in made[: count // 2]:
        catalogue.reprice(each, 7)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - before
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(int(sys.argv[1]))

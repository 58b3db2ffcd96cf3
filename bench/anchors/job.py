"""The job of stock RQ: a session of the ORM, an event, an item, a commit."""

import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, Session, mapped_column

from bench.anchors.models import Base, Item, engine_of

engine = engine_of(os.environ["DATABASE_URL"])


class Event(Base):
    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(index=True)
    type: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    recorded_at: Mapped[datetime]


def apply_event(event: dict[str, Any]) -> None:
    with Session(engine) as session:
        now = datetime.now(UTC)
        item_id, data = event["item_id"], event["data"]
        session.add(Event(item_id=item_id, type=event["type"], data=data, recorded_at=now))
        item = session.get(Item, item_id)
        if item is None:
            session.add(Item(id=item_id, **data))
        else:
            item.price = data["price"]
        session.commit()

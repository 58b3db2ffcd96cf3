"""The plain service: FastAPI over SQLAlchemy's ORM, as the tutorials of both write it.

DATABASE_URL=sqlite:///items.db uvicorn bench.anchors.crud_fastapi:app
"""

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bench.anchors.models import Base, Item, engine_of

engine = engine_of(os.environ["DATABASE_URL"])
Base.metadata.create_all(engine)
# A refresh after each commit would keep the file locked until the answer is on its way.
make_session = sessionmaker(engine, expire_on_commit=False)


class ItemIn(BaseModel):
    name: str
    description: str | None = None
    price: int


class ItemOut(ItemIn):
    model_config = ConfigDict(from_attributes=True)

    id: int


def get_session() -> Iterator[Session]:
    with make_session() as session:
        yield session


Db = Annotated[Session, Depends(get_session)]
app = FastAPI()


@app.post("/items/", status_code=201, response_model=ItemOut)
def create_item(item: ItemIn, db: Db) -> Item:
    row = Item(**item.model_dump())
    db.add(row)
    db.commit()
    return row


@app.get("/items/", response_model=list[ItemOut])
def list_items(db: Db, skip: int = 0, limit: int = 20) -> list[Item]:
    return list(db.scalars(select(Item).order_by(Item.id).offset(skip).limit(limit)))


@app.get("/items/{item_id}", response_model=ItemOut)
def read_item(item_id: int, db: Db) -> Item:
    row = db.get(Item, item_id)
    if row is None:
        raise HTTPException(404, "there is no such item")
    return row


@app.put("/items/{item_id}", response_model=ItemOut)
def update_item(item_id: int, item: ItemIn, db: Db) -> Item:
    row = read_item(item_id, db)
    for name, value in item.model_dump().items():
        setattr(row, name, value)
    db.commit()
    return row


@app.delete("/items/{item_id}", status_code=204)
def delete_item(item_id: int, db: Db) -> None:
    db.delete(read_item(item_id, db))
    db.commit()

"""The plain service: Flask over SQLAlchemy's ORM, as the tutorials of both write it.

DATABASE_URL=sqlite:///items.db gunicorn bench.anchors.crud_flask:app
"""

import os
from typing import Any

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bench.anchors.models import Base, Item, engine_of

engine = engine_of(os.environ["DATABASE_URL"])
Base.metadata.create_all(engine)
make_session = sessionmaker(engine)
app = Flask(__name__)


def document(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "description": item.description,
        "price": item.price,
    }


def found(session: Session, item_id: int) -> Item:
    return session.get(Item, item_id) or abort(404)


@app.post("/items/")
def create_item() -> ResponseReturnValue:
    body = request.get_json()
    with make_session() as session:
        item = Item(name=body["name"], description=body.get("description"), price=body["price"])
        session.add(item)
        session.commit()
        return jsonify(document(item)), 201


@app.get("/items/")
def list_items() -> ResponseReturnValue:
    skip, limit = request.args.get("skip", 0, int), request.args.get("limit", 20, int)
    with make_session() as session:
        items = session.scalars(select(Item).order_by(Item.id).offset(skip).limit(limit))
        return jsonify([document(each) for each in items])


@app.get("/items/<int:item_id>")
def read_item(item_id: int) -> ResponseReturnValue:
    with make_session() as session:
        return jsonify(document(found(session, item_id)))


@app.put("/items/<int:item_id>")
def update_item(item_id: int) -> ResponseReturnValue:
    body = request.get_json()
    with make_session() as session:
        item = found(session, item_id)
        item.name, item.price = body["name"], body["price"]
        item.description = body.get("description")
        session.commit()
        return jsonify(document(item))


@app.delete("/items/<int:item_id>")
def delete_item(item_id: int) -> ResponseReturnValue:
    with make_session() as session:
        session.delete(found(session, item_id))
        session.commit()
        return "", 204

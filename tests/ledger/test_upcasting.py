"""Events of older versions, as readers meet them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from domain import rules
from domain.events import Event, ItemCreated, ItemDeleted, ItemRenamed, ItemRepriced
from ledger import events, heads, partitions, tables, upcasting
from ledger.codec import decode, encode
from ledger.shapes import NEWEST, SHAPES, Kind, Shape
from ledger.upcasting import UPCASTS, UnknownEvent, stored_type, upcast
from tests.ledger.ledgers import chain_anew, edit, look

AT = 1_763_798_400_000
TYPES: tuple[type[Any], ...] = get_args(Event)
_OF_EVERY_EVENT = ("item_id", "recorded_at", "effective_at")

# What an event's members are drawn from, by their declared types.
_DRAWN: Mapping[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "str | None": st.none() | st.text(),
    "int": st.integers(0, rules.PRICE_LIMIT),
    "int | None": st.none() | st.integers(0, 253_402_300_799_999),
}


def _type(declared: Any) -> str:
    return declared.__name__ if isinstance(declared, type) else str(declared)


def any_event(kind: type[Any]) -> st.SearchStrategy[Any]:
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "item_id": st.just("lamp"),
        "recorded_at": st.just(AT),
        "effective_at": st.just(AT),
        "currency": st.sampled_from(["EUR", "JPY"]),
        "how": st.sampled_from(["cancelled", "ended"]),
    }
    return st.builds(
        kind,
        **{
            each.name: drawn[each.name] if each.name in drawn else _DRAWN[_type(each.type)]
            for each in fields(kind)
        },
    )


EVENTS = st.one_of([any_event(each) for each in TYPES])


def test_every_event_has_a_shape_with_exactly_its_own_members() -> None:
    assert set(NEWEST) == {each.__name__ for each in TYPES}
    for each in TYPES:
        own = [field.name for field in fields(each) if field.name not in _OF_EVERY_EVENT]
        assert list(NEWEST[each.__name__].members) == own


@given(event=EVENTS)
def test_every_event_is_read_as_it_was_written(event: Any) -> None:
    stored, data = encode(event)
    assert decode(stored, data, event.item_id, AT, AT) == event


@given(event=EVENTS)
def test_whatever_the_codec_writes_is_what_the_schema_of_its_version_says(event: Any) -> None:
    stored, data = encode(event)
    of = stored_type(stored)
    assert of.newest is not None
    assert of.version == of.newest.version
    jsonschema_rs.validate(_strict(of.newest), orjson.loads(data))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.stored_type)
def test_a_schema_refuses_data_that_lacks_a_member_or_has_another_type(shape: Shape) -> None:
    schema = shape.schema("https://read.example/x")
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema)
    for name in schema["required"]:
        lacking = {each: None for each in shape.members if each != name}
        assert not validator.is_valid(lacking)
    for name in shape.members:
        assert not validator.is_valid({name: {}})


def test_versions_are_without_a_gap_and_each_but_the_newest_is_upcast() -> None:
    for name, newest in NEWEST.items():
        versions = [shape.version for shape in SHAPES if shape.type == name]
        assert versions == list(range(1, newest.version + 1))
    older = {(s.type, s.version) for s in SHAPES if s is not NEWEST[s.type]}
    assert set(UPCASTS) == older


def test_a_price_of_before_there_were_scheduled_prices_is_read_as_one_of_today() -> None:
    """The ledger's own past: the first release that could not yet schedule wrote these two
    members; until versions were told, a schedule was a third one where there was one.
    """
    first = decode("ItemRepriced", '{"price":999,"currency":"EUR"}', "lamp", AT, AT)
    second = decode(
        "ItemRepriced", '{"price":999,"currency":"EUR","schedule_id":"s"}', "lamp", AT, AT
    )
    assert first == ItemRepriced("lamp", AT, AT, 999, "EUR", None)
    assert second == ItemRepriced("lamp", AT, AT, 999, "EUR", "s")
    assert encode(first) == (
        "ItemRepriced.v2",
        '{"price":999,"currency":"EUR","schedule_id":null}',
    )


def test_members_go_through_every_version_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Kind({"type": "string"})
    third = Shape("ItemRenamed", 3, "", {"name": said, "given": said})

    def first(members: dict[str, Any]) -> dict[str, Any]:
        return {"name": members["name"].strip()}

    def second(members: dict[str, Any]) -> dict[str, Any]:
        return {**members, "given": members["name"].split()[0]}

    monkeypatch.setattr(upcasting, "NEWEST", {"ItemRenamed": third})
    chain = {("ItemRenamed", 1): first, ("ItemRenamed", 2): second}
    monkeypatch.setattr(upcasting, "UPCASTS", chain)
    assert upcast("ItemRenamed", 1, {"name": " Old Lamp "}) == {"name": "Old Lamp", "given": "Old"}
    assert upcast("ItemRenamed", 2, {"name": " Old"}) == {"name": " Old", "given": "Old"}
    assert upcast("ItemRenamed", 3, {"name": "x", "given": "y"}) == {"name": "x", "given": "y"}


@pytest.mark.parametrize(
    ("stored", "name", "version"),
    [
        ("ItemRepriced", "ItemRepriced", 1),
        ("ItemRepriced.v2", "ItemRepriced", 2),
        ("ItemRepriced.v3", "ItemRepriced", 3),
        ("ItemPainted.v12", "ItemPainted", 12),
        ("ItemPainted", "ItemPainted", 1),
        ("ItemRepriced.v0", "ItemRepriced.v0", 1),
        ("ItemRepriced.v02", "ItemRepriced.v02", 1),
        (".v2", ".v2", 1),
    ],
)
def test_the_version_is_a_suffix_and_without_one_the_first(
    stored: str, name: str, version: int
) -> None:
    of = stored_type(stored)
    assert (of.name, of.version) == (name, version)
    assert (of.newest is None) == (stored not in {"ItemRepriced", "ItemRepriced.v2"})


@pytest.mark.parametrize("stored", ["ItemRepriced.v3", "ItemPainted", "ItemRenamed.v2"])
def test_what_a_newer_release_wrote_is_refused_by_its_name(stored: str) -> None:
    with pytest.raises(UnknownEvent, match=stored):
        decode(stored, "{}", "lamp", AT, AT)


def test_old_events_are_rebuilt_and_verified_like_new_ones(writer: Engine, reader: Engine) -> None:
    """A ledger of which the older half was written before versions were told."""
    with writer.begin() as connection:
        (item_id, offset) = connection.execute(
            select(tables.events.c.item_id, tables.events.c.offset)
            .where(tables.events.c.type == "ItemRepriced.v2", tables.events.c.partition == 0)
            .order_by(tables.events.c.offset)
        ).first() or ("", 0)
        at = {"partition": 0, "offset": offset}
        where = [tables.events.c[name] == value for name, value in at.items()]
        data = orjson.loads(connection.scalar(select(tables.events.c.data).where(*where)) or "")
    del data["schedule_id"]
    edit(writer)
    with writer.begin() as connection:
        old = {"type": "ItemRepriced", "data": orjson.dumps(data).decode()}
        connection.execute(update(tables.events).where(*where).values(old))
        chain_anew(connection)
        before = heads.load(connection, [item_id])
    report = look(reader)
    assert report.differences == ()
    with reader.connect() as connection:
        read = events.after(connection, 0, offset - 1, 1)[0].event
        assert isinstance(read, ItemRepriced)
        assert read.schedule_id is None
        head = before[item_id]
        rebuilt = heads.at_version(connection, item_id, head.version)
        assert rebuilt is not None
        assert (rebuilt.price, rebuilt.version) == (head.price, head.version)


def test_an_event_of_a_newer_release_is_a_difference_that_names_it(
    writer: Engine, reader: Engine
) -> None:
    last = partitions.read(reader, [0])[0].offset
    edit(
        writer,
        'UPDATE events SET type = :t WHERE "partition" = 0 AND "offset" = :o',
        chain=True,
        t="ItemPainted",
        o=last,
    )
    (first,) = [each for each in look(reader).differences if each.partition == 0]
    assert "ItemPainted" in str(first.found)


def test_events_that_never_changed_are_stored_as_ever() -> None:
    """Hashes cover the stored form: what has one version may not come to look otherwise."""
    created = ItemCreated("lamp", AT, AT, "Lamp", None, 100, "EUR")
    assert encode(created) == (
        "ItemCreated",
        '{"name":"Lamp","description":null,"price":100,"currency":"EUR"}',
    )
    assert encode(ItemRenamed("lamp", AT, AT, "L")) == ("ItemRenamed", '{"name":"L"}')
    assert encode(ItemDeleted("lamp", AT, AT)) == ("ItemDeleted", "{}")


def _strict(shape: Shape) -> dict[str, Any]:
    """The schema of what is stored: moments are numbers there, and nothing else may be in it."""
    schema = shape.schema("https://read.example/x")
    moment = {"type": ["integer", "null"]}
    members = {
        name: moment if name in shape.moments else kind.schema
        for name, kind in shape.members.items()
    }
    return schema | {"properties": members, "additionalProperties": False}

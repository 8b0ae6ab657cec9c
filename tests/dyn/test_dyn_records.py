"""Records: a class per type, made from the table."""

import inspect

import pytest
from test_dyn_sdk import RECORDS

from sessionkit.errors import Conflict, NotFound
from sessionkit_dyn import errors, records
from sessionkit_dyn.record_types import RECORD_TYPES
from sessionkit_dyn.zones import Node, Zone


@pytest.mark.parametrize("name", sorted(set(RECORD_TYPES) - {"SOA"}))
def test_every_type_is_created_read_and_deleted(sandbox, dyn, zone, name):
    cls = getattr(records, f"{name}Record")
    fields = {key: value for key, value in RECORDS[name].items() if key != "ttl"}
    made = cls("test.example", f"t-{name}.test.example", **fields, ttl=900)
    assert (made.record_id, made.ttl, made.zone, made.fqdn) == (
        0,
        900,
        "test.example",
        f"t-{name.lower()}.test.example",
    )
    zone.publish()
    (read,) = zone.get_node(f"t-{name}").get_all_records_by_type(name)
    assert type(read) is cls
    assert read == made
    assert hash(read) == hash(made)
    by_id = cls("test.example", read.fqdn, record_id=read.record_id)
    asked = len(sandbox.requests())
    for field in cls.kind.fields:
        assert (
            getattr(by_id, field.argument) == getattr(read, field.argument) == getattr(made, field.argument)
        )
    assert len(sandbox.requests()) == asked
    by_id.delete()
    zone.publish()
    with pytest.raises(NotFound):
        zone.get_node(f"t-{name}").get_any_records()


def test_positional_values_come_in_the_tables_order(dyn, zone):
    made = records.SRVRecord("test.example", "_sip._tcp.test.example", 5060, 1, "pbx.test.example", 10, 300)
    assert (made.port, made.priority, made.target, made.weight, made.ttl) == (
        5060,
        1,
        "pbx.test.example.",
        10,
        300,
    )


def test_the_signature_says_what_a_type_takes():
    shown = str(inspect.signature(records.MXRecord))
    assert shown == "(zone, fqdn, exchange=Ellipsis, preference=10, ttl=0, *, record_id=None, session=None)"
    assert "exchange, preference" in records.MXRecord.__doc__


@pytest.mark.parametrize(
    ("values", "fields", "argument"),
    [
        ((), {}, "address"),
        (("192.0.2.1", 5, 6), {}, "values"),
        (("192.0.2.1",), {"address": "192.0.2.2"}, "address"),
        (("192.0.2.1",), {"colour": "red"}, "colour"),
        (("nonsense",), {}, "address"),
        (("192.0.2.1",), {"ttl": -1}, "ttl"),
        (("192.0.2.1",), {"record_id": 5}, "value"),
    ],
)
def test_wrong_values_are_refused_before_anything_is_sent(sandbox, dyn, values, fields, argument):
    sandbox.clear()
    with pytest.raises(errors.DynectInvalidArgumentError) as caught:
        records.ARecord("shop.example", "x.shop.example", *values, **fields)
    assert caught.value.argument == argument
    assert sandbox.requests() == []


def test_text_with_a_semicolon_reads_as_it_was_written(dyn, zone):
    made = records.TXTRecord("test.example", "t.test.example", "a; b; c")
    zone.publish()
    (read,) = zone.get_node("t").get_all_records_by_type("TXT")
    assert made.txtdata == read.txtdata == "a; b; c"
    read.ttl = 30
    zone.publish()
    assert zone.get_node("t").get_all_records_by_type("TXT")[0].txtdata == "a; b; c"


def test_several_fields_change_in_one_call(sandbox, dyn, zone):
    made = records.MXRecord("test.example", "test.example", "mail.test.example", 10, ttl=60)
    zone.publish()
    (mx,) = zone.get_node().get_all_records_by_type("MX")
    sandbox.clear()
    mx.update(preference=20, ttl=120)
    assert (mx.exchange, mx.preference, mx.ttl) == ("mail.test.example.", 20, 120)
    assert [entry.method for entry in sandbox.requests()] == ["PUT"]
    with pytest.raises(errors.DynectInvalidArgumentError):
        mx.update(colour="red")
    assert made != mx


def test_an_unpublished_record_can_be_changed(dyn, zone):
    one = records.ARecord("test.example", "www.test.example", "192.0.2.1")
    records.ARecord("test.example", "www.test.example", "192.0.2.2", ttl=77)
    one.address = "192.0.2.9"
    zone.publish()
    found = zone.get_node("www").get_all_records_by_type("A")
    assert sorted((record.address, record.ttl) for record in found) == [("192.0.2.2", 77), ("192.0.2.9", 600)]


def test_a_record_published_meanwhile_is_deleted_by_its_number(sandbox, dyn, zone):
    one = records.ARecord("test.example", "www.test.example", "192.0.2.1")
    records.ARecord("test.example", "www.test.example", "192.0.2.2")
    zone.publish()
    one.delete()
    last = sandbox.requests()[-1]
    assert (last.method, last.path.count("/")) == ("DELETE", 6)
    zone.publish()
    assert [record.address for record in zone.get_all_records_by_type("A")] == ["192.0.2.2"]


def test_a_record_that_is_gone_says_so(dyn, zone):
    one = records.ARecord("test.example", "www.test.example", "192.0.2.1")
    one.delete()
    with pytest.raises(errors.DynectDeleteError) as caught:
        one.delete()
    assert isinstance(caught.value, NotFound)


def test_two_alike_are_not_guessed_between(sandbox, dyn, zone):
    import json

    one = records.ARecord("test.example", "www.test.example", "192.0.2.1")
    twin = {"rdata": {"address": "192.0.2.1"}, "record_id": 0}
    body = json.dumps({"status": "success", "data": [twin, {**twin, "ttl": 3}]})
    sandbox.fault("body", body=body, method="GET", path="/REST/ARecord/*")
    with pytest.raises(Conflict, match="alike"):
        one.delete()
    assert sandbox.requests()[-1].method == "GET"


def test_all_records_of_a_type_are_replaced_in_one_call(sandbox, dyn, zone):
    node = zone.get_node("www")
    for number in range(3):
        node.add_record("A", f"192.0.2.{number}", ttl=60)
    zone.publish()
    kept = node.get_all_records_by_type("A")[0]
    sandbox.clear()
    node.replace_records("A", [kept, "192.0.2.9", {"address": "192.0.2.10", "ttl": 30}])
    assert [entry.method for entry in sandbox.requests()] == ["PUT"]
    zone.publish()
    found = node.get_all_records_by_type("A")
    assert {record.address: record.ttl for record in found} == {
        "192.0.2.0": 60,
        "192.0.2.9": 600,
        "192.0.2.10": 30,
    }
    assert kept.record_id in {record.record_id for record in found}


def test_listings_of_a_node_and_below(dyn):
    node = Node("shop.example", "mx1.shop.example.")
    assert set(node.get_any_records()) == {"a_records", "aaaa_records"}
    everything = Node("shop.example").get_all_records()
    assert len(everything["mx_records"]) == 2
    assert all(listed for listed in everything.values())
    assert Zone("shop.example").get_all_records_by_type("cname")[0].cname


def test_the_soa_is_read_and_changed_but_not_made(dyn, zone):
    assert zone.soa.rname == zone.contact == "ann.test.example."
    zone.contact = "bob@test.example"
    zone.ttl = 1200
    zone.serial_style = "day"
    zone.publish()
    again = Zone("test.example")
    assert (again.contact, again.ttl, again.serial_style) == ("bob.test.example.", 1200, "day")
    with pytest.raises(errors.DynectInvalidArgumentError):
        zone.serial_style = "weekly"
    with pytest.raises(errors.DynectDeleteError):
        zone.soa.delete()


def test_an_unknown_type_in_a_listing_is_a_plain_record(sandbox, dyn):
    row = '{"record_type": "NEW", "fqdn": "x.shop.example", "rdata": {"a": 1}, "ttl": "5"}'
    sandbox.fault(
        "body", body='{"status": "success", "data": {"new_records": [' + row + "]}}", path="/REST/AllRecord*"
    )
    (record,) = Node("shop.example").get_all_records()["new_records"]
    assert (record.record_type, record.rdata(), record.ttl) == ("NEW", {"a": 1}, 5)

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionkit_dyn.record_types import RECORD_TYPES, REQUIRED, InvalidRecord, check_ttl

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_there_are_thirty_types_in_alphabetical_order():
    assert len(RECORD_TYPES) == 30
    assert list(RECORD_TYPES) == sorted(RECORD_TYPES)


def test_names_on_the_wire():
    kind = RECORD_TYPES["CAA"]
    assert (kind.resource, kind.listing, kind.replacing, kind.rdata_key) == (
        "CAARecord",
        "caa_records",
        "CAARecords",
        "rdata_caa",
    )


@pytest.mark.parametrize(
    ("kind", "rdata", "expected"),
    [
        ("A", {"address": "192.0.2.1"}, {"address": "192.0.2.1"}),
        ("AAAA", {"address": "2001:DB8:0::1"}, {"address": "2001:db8::1"}),
        ("MX", {"exchange": "mail.example"}, {"exchange": "mail.example.", "preference": 10}),
        (
            "SRV",
            {"port": "443", "priority": 0, "target": ".", "weight": 0},
            {"port": 443, "priority": 0, "target": ".", "weight": 0},
        ),
        ("RP", {"mbox": "ann@a.example", "txtdname": "b."}, {"mbox": "ann.a.example.", "txtdname": "b."}),
        (
            "CSYNC",
            {"soa_serial": 1, "flags": ["SOAMINIMUM"], "types": "A, NS"},
            {"soa_serial": 1, "flags": "soaminimum", "types": "A,NS"},
        ),
        (
            "DS",
            {"digest": "0a 1B", "keytag": 1},
            {"digest": "0a1B", "keytag": 1, "algorithm": 5, "digtype": 1},
        ),
        ("TXT", {"txtdata": 5}, {"txtdata": "5"}),
    ],
)
def test_values_are_written_as_the_service_writes_them(kind, rdata, expected):
    assert RECORD_TYPES[kind].validate(rdata) == expected


def test_a_change_needs_only_what_it_changes():
    assert RECORD_TYPES["MX"].validate({"preference": 5, "exchange": None}, partial=True) == {"preference": 5}


def test_what_the_service_fills_in_cannot_be_given():
    with pytest.raises(InvalidRecord, match="serial: cannot be changed"):
        RECORD_TYPES["SOA"].validate({"rname": "a.example", "minimum": 1, "serial": 4})


@pytest.mark.parametrize("kind", RECORD_TYPES)
def test_what_is_missing_is_named(kind):
    with pytest.raises(InvalidRecord) as caught:
        RECORD_TYPES[kind].validate({})
    required = [field.name for field in RECORD_TYPES[kind].fields if field.default is REQUIRED]
    assert caught.value.field == required[0]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(RECORD_TYPES)), st.data())
def test_whatever_is_given_there_is_one_kind_of_error(name, data):
    kind = RECORD_TYPES[name]
    rdata = {field.name: data.draw(ANYTHING) for field in kind.fields if field.name not in kind.read_only}
    try:
        once = kind.validate(rdata)
    except InvalidRecord:
        return
    assert kind.validate(once) == once


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_a_time_to_live_is_a_number_or_one_error(value):
    with contextlib.suppress(InvalidRecord):
        assert 0 <= check_ttl(value) < 2**31

import pytest

from sessionkit_dyn.record_types import RECORD_TYPES

ROOT = "/ARecord/shop.example/new.shop.example"


def add(wire, address, **more):
    return wire.data("POST", f"{ROOT}/", {"rdata": {"address": address}, **more})


def addresses(wire):
    found = wire.data("GET", f"{ROOT}/", {"detail": "Y"})
    return {record["rdata"]["address"]: record["record_id"] for record in found}


def test_an_added_record_has_no_id_until_it_is_published(wire):
    added = wire("POST", f"{ROOT}./", {"rdata": {"address": "192.0.2.1"}, "ttl": "60"})[1]
    assert added["msgs"][0]["INFO"] == "add: Record added"
    assert added["data"] == {
        "zone": "shop.example",
        "ttl": 60,
        "fqdn": "new.shop.example",
        "record_type": "A",
        "rdata": {"address": "192.0.2.1"},
        "record_id": 0,
    }
    assert addresses(wire) == {"192.0.2.1": 0}
    wire.data("PUT", "/Zone/shop.example/", {"publish": True})
    assert addresses(wire)["192.0.2.1"] > 0


@pytest.mark.parametrize("ttl", [None, 0, "0", ""])
def test_no_ttl_is_the_zones(wire, ttl):
    assert add(wire, "192.0.2.1", ttl=ttl)["ttl"] == 3600


def test_changes_belong_to_the_session_that_made_them(wire, other):
    add(wire, "192.0.2.1")
    assert other.refused("GET", f"{ROOT}/")[0] == 404
    other.data("PUT", "/Zone/shop.example/", {"publish": True})
    assert other.refused("GET", f"{ROOT}/")[0] == 404
    wire.data("PUT", "/Zone/shop.example/", {"publish": True})
    assert addresses(other)


def test_changes_are_gone_with_their_session(wire, sandbox):
    add(wire, "192.0.2.1")
    wire.said("DELETE", "/Session/")
    assert sandbox.db.execute("SELECT count(*) FROM dyn_change").fetchone()[0] == 0
    wire.sign_in()
    assert wire.data("GET", "/ZoneChanges/shop.example/") == []


def test_changes_are_listed_and_discarded(wire):
    add(wire, "192.0.2.1", ttl=60)
    (change,) = wire.data("GET", "/ZoneChanges/shop.example")
    assert (change["fqdn"], change["rdata_type"], change["ttl"]) == ("new.shop.example", "A", 60)
    assert change["rdata"] == {"rdata_a": {"address": "192.0.2.1"}}
    assert wire.said("DELETE", "/ZoneChanges/shop.example/") == ["discard: 1 zone changes discarded"]
    assert wire.said("DELETE", "/ZoneChanges/shop.example/") == ["discard: 0 zone changes discarded"]


def test_a_record_is_changed_in_part_and_deleted_by_its_id(wire):
    listed = wire.data("GET", "/MXRecord/shop.example/shop.example/", {"detail": "Y"})
    first = listed[0]["record_id"]
    path = f"/MXRecord/shop.example/shop.example/{first}"
    changed = wire.data("PUT", path, {"rdata": {"preference": 5}})
    assert changed["rdata"] == {"exchange": "mx1.shop.example.", "preference": 5}
    assert wire.said("PUT", path, {"rdata": {"preference": 5}}) == ["update: No changes specified"]
    assert wire.said("GET", path) == ["get: Found the record"]
    assert wire.said("DELETE", path) == ["delete: Record will be deleted on zone publish"]
    assert wire.refused("GET", path)[0] == 404
    wire.data("PUT", "/Zone/shop.example/", {"publish": True})
    assert len(wire.data("GET", "/MXRecord/shop.example/shop.example/")) == 1


def test_the_last_record_of_a_node_takes_the_node_along(wire):
    path = wire.data("GET", "/CNAMERecord/shop.example/cdn.shop.example/")[0].removeprefix("/REST")
    assert wire.said("DELETE", path)[1] == "remove_node: cdn.shop.example removed from tree."


def test_all_of_a_type_are_deleted_published_or_not(wire):
    wire.data("POST", "/ARecord/shop.example/api.shop.example/", {"rdata": {"address": "192.0.2.34"}})
    assert wire.said("DELETE", "/ARecord/shop.example/api.shop.example/") == ["delete: 4 records deleted"]
    wire.refused("GET", "/ARecord/shop.example/api.shop.example/")


def test_without_an_id_nothing_is_changed(wire):
    _, msgs = wire.refused(
        "PUT", "/ARecord/shop.example/api.shop.example/", {"rdata": {"address": "1.1.1.1"}}
    )
    assert msgs == [
        ("NOT_FOUND", "id: You did not reference a specific record"),
        (None, "update: No record updated"),
    ]


def test_all_of_a_type_are_replaced_and_equal_ones_keep_their_ids(wire):
    path = "/ARecord/shop.example/api.shop.example/"
    before = {each["rdata"]["address"]: each["record_id"] for each in wire.data("GET", path, {"detail": "Y"})}
    wanted = [{"rdata": {"address": "192.0.2.31"}, "ttl": 60}, {"rdata": {"address": "192.0.2.99"}}]
    wire.data("PUT", path, {"ARecords": wanted})
    wire.data("PUT", "/Zone/shop.example/", {"publish": True})
    after = {each["rdata"]["address"]: each["record_id"] for each in wire.data("GET", path, {"detail": "Y"})}
    assert set(after) == {"192.0.2.31", "192.0.2.99"}
    assert after["192.0.2.31"] == before["192.0.2.31"]


def test_replacing_takes_back_a_single_unpublished_record(wire):
    add(wire, "192.0.2.1")
    add(wire, "192.0.2.2")
    wire.data("PUT", f"{ROOT}/", {"ARecords": [{"rdata": {"address": "192.0.2.2"}, "ttl": 3600}]})
    assert set(addresses(wire)) == {"192.0.2.2"}
    assert len(wire.data("GET", "/ZoneChanges/shop.example/")) == 1


def test_the_same_data_twice_is_refused(wire):
    add(wire, "192.0.2.1")
    status, msgs = wire.refused("POST", f"{ROOT}/", {"rdata": {"address": "192.0.2.1"}})
    assert (status, msgs[0]) == (400, ("TARGET_EXISTS", "make: Cannot duplicate existing record data"))


def test_a_node_holds_thirteen_addresses(wire):
    for number in range(13):
        add(wire, f"192.0.2.{number}")
    assert wire.refused("POST", f"{ROOT}/", {"rdata": {"address": "192.0.2.99"}})[0] == 400


def test_a_cname_stands_alone(wire):
    path = "/CNAMERecord/shop.example/{}.shop.example/"
    args = {"rdata": {"cname": "elsewhere.example"}}
    assert wire.refused("POST", path.format("api"), args)[0] == 400
    assert wire.refused("POST", path.format("www"), args)[0] == 400
    assert (
        wire.refused("POST", "/TXTRecord/shop.example/www.shop.example/", {"rdata": {"txtdata": "x"}})[0]
        == 400
    )
    assert wire.data("POST", path.format("free"), args)["rdata"] == {"cname": "elsewhere.example."}


def test_the_four_primary_name_servers_stay(wire):
    path = "/NSRecord/shop.example/shop.example/"
    servers = wire.data("GET", path, {"detail": "Y"})
    assert [each["service_class"] for each in servers] == ["Primary"] * 4
    assert wire.refused("DELETE", f"{path}{servers[0]['record_id']}/")[0] == 400
    assert wire.said("DELETE", path) == ["delete: 0 records deleted"]


def test_a_semicolon_comes_back_escaped_and_may_be_sent_so(wire):
    path = "/TXTRecord/shop.example/txt.shop.example/"
    for text in ("a;b", "a\\;b"):
        status, answer = wire("POST", path, {"rdata": {"txtdata": text}})
        assert (answer["status"], status) == (("success", 200) if text == "a;b" else ("failure", 400))
    assert wire.data("GET", path, {"detail": "Y"})[0]["rdata"] == {"txtdata": "a\\;b"}


def test_all_records_of_a_zone_and_of_a_node(wire):
    tree = wire.data("GET", "/AllRecord/shop.example/", {"detail": "Y"})
    assert set(tree) == {kind.listing for kind in RECORD_TYPES.values()}
    assert tree["naptr_records"] == []
    assert len(tree["a_records"]) == 7
    below = wire.data("GET", "/AllRecord/shop.example/_tcp.shop.example", {"detail": "Y"})
    assert [each["fqdn"] for each in below["srv_records"]] == ["_sip._tcp.shop.example"]
    uris = wire.data("GET", "/AllRecord/shop.example/pbx.shop.example/")
    assert len(uris) == 1
    assert uris[0].startswith("/REST/ARecord/shop.example/pbx.shop.example/3189053")
    any_records = wire.data("GET", "/ANYRecord/shop.example/mx1.shop.example/", {"detail": "Y"})
    assert len(any_records["a_records"]) == len(any_records["aaaa_records"]) == 1


@pytest.mark.parametrize(
    ("path", "msgs"),
    [
        (
            "/AllRecord/shop.example/no.shop.example/",
            ["node: Node is not in the zone", "get_tree: Node name not found within the zone"],
        ),
        ("/ARecord/shop.example/no.shop.example/", ["node: Not in zone", "get: Host not found in this zone"]),
        (
            "/ARecord/shop.example/www.elsewhere.example/",
            ["node: Not in zone", "detail: Host is not in this zone"],
        ),
        ("/ARecord/nowhere.example/nowhere.example/", ["zone: No such zone"]),
    ],
)
def test_what_is_not_there(wire, path, msgs):
    status, answered = wire.refused("GET", path)
    assert status == 404
    assert answered[0][0] == "NOT_FOUND"
    assert [info for _, info in answered] == msgs


@pytest.mark.parametrize(
    ("kind", "rdata", "info"),
    [
        ("A", {"address": "nonsense"}, "address: IPv4 address expected"),
        ("A", {}, "address: required field missing"),
        ("A", {"address": "192.0.2.1", "port": 3}, "port: unknown field"),
        ("A", [], "rdata: Hash expected"),
        ("AAAA", {"address": "192.0.2.1"}, "address: IPv6 address expected"),
        (
            "MX",
            {"exchange": "a.example", "preference": 70_000},
            "preference: Value must be between 0 and 65535",
        ),
        ("MX", {"exchange": "a..example"}, "exchange: Hostname expected"),
        ("TXT", {"txtdata": ["a"]}, "txtdata: Text expected"),
        ("LOC", {"altitude": "1", "latitude": "north", "longitude": "1 E"}, "latitude: Coordinate"),
        ("DNSKEY", {"protocol": 3, "public_key": "!!"}, "public_key: Base64 expected"),
        (
            "SSHFP",
            {"algorithm": 4, "fptype": 2, "fingerprint": "xyz"},
            "fingerprint: Hexadecimal digits expected",
        ),
        ("CSYNC", {"soa_serial": 1, "flags": "odd", "types": "A"}, "flags: Value must be one of"),
    ],
)
def test_wrong_data_is_named(wire, kind, rdata, info):
    status, msgs = wire.refused("POST", f"/{kind}Record/shop.example/new.shop.example/", {"rdata": rdata})
    assert status == 400
    assert msgs[0][1].startswith(info)
    assert wire.data("GET", "/ZoneChanges/shop.example/") == []


def test_a_wrong_ttl_is_named(wire):
    assert wire.refused("POST", f"{ROOT}/", {"rdata": {"address": "192.0.2.1"}, "ttl": -1})[1][0][
        1
    ].startswith("ttl:")


def test_modern_algorithms_are_accepted(wire):
    path = "/DSRecord/shop.example/child.shop.example/"
    rdata = {"digest": "AB" * 32, "keytag": 60485, "algorithm": 13, "digtype": 2}
    assert wire.data("POST", path, {"rdata": rdata})["rdata"]["algorithm"] == 13

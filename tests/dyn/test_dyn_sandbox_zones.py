import asyncio
import contextlib
import struct
import threading

import dns.message
import dns.rcode
import dns.zone
import pytest
from dyn_wire import Wire

from sessionkit.sandbox import Sandbox
from sessionkit_dyn.sandbox import DynService

NEW = {"rname": "ann@new.example", "ttl": "3600", "serial_style": "increment"}

ZONE_FILE = """
$ORIGIN new.example.
$TTL 600
@ IN SOA ns.elsewhere.example. ann.new.example. 7 3600 600 86400 60
@ IN NS ns.elsewhere.example.
@ IN MX 10 mail
www 60 IN A 192.0.2.1
www IN AAAA 2001:db8::1
_sip._tcp IN SRV 1 2 5060 www
txt IN TXT "two " "pieces; one text"
naptr IN NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:ann@new.example!" .
loc IN LOC 52 31 12.000 N 13 24 18.000 E 35.00m 1m 10000m 10m
ds IN DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A
key IN DNSKEY 257 3 13 c2FuZGJveA==
caa IN CAA 0 issue "ca.example"
tlsa IN TLSA 3 1 0 0a1b2c
sshfp IN SSHFP 4 3 0a1b2c
rp IN RP ann.new.example. about.new.example.
cert IN CERT PKIX 1 5 c2FuZGJveA==
csync IN CSYNC 66 3 A NS
hinfo IN HINFO "PDP-11" "UNIX"
"""


def publish(wire, zone="new.example", **args):
    return wire("PUT", f"/Zone/{zone}/", {"publish": True, **args})[1]


def test_a_zone_is_created_published_and_removed(wire):
    status, answer = wire("POST", "/Zone/new.example/", NEW)
    assert status == 200
    assert answer["data"] == {
        "zone": "new.example",
        "zone_type": "Primary",
        "serial": 0,
        "serial_style": "increment",
    }
    said = [message["INFO"] for message in answer["msgs"]]
    assert said[0].startswith("setup: If you plan to provide your own secondary DNS")
    assert said[1] == "create: New zone new.example created.  Publish it to put it on our server."
    published = publish(wire)
    assert published["msgs"][0]["INFO"] == "publish: new.example published"
    assert published["data"]["serial"] == 1
    assert isinstance(published["data"]["task_id"], str)
    assert wire.said("GET", "/Zone/new.example") == ["get: Your zone, new.example"]
    assert wire.said("DELETE", "/Zone/new.example/") == ["remove: Zone removed"]
    assert wire.refused("GET", "/Zone/new.example/") == (404, [("NOT_FOUND", "zone: No such zone")])


def test_zones_are_listed(wire):
    assert wire.data("GET", "/Zone/") == ["/REST/Zone/lan.example/", "/REST/Zone/shop.example/"]
    assert wire.said("GET", "/Zone/") == ["get: Your 2 zones"]
    wire.data("DELETE", "/Zone/lan.example/")
    assert wire.said("GET", "/Zone/", {"detail": "Y"}) == ["get: Your 1 zone"]


def test_a_zone_exists_once(wire):
    assert wire.refused("POST", "/Zone/shop.example/", NEW) == (
        400,
        [("TARGET_EXISTS", "name: Name already exists"), (None, "create: You already have this zone.")],
    )


@pytest.mark.parametrize(
    ("zone", "changes", "info"),
    [
        ("new.example", {"rname": None}, "rname: required field missing"),
        ("new.example", {"ttl": "long"}, "ttl: Integer expected"),
        ("new.example", {"serial_style": "odd"}, "serial_style: Value must be one of"),
        ("nodots", {}, "zone: Zone name expected"),
        ("a..b", {}, "zone: Zone name expected"),
    ],
)
def test_a_wrong_zone_is_refused_and_leaves_nothing(wire, zone, changes, info):
    status, msgs = wire.refused("POST", f"/Zone/{zone}/", {**NEW, **changes})
    assert status == 400
    assert msgs[0][1].startswith(info)
    assert len(wire.data("GET", "/Zone/")) == 2


def test_removing_what_is_not_there(wire):
    assert wire.refused("DELETE", "/Zone/nowhere.example/")[1] == [
        ("NOT_FOUND", "zone: No such zone"),
        (None, "remove: No such zone in your account"),
    ]


@pytest.mark.parametrize(
    ("style", "serials"),
    [
        ("increment", [1, 2]),
        ("epoch", [1_767_225_600, 1_767_225_601]),
        ("day", [2026010100, 2026010101]),
        ("minute", [2601010000, 2601010001]),
    ],
)
def test_serials_grow_by_their_style(wire, style, serials):
    wire.data("POST", "/Zone/new.example/", {**NEW, "serial_style": style})
    assert [publish(wire)["data"]["serial"] for _ in serials] == serials
    soa = wire.data("GET", "/SOARecord/new.example/new.example/", {"detail": "Y"})[0]
    assert (soa["rdata"]["serial"], soa["serial_style"]) == (serials[-1], style)


def test_a_frozen_zone_is_not_changed(wire):
    assert wire.said("PUT", "/Zone/shop.example/", {"freeze": True}) == ["freeze: Your zone is now frozen"]
    args = {"rdata": {"address": "192.0.2.1"}}
    path = "/ARecord/shop.example/new.shop.example/"
    assert wire.refused("POST", path, args)[1][0][0] == "ILLEGAL_OPERATION"
    assert wire.said("PUT", "/Zone/shop.example/", {"thaw": "True"}) == [
        "thaw: Your zone is now thawed, you may edit normally"
    ]
    assert wire.data("POST", path, args)


def test_notes_are_kept_latest_first(wire):
    for text in ("first", "second"):
        publish(wire, "shop.example", notes=text)
    notes = wire.data("POST", "/ZoneNoteReport/", {"zone": "shop.example"})
    assert [(note["note"], note["serial"], note["user_name"]) for note in notes] == [
        ("second", 43, "ann"),
        ("first", 42, "ann"),
    ]
    assert len(wire.data("POST", "/ZoneNoteReport/", {"zone": "shop.example", "limit": 1, "offset": 1})) == 1
    assert wire.refused("POST", "/ZoneNoteReport/", {"zone": "shop.example", "limit": 5000})[0] == 400


def test_nodes_are_listed_and_removed(wire):
    nodes = wire.data("GET", "/NodeList/shop.example/")
    assert nodes[0] == "shop.example"
    assert "_sip._tcp.shop.example" in nodes
    assert wire.data("GET", "/NodeList/shop.example/_tcp.shop.example/") == ["_sip._tcp.shop.example"]
    assert wire.said("DELETE", "/Node/shop.example/api.shop.example") == [
        "remove_node: api.shop.example removed from tree. All records also removed."
    ]
    assert "api.shop.example" not in wire.data("GET", "/NodeList/shop.example/")
    assert wire.refused("DELETE", "/Node/shop.example/no.shop.example")[0] == 404
    assert wire.refused("DELETE", "/Node/shop.example/shop.example")[0] == 400


def test_the_apex_of_a_name(wire):
    assert wire.data("GET", "/Apex/a.b.shop.example")["zone"] == "shop.example"
    assert wire.refused("GET", "/Apex/elsewhere.example")[0] == 404


def test_a_blocking_task(wire, sandbox):
    sandbox.fault("block_zone", zone="shop.example", times=None)
    status, msgs = wire.refused("PUT", "/Zone/shop.example/", {"publish": True})
    assert status == 400
    assert msgs[0] == ("ILLEGAL_OPERATION", "zone: Operation blocked by current task")
    assert msgs[1] == (None, "task_name: ProvisionZone")
    task = msgs[2][1].removeprefix("task_id: ")
    (listed,) = wire.data("GET", "/Task/", {"status": "notdone", "zone_name": "shop.example"})
    assert (listed["task_id"], listed["status"], listed["blocking"]) == (task, "running", "Y")
    assert wire.data("GET", "/Zone/shop.example/")
    wire.data("DELETE", f"/Task/{task}")
    publish(wire, "shop.example")
    assert [each["status"] for each in wire.data("GET", "/Task/")] == ["canceled", "complete"]
    assert wire.refused("DELETE", f"/Task/{task}")[0] == 400
    assert wire.refused("GET", "/Task/1")[0] == 404


@pytest.mark.parametrize("style", ["redirect", "incomplete"])
def test_a_job_is_asked_for_until_it_is_done(wire, sandbox, style):
    sandbox.fault("job", style=style, method="PUT", polls=1)
    status, answer = wire("PUT", "/Zone/shop.example/", {"publish": True})
    job = answer["job_id"]
    assert status == (307 if style == "redirect" else 200)
    assert answer == {"status": "incomplete", "data": None, "job_id": job}
    assert wire.location == (f"/REST/Job/{job}" if style == "redirect" else None)
    busy = wire("GET", "/Zone/")
    assert (busy[0], busy[1]["status"], busy[1]["job_id"]) == (400, "running", job)
    assert busy[1]["msgs"][0]["INFO"] == "token: This session already has a job running"
    assert wire.raw("GET", f"/REST/Job/{job}", b"")[0] == status
    done = wire("GET", f"/Job/{job}/")
    assert (done[0], done[1]["status"], done[1]["data"]["serial"]) == (200, "success", 42)
    assert wire.data("GET", "/Zone/")
    assert wire.refused("GET", "/Job/7/")[0] == 404


def test_a_job_may_take_time_and_fail(wire, sandbox, manual_clock):
    sandbox.fault("job", seconds=30, polls=0)
    job = wire("GET", "/Zone/nowhere.example/")[1]["job_id"]
    assert wire("GET", f"/Job/{job}/")[1]["status"] == "incomplete"
    manual_clock.advance(30)
    status, answer = wire("GET", f"/Job/{job}/")
    assert (status, answer["status"], answer["msgs"][0]["INFO"]) == (200, "failure", "zone: No such zone")


def test_another_call_while_a_job_runs(wire, sandbox):
    sandbox.fault("running")
    status, answer = wire("GET", "/Zone/")
    assert (status, answer["status"]) == (400, "running")
    assert wire("GET", f"/Job/{answer['job_id']}")[1]["status"] == "success"
    assert wire.data("GET", "/Zone/")


def test_a_zone_file_is_imported(wire):
    status, answer = wire("POST", "/ZoneFile/new.example/", {"file": ZONE_FILE})
    assert (status, answer["status"]) == (200, "success")
    assert any("HINFO skipped" in message["INFO"] for message in answer["msgs"])
    publish(wire)
    found = wire.data("GET", "/AllRecord/new.example/", {"detail": "Y"})
    rdata = {kind: [each["rdata"] for each in listed] for kind, listed in found.items() if listed}
    assert rdata["a_records"] == [{"address": "192.0.2.1"}]
    assert rdata["mx_records"] == [{"exchange": "mail.new.example.", "preference": 10}]
    assert rdata["txt_records"] == [{"txtdata": "two pieces\\; one text"}]
    assert rdata["srv_records"][0]["target"] == "www.new.example."
    assert rdata["naptr_records"][0]["regexp"] == "!^.*$!sip:ann@new.example!"
    assert rdata["ds_records"][0]["algorithm"] == 13
    assert rdata["soa_records"][0]["rname"] == "ann.new.example."
    assert rdata["csync_records"] == [{"soa_serial": 66, "flags": "immediate,soaminimum", "types": "A,NS"}]
    assert {"dnskey_records", "caa_records", "tlsa_records", "sshfp_records", "rp_records"} <= set(rdata)
    assert {"loc_records", "cert_records", "aaaa_records"} <= set(rdata)
    assert len(rdata["ns_records"]) == 5


@pytest.mark.parametrize("text", ["", "this is no zone file", "$INCLUDE /etc/hostname\n", 7, "x" * 1_048_577])
def test_a_wrong_zone_file_is_refused(wire, text):
    assert wire.refused("POST", "/ZoneFile/new.example/", {"file": text})[0] == 400
    assert len(wire.data("GET", "/Zone/")) == 2


@contextlib.contextmanager
def name_server(text):
    """A name server on TCP that hands out one zone, or refuses when there is no text."""

    async def answer(reader, writer):
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        query = dns.message.from_wire(await reader.readexactly(size))
        response = dns.message.make_response(query)
        if text:
            zone = dns.zone.from_text(text, origin="new.example.", relativize=False, check_origin=False)
            soa = zone.get_rrset("new.example.", "SOA")
            sets = [zone.get_rrset(name, each.rdtype) for name, each in zone.iterate_rdatasets()]
            response.answer = [soa, *(each for each in sets if each != soa), soa]
        else:
            response.set_rcode(dns.rcode.REFUSED)
        wire = response.to_wire(max_size=65_535)
        writer.write(struct.pack("!H", len(wire)) + wire)
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        server.close()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


def test_a_zone_is_transferred_from_another_server(wire):
    with name_server(ZONE_FILE) as master:
        assert wire.data("POST", "/ZoneTransfer/new.example/", {"master_ip": master})["zone"] == "new.example"
    assert wire.data("GET", "/ZoneTransfer/new.example/")["status"] == "unpublished"
    publish(wire)
    assert wire.data("GET", "/ARecord/new.example/www.new.example/")


def test_a_transfer_that_is_refused_leaves_nothing(wire):
    with name_server("") as master:
        status, msgs = wire.refused("POST", "/ZoneTransfer/new.example/", {"master_ip": master})
    assert (status, msgs[0][0]) == (400, "OPERATION_FAILED")
    for nobody in ("127.0.0.1:1", "no address", "127.0.0.1:port"):
        assert wire.refused("POST", "/ZoneTransfer/new.example/", {"master_ip": nobody})[0] == 400
    assert len(wire.data("GET", "/Zone/")) == 2


def test_state_lives_in_the_database_file(tmp_path, manual_clock):
    options = {"services": [DynService], "db": tmp_path / "box.db", "clock": manual_clock}
    with Sandbox(**options) as box, Wire(box) as wire:
        wire.data("POST", "/Zone/new.example/", NEW)
        job, token = wire("GET", "/Session/")[1]["job_id"], wire.headers["Auth-Token"]
    with Sandbox(**options) as box, Wire(box, customer=None) as wire:
        wire.headers["Auth-Token"] = token
        assert len(wire.data("GET", "/Zone/")) == 3
        assert wire("GET", "/Session/")[1]["job_id"] > job - 1000

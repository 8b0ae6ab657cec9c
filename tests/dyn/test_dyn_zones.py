"""Zones, nodes, secondary zones, keys, tasks, reports, renumbering."""

import datetime as dt

import pytest

from sessionkit.errors import Conflict, NotFound
from sessionkit_dyn import DynectSession, errors, reports, tools
from sessionkit_dyn.zones import (
    TSIG,
    ExternalNameserver,
    ExternalNameserverEntry,
    Node,
    SecondaryZone,
    Zone,
    get_all_secondary_zones,
    get_all_zones,
    get_apex,
    get_tasks,
)


def test_all_zones_come_with_one_call(sandbox, dyn):
    sandbox.clear()
    found = get_all_zones()
    assert [(zone.name, zone.serial, zone.zone_type) for zone in found][1] == ("shop.example", 41, "Primary")
    assert len(sandbox.requests()) == 1


def test_create_publish_freeze_thaw_delete(dyn):
    zone = Zone("new.example", contact="ann@new.example", ttl=300, serial_style="epoch")
    assert (zone.serial, zone.serial_style, zone.ttl, zone.contact) == (0, "epoch", 300, "ann.new.example.")
    task = zone.publish(notes="first light")
    assert task.wait(10).status == "complete"
    assert zone.task.task_id == task.task_id
    assert zone.serial > 1_700_000_000
    assert zone.get_notes()[0]["note"] == "first light"
    zone.freeze()
    with pytest.raises(Conflict):
        zone.add_record("www", "A", "192.0.2.1")
    zone.thaw()
    zone.add_record("www", "A", "192.0.2.1")
    zone.delete()
    with pytest.raises(NotFound):
        zone.refresh()


def test_a_zone_that_is_there_already_is_a_conflict(dyn):
    with pytest.raises(errors.DynectCreateError) as caught:
        Zone("shop.example", contact="ann@shop.example")
    assert isinstance(caught.value, Conflict)


def test_a_zone_from_a_file(dyn, tmp_path):
    file = tmp_path / "new.zone"
    file.write_text(
        "$ORIGIN file.example.\n@ 3600 IN SOA ns. ann.file.example. 1 2 3 4 5\nwww 60 IN A 192.0.2.1\n"
    )
    zone = Zone("file.example", file_name=file)
    assert list(dyn.pending_changes) == ["file.example"]
    zone.publish()
    assert [record.address for record in zone.get_all_records_by_type("A")] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"file_name": "/nowhere/at.all"}, "file_name"),
        ({"contact": "a@b.c", "master_ip": "192.0.2.1"}, "contact and master_ip"),
        ({"contact": "a@b.c", "serial_style": "weekly"}, "serial_style"),
    ],
)
def test_wrong_arguments_of_a_zone(sandbox, dyn, arguments, argument):
    sandbox.clear()
    with pytest.raises(errors.DynectInvalidArgumentError) as caught:
        Zone("new.example", **arguments)
    assert caught.value.argument == argument
    assert sandbox.requests() == []


def test_a_zone_that_does_not_come_is_waited_for_no_longer_than_said(sandbox, dyn, manual_clock):
    sandbox.fault("body", body='{"status": "success", "data": {}}', path="/REST/ZoneTransfer/*")
    with pytest.raises(errors.DynectQueryTimeout):
        Zone("late.example", master_ip="192.0.2.53", timeout=30)
    assert sum(manual_clock.slept) <= 30


def test_nodes(dyn, zone):
    zone.add_record("a.b", "A", "192.0.2.1")
    zone.add_record(None, "MX", "mail.test.example")
    zone.add_record("test.example.", "TXT", "at the top")
    zone.publish()
    assert zone.get_node("a.b") in zone.get_all_nodes()
    zone.get_node("a.b.test.example").delete()
    zone.publish()
    assert zone.get_node("a.b") not in zone.get_all_nodes()
    assert set(zone.get_all_records()) == {"mx_records", "txt_records", "ns_records", "soa_records"}


def test_zones_and_nodes_are_hashable_and_equal_by_name(dyn):
    one, two = Zone("shop.example"), Zone("Shop.Example.")
    assert one == two
    assert len({one, two, Zone("lan.example")}) == 2
    assert Node("shop.example", "www") == Node("shop.example", "www.shop.example.")
    assert one != Node("shop.example")


def test_the_zone_of_a_name(dyn):
    assert get_apex("deep.down.shop.example") == "shop.example"
    assert get_apex("shop.example", full_details=True)["serial"] == 41
    with pytest.raises(NotFound):
        get_apex("elsewhere.example")


def test_secondary_zones(dyn):
    made = SecondaryZone("second.example", masters=["192.0.2.53"], tsig_key_name="k")
    assert (made.active, made.masters) == ("N", ["192.0.2.53"])
    made.activate()
    assert made.active == "Y"
    made.masters = ["192.0.2.54"]
    made.retransfer()
    assert SecondaryZone("second.example").masters == ["192.0.2.54"]
    assert [each.zone for each in get_all_secondary_zones()] == ["second.example"]
    assert made.serial == 0
    with pytest.raises(errors.DynectInvalidArgumentError):
        made.update(active="Y")
    made.deactivate()
    made.delete()
    assert get_all_secondary_zones() == []


def test_keys_and_external_name_servers(dyn, zone):
    TSIG("k1", secret="c2VjcmV0", algorithm="hmac-sha256")
    assert TSIG("k1").algorithm == "hmac-sha256"
    made = ExternalNameserver("test.example", hosts=["192.0.2.1", ExternalNameserverEntry("192.0.2.2", "Y")])
    assert [host["notifies"] for host in made.hosts] == ["N", "Y"]
    made.deny = "Y"
    assert ExternalNameserver("test.example").deny == "Y"
    made.delete()
    with pytest.raises(NotFound):
        ExternalNameserver("test.example")


def test_tasks(sandbox, dyn, zone):
    sandbox.fault("block_zone", zone="test.example", times=None, task_name="ProvisionZone")
    (task,) = get_tasks(zone_name="test.example", status="notdone")
    assert (task.name, task.ended) == ("ProvisionZone", False)
    heard = []
    with pytest.raises(errors.DynectQueryTimeout):
        task.wait(10, heard.append)
    assert len(heard) == 5
    task.cancel()
    assert task.status == "canceled"
    with pytest.raises(AttributeError):
        _ = task.colour


def test_reports(dyn):
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    assert (
        Zone("shop.example").get_qps(begin, begin + dt.timedelta(hours=1)).startswith("Timestamp,Queries\n")
    )
    assert reports.get_qps(begin, begin + dt.timedelta(hours=1), breakdown="hosts").startswith(
        "Timestamp,Hosts"
    )
    assert reports.get_check_permission(["RecordAdd", "Nonsense"])["forbidden"] == ["Nonsense"]
    assert reports.get_dnssec_timeline("shop.example") == []
    assert reports.get_rttm_log("shop.example", "www.shop.example", begin) == []
    assert reports.get_rttm_rrset("shop.example", "www.shop.example", 1) == []


def test_renumbering(dyn, zone):
    for number in (1, 2, 3):
        zone.add_record(f"h{number}", "A", f"192.0.2.{number}", ttl=60)
    zone.publish()
    changed = tools.change_ip(
        zone, ["192.0.2.1", "192.0.2.2"], ["198.51.100.1", "198.51.100.2"], publish=True
    )
    assert len(changed) == 2
    again = tools.map_ips("test.example", {"192.0.2.3": "198.51.100.3"}, publish=True)
    assert [record.address for record in again] == ["198.51.100.3"]
    found = zone.get_all_records_by_type("A")
    assert sorted(record.address for record in found) == [f"198.51.100.{n}" for n in (1, 2, 3)]
    with pytest.raises(errors.DynectInvalidArgumentError):
        tools.change_ip(zone, ["192.0.2.1"], [])
    with pytest.raises(errors.DynectInvalidArgumentError):
        tools.map_ips(zone, {"192.0.2.1": "2001:db8::1"})
    assert tools.change_ip(zone, "2001:db8::1", "2001:db8::2", v6=True) == []


def test_a_given_session_is_used_instead_of_the_current_one(sandbox, dyn):
    with DynectSession.detached("acme", "ops", "sandbox-ops", host=sandbox.url) as ops:
        zone = Zone("shop.example", session=ops)
        record = zone.add_record("by-ops", "A", "192.0.2.1")
        assert record.session is ops
        assert list(ops.pending_changes) == ["shop.example"]
        assert dyn.pending_changes == {}
        assert all(each.session is ops for each in get_all_zones(session=ops))

"""The vendor's own client again: users, services of a node, traffic directors."""

import pytest
from dyn_wire import VENDOR_WARNINGS

pytestmark = VENDOR_WARNINGS

ZONE = "shop.example"


def test_users_contacts_groups_and_notifiers(sdk):
    from dyn.tm import accounts, errors

    user = accounts.User(
        "zoe",
        password="secret-zoe",
        email="zoe@shop.example",
        first_name="Zoe",
        last_name="Zimmer",
        nickname="zoe",
        organization="Acme",
        phone="1",
    )
    user.block()
    assert user.status == "blocked"
    user.unblock()
    user.add_permission("ZoneGet")
    assert len(accounts.get_users()) == 4
    user.delete()
    with pytest.raises(errors.DynectGetError):
        assert accounts.User("zoe").email

    contact = accounts.Contact(
        "kim", email="kim@shop.example", first_name="Kim", last_name="K", organization="Acme"
    )
    contact.email = "kim@lan.example"
    assert [each.email for each in accounts.get_contacts()] == ["kim@lan.example"]
    contact.delete()

    group = accounts.PermissionsGroup(
        "editors", description="may edit", permission=["RecordAdd"], zone=["shop.example"]
    )
    group.add_permission("RecordGet")
    assert sorted(accounts.PermissionsGroup("editors").permission) == ["RecordAdd", "RecordGet"]
    group.delete()

    notifier = accounts.Notifier("on call", recipients=[{"recipient": "ann@shop.example", "format": "email"}])
    assert accounts.get_notifiers()[0].label == "on call"
    notifier.delete()


def test_services_of_a_node(sdk):
    from dyn.tm import zones
    from dyn.tm.services import DNSSEC, DNSSECKey, DynamicDNS, HealthMonitor, HTTPRedirect

    zone = zones.Zone("shop.example")
    HTTPRedirect("shop.example", "old.shop.example", 302, "Y", "https://shop.example/")
    assert zone.get_all_httpredirect()[0]._url == "https://shop.example/"
    ddns = DynamicDNS("shop.example", "home.shop.example", "A", "192.0.2.99")
    ddns.deactivate()
    assert ddns.active == "N"
    ddns.delete()
    monitor = HealthMonitor("HTTP", 5, path="/up")
    zone.add_service(
        "fail",
        "ActiveFailover",
        "192.0.2.10",
        "ip",
        "192.0.2.11",
        monitor,
        "ann",
    )
    assert zone.get_all_active_failovers()[0].failover_data == "192.0.2.11"
    signed = DNSSEC(
        "shop.example", [DNSSECKey("KSK", "RSA/SHA-1", 2048), DNSSECKey("ZSK", "RSA/SHA-1", 1024)], "ann"
    )
    signed.activate()
    assert str(signed.active) == "Y"


def test_a_traffic_director_with_its_parts(sdk):
    from dyn.tm.services import dsf

    record = dsf.DSFARecord("192.0.2.50", label="first", weight=1)
    record_set = dsf.DSFRecordSet("A", label="set", records=[record])
    chain = dsf.DSFFailoverChain(label="chain", record_sets=[record_set])
    pool = dsf.DSFResponsePool(label="pool", rs_chains=[chain])
    ruleset = dsf.DSFRuleset("always", "always", response_pools=[pool])
    director = dsf.TrafficDirector("balanced", ttl=30, rulesets=[ruleset])
    again = dsf.TrafficDirector(director.service_id)
    assert again.label == "balanced"
    assert [each.label for each in again.all_rulesets] == ["always"]
    assert [each.label for each in again.all_response_pools] == ["pool"]
    assert [each.address for each in again.all_records] == ["192.0.2.50"]
    assert len(dsf.get_all_dsf_services()) == 1
    again.delete()
    assert dsf.get_all_dsf_services() == []


def test_load_balancing_with_regions_and_pools(sdk):
    from dyn.tm import zones
    from dyn.tm.services import gslb

    node = f"gslb.{ZONE}"
    entry = gslb.GSLBRegionPoolEntry(
        ZONE, node, "global", "192.0.2.1", label="x", weight=1, serve_mode="always"
    )
    region = gslb.GSLBRegion(ZONE, node, "global", pool=[entry])
    gslb.GSLB(ZONE, node, "ann", region=[region], monitor=gslb.Monitor("HTTP", 5))
    balanced = gslb.GSLB(ZONE, node)
    balanced.deactivate()
    balanced.recover()
    balanced.ttl = 60
    assert (balanced.ttl, balanced.status) == (60, "ok")
    assert len(gslb.GSLBRegion(ZONE, node, "global").pool) == 1
    again = gslb.GSLBRegionPoolEntry(ZONE, node, "global", "192.0.2.1")
    again.label = "y"
    assert gslb.GSLBRegionPoolEntry(ZONE, node, "global", "192.0.2.1").label == "y"
    assert len(zones.Zone(ZONE).get_all_gslb()) == 1
    balanced.delete()
    assert zones.Zone(ZONE).get_all_gslb() == []


def test_performance_routing(sdk):
    from dyn.tm import zones
    from dyn.tm.services import rttm

    node = f"rttm.{ZONE}"
    region = rttm.RTTMRegion(ZONE, node, "global", [rttm.RegionPoolEntry("192.0.2.1", "x", 1, "always")])
    monitors = {
        "monitor": rttm.Monitor("HTTP", 5),
        "performance_monitor": rttm.PerformanceMonitor("HTTP", 20),
    }
    rttm.RTTM(ZONE, node, "ann", region=[region], **monitors)
    routed = rttm.RTTM(ZONE, node)
    routed.deactivate()
    assert routed.status == "ok"
    assert len(zones.Zone(ZONE).get_all_rttm()) == 1
    routed.delete()


def test_redirects_and_reverse_dns(sdk):
    from dyn.tm import zones
    from dyn.tm.services import advanced_redirect, reversedns

    rule = advanced_redirect.AdvancedRedirectRule(
        url_pattern="https://x", code=302, host_prefix="a", path="/"
    )
    advanced_redirect.AdvancedRedirect(ZONE, f"adv.{ZONE}", rules=[rule], active="Y")
    assert advanced_redirect.AdvancedRedirect(ZONE, f"adv.{ZONE}").active == "Y"
    assert len(zones.Zone(ZONE).get_all_advanced_redirect()) == 1
    reversedns.ReverseDNS(ZONE, f"rev.{ZONE}", [ZONE], "192.0.2.0/24")
    assert len(zones.Zone(ZONE).get_all_rdns()) == 1


def test_secondary_zones_keys_and_external_nameservers(sdk):
    from dyn.tm import zones

    secondary = zones.SecondaryZone("sec.example", ["192.0.2.1"], "ann")
    secondary.activate()
    secondary.retransfer()
    assert (secondary.active, secondary.serial) == ("Y", 0)
    assert len(zones.get_all_secondary_zones()) == 1
    secondary.delete()
    zones.TSIG("key.", secret="c2VjcmV0", algorithm="hmac-md5")
    assert zones.TSIG("key.").secret == "c2VjcmV0"
    entry = zones.ExternalNameserverEntry("192.0.2.1", notifies="Y")
    zones.ExternalNameserver(ZONE, deny="Y", hosts=[entry], active="Y")
    assert zones.ExternalNameserver(ZONE).hosts[0].address == "192.0.2.1"


def test_permissions_decide_what_a_user_may_do(sdk, sandbox):
    from dyn.tm import accounts
    from dyn_wire import Wire

    reader = accounts.User("reader")
    with Wire(sandbox, user="reader", password="sandbox-reader") as wire:
        assert (
            wire.refused("POST", "/QPSReport/", {"start_ts": 1, "end_ts": 9})[1][0][0] == "PERMISSION_DENIED"
        )
        reader.add_permission("QPSReport")
        assert wire.data("POST", "/QPSReport/", {"start_ts": 1, "end_ts": 9})
        reader.add_forbid_rule("QPSReport")
        assert wire.refused("POST", "/QPSReport/", {"start_ts": 1, "end_ts": 9})
        group = accounts.PermissionsGroup("writers", "may add", permission=["RecordAdd"], zone=[ZONE])
        assert wire.refused("POST", f"/ARecord/{ZONE}/a.{ZONE}/", {"rdata": {"address": "192.0.2.1"}})
        group.user_name = ["reader"]
        assert wire.data("POST", f"/ARecord/{ZONE}/a.{ZONE}/", {"rdata": {"address": "192.0.2.1"}})
    assert [user.user_name for user in accounts.get_updateusers()] == []
    assert accounts.UpdateUser("nick", "a-password").user_name == "acme-nick"
    accounts.UserZone("ops", ZONE)


def test_parts_of_a_traffic_director_one_by_one(sdk):
    from dyn.tm import zones
    from dyn.tm.services import dsf

    director = dsf.TrafficDirector("by hand", rulesets=[])
    ruleset = dsf.DSFRuleset("rules", "always", response_pools=[])
    ruleset.create(director)
    pool = dsf.DSFResponsePool("pool", rs_chains=[])
    pool.create(director)
    director.add_node(zones.Node(ZONE, f"balanced.{ZONE}"))
    chain = dsf.DSFFailoverChain("chain", record_sets=[])
    chain.add_to_response_pool(pool)
    record_set = dsf.DSFRecordSet("A", label="set")
    record_set.add_to_failover_chain(chain)
    record = dsf.DSFARecord("192.0.2.9", label="record")
    record.add_to_record_set(record_set)
    record.address = "192.0.2.8"
    assert [each.address for each in dsf.get_all_records(director)] == ["192.0.2.8"]
    assert [each.label for each in dsf.TrafficDirector(director.service_id).all_response_pools] == ["pool"]
    pool.delete()
    assert dsf.TrafficDirector(director.service_id).all_response_pools == []
    dsf.DSFMonitor("watch", "HTTP", 1, 60, 2, "Y", endpoints=[dsf.DSFMonitorEndpoint("192.0.2.1", "one")])
    assert [each.label for each in dsf.get_all_dsf_monitors()] == ["watch"]


def test_addresses_are_renumbered(sdk):
    from dyn.tm import tools, zones

    changed = tools.map_ips(zones.Zone(ZONE), {"192.0.2.10": "192.0.2.11"})
    assert changed == [(ZONE, "192.0.2.10", "192.0.2.11")]
    assert zones.Zone(ZONE).get_all_records_by_type("A")[0].address == "192.0.2.11"


def test_tasks_are_followed(sdk):
    from dyn.tm import task, zones

    zones.Zone(ZONE).publish()
    (found,) = task.get_tasks()
    assert (found.name, found.status, found.args) == ("PublishZone", "complete", [{"zone_name": ZONE}])

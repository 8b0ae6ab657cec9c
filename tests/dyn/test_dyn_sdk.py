"""The vendor's own client, `dyn` from PyPI, unchanged, against the sandbox."""

import gc
import re
import warnings
from urllib.parse import urlsplit

import pytest
from dyn_wire import VENDOR_WARNINGS

from sessionkit_dyn.record_types import RECORD_TYPES

pytestmark = VENDOR_WARNINGS

ZONE = "vendor.example"

RECORDS = {
    "A": {"address": "192.0.2.1"},
    "AAAA": {"address": "2001:db8::1"},
    "ALIAS": {"alias": "other.example."},
    "CAA": {"flags": 0, "tag": "issue", "value": "ca.example"},
    "CDNSKEY": {"protocol": 3, "public_key": "c2FuZGJveA=="},
    "CDS": {"digest": "0a1b", "keytag": 7},
    "CERT": {"format": 1, "tag": 2, "algorithm": 5, "certificate": "c2FuZGJveA=="},
    "CNAME": {"cname": "www.vendor.example."},
    "CSYNC": {"soa_serial": 3, "flags": ["soaminimum", "immediate"], "rectypes": ["A", "NS"]},
    "DHCID": {"digest": "c2FuZGJveA==", "ttl": 60},  # one argument alone it takes for a record id
    "DNAME": {"dname": "other.example."},
    "DNSKEY": {"protocol": 3, "public_key": "c2FuZGJveA=="},
    "DS": {"digest": "0a1b", "keytag": 7},
    "IPSECKEY": {
        "precedence": 10,
        "gatetype": 1,
        "algorithm": 2,
        "gateway": "192.0.2.9",
        "public_key": "c2FuZGJveA==",
    },
    "KEY": {"algorithm": 5, "flags": 256, "protocol": 3, "public_key": "c2FuZGJveA=="},
    "KX": {"exchange": "kx.example.", "preference": 5},
    "LOC": {"altitude": "35", "latitude": "52 31 12 N", "longitude": "13 24 18 E"},
    "MX": {"exchange": "mail.example.", "preference": 20},
    "NAPTR": {
        "order": 100,
        "preference": 10,
        "services": "SIP+D2U",
        "regexp": "",
        "replacement": "_sip._udp.vendor.example.",
    },
    "NS": {"nsdname": "ns.elsewhere.example."},
    "NSAP": {"nsap": "0x47.0005.80.005a00"},
    "PTR": {"ptrdname": "host.example."},
    "PX": {"preference": 10, "map822": "a.example.", "mapx400": "b.example."},
    "RP": {"mbox": "ann@example.test", "txtdname": "about.example."},
    "SPF": {"txtdata": "v=spf1 -all"},
    "SRV": {"port": 5060, "priority": 1, "target": "pbx.example.", "weight": 2},
    "SSHFP": {"algorithm": 1, "fptype": 1, "fingerprint": "0a1b2c"},
    "TLSA": {"cert_usage": 3, "selector": 1, "match_type": 1, "certificate": "0a1b2c"},
    "TXT": {"txtdata": "one; two"},
}


def node(kind):
    return ZONE if kind == "CSYNC" else f"{kind.lower()}.{ZONE}"


def test_the_table_covers_every_record_type_but_the_zones_own():
    assert set(RECORDS) == set(RECORD_TYPES) - {"SOA"}


def test_zone_records_publish_read_delete(sdk):
    from dyn.tm import zones
    from dyn.tm.errors import DynectGetError

    zone = zones.Zone(ZONE, contact="ann@vendor.example", ttl=900)
    assert zone.serial == 0
    for kind, values in RECORDS.items():
        name = node(kind).removesuffix(ZONE).removesuffix(".") or None
        added = zone.add_record(name, kind, **values)
        assert added.record_id == 0
    zone.publish("everything there is")
    assert zone.serial == 1
    assert zone.get_notes()[0]["note"] == "everything there is"

    found = zone.get_all_records()
    for kind in RECORDS:
        listed = [each for each in found[RECORD_TYPES[kind].listing] if each.fqdn == node(kind)]
        assert len(listed) == 1, kind
        assert listed[0].record_id > 0
    assert found["txt_records"][0].txtdata == "one\\; two"
    assert found["rp_records"][0].mbox == "ann.example.test."
    assert found["a_records"][0].address == "192.0.2.1"
    assert {each.fqdn for each in zone.get_all_nodes()} == {node(kind) for kind in RECORDS} - {ZONE}

    found["a_records"][0].delete()
    zone.publish()
    assert "a_records" not in zone.get_all_records()
    zone.delete()
    with pytest.raises(DynectGetError, match="No such zone"):
        zones.Zone(ZONE)


def test_a_setter_on_a_listed_record_sends_a_part_and_the_rest_stays(sdk):
    from dyn.tm import zones

    zone = zones.Zone("shop.example")
    listed = zone.get_all_records_by_type("MX")
    listed[0].preference = 77
    zone.publish()
    again = zone.get_all_records_by_type("MX")
    assert sorted((each.preference, each.exchange) for each in again) == [
        (20, "mx2.shop.example."),
        (77, "mx1.shop.example."),
    ]


def test_the_zones_soa_is_changed_through_the_zone(sdk):
    from dyn.tm import zones

    zone = zones.Zone("shop.example")
    zone.contact = "boss@shop.example"
    zone.ttl = 120
    zone.serial_style = "day"
    zone.publish()
    again = zones.Zone("shop.example")
    assert again.contact == "boss.shop.example."
    assert int(again.ttl) == 120
    assert again.serial_style == "day"
    assert again.serial == 2026010100


def test_freeze_and_thaw(sdk):
    from dyn.tm import zones
    from dyn.tm.errors import DynectCreateError

    zone = zones.Zone("shop.example")
    zone.freeze()
    with pytest.raises(DynectCreateError, match="frozen"):
        zone.add_record("new", "A", address="192.0.2.77")
    zone.thaw()
    zone.add_record("new", "A", address="192.0.2.77")


def test_listings_of_zones_nodes_and_reports(sdk):
    from datetime import datetime, timedelta

    from dyn.tm import reports, zones

    assert [zone.name for zone in zones.get_all_zones()] == ["lan.example", "shop.example"]
    assert zones.get_apex("deep.www.shop.example") == "shop.example"
    zone = zones.Zone("shop.example")
    api = zone.get_node("api")
    assert len(api.get_all_records_by_type("A")) == 3
    assert len(api.get_any_records()["a_records"]) == 3
    now = datetime(2026, 1, 1)  # noqa: DTZ001 - the vendor's code takes naive times
    csv = zone.get_qps(now - timedelta(hours=1), now)["csv"]
    assert re.fullmatch(r"Timestamp,Queries\n(\d+,\d+\n)+", csv)
    assert "allowed" in reports.get_check_permission(["RecordAdd"], "shop.example")
    assert "RecordAdd" in sdk.permissions


def test_a_node_is_deleted_with_everything_below_it(sdk):
    from dyn.tm import zones

    zone = zones.Zone("shop.example")
    zone.get_node("_tcp").delete()
    zone.publish()
    assert "srv_records" not in zone.get_all_records()


def test_a_job_is_polled_to_its_answer(sdk, sandbox, monkeypatch):
    from dyn import core
    from dyn.tm import zones

    monkeypatch.setattr(core.time, "sleep", lambda seconds: None)
    for style in ("redirect", "incomplete"):
        sandbox.fault("job", style=style, polls=2)
        assert len(zones.get_all_zones()) == 2
    polled = [entry.status for entry in sandbox.requests(path="/REST/Job/*")]
    assert polled == [307, 307, 200, 200, 200, 200]


def test_a_blocked_zone_and_the_rate_limit_are_waited_for(sdk, sandbox, monkeypatch):
    from dyn import core
    from dyn.tm import zones

    monkeypatch.setattr(core.time, "sleep", lambda seconds: None)
    zone = zones.Zone("shop.example")
    sandbox.fault("block_zone", zone="shop.example", times=2)
    zone.add_record("later", "A", address="192.0.2.78")
    sandbox.fault("rate_limit", times=3)
    zone.publish()
    assert len(zone.get_node("later").get_all_records()["a_records"]) == 1


def test_errors_are_the_vendors(sdk, sandbox):
    from dyn.tm import errors, zones
    from dyn.tm.session import DynectSession

    with pytest.raises(errors.DynectGetError, match="No such zone"):
        zones.Zone("nowhere.example")
    with pytest.raises(errors.DynectCreateError, match="already"):
        zones.Zone("shop.example", contact="ann@shop.example")
    with pytest.raises(errors.DynectCreateError, match="IPv4 address expected"):
        zones.Zone("shop.example").add_record("bad", "A", address="300.1.1.1")
    sandbox.fault("expire_token")
    with pytest.raises(errors.DynectGetError, match="Bad or expired credentials"):
        zones.get_all_zones()
    DynectSession.close_session()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a refused sign-in leaves the vendor's socket open
        with pytest.raises(errors.DynectAuthError, match="did not match") as caught:
            DynectSession("acme", "ann", "wrong", sdk.host, sdk.port, ssl=False)
        del caught
        gc.collect()


def test_a_zone_file_becomes_a_zone(sdk, tmp_path):
    from dyn.tm import zones

    (tmp_path / "zone").write_text(
        "$ORIGIN file.example.\n$TTL 600\n@ IN SOA ns.file.example. ann.file.example. 5 3600 600 86400 60\n"
        'www IN A 192.0.2.5\n    IN AAAA 2001:db8::5\n_s._tcp SRV 1 2 443 www\n@ MX 10 mail\n@ TXT "a b"\n'
    )
    zone = zones.Zone("file.example", file_name=str(tmp_path / "zone"))
    zone.publish()
    found = zone.get_all_records()
    assert found["a_records"][0].fqdn == "www.file.example"
    assert found["srv_records"][0].target == "www.file.example."
    assert int(zone.ttl) == 600


def test_mail_calls_that_the_vendors_client_can_send(sandbox):
    from dyn.mm.errors import EmailKeyError
    from dyn.mm.session import MMSession

    url = urlsplit(sandbox.url)
    opened = MMSession(sandbox.env["DYN_MM_APIKEY"], url.hostname, url.port, ssl=False)
    try:
        senders = opened.execute("/senders", "GET", {"startindex": 0})["senders"]
        assert [each["emailaddress"] for each in senders] == ["news@shop.example", "orders@shop.example"]
        assert opened.execute("/suppressions/count", "GET", {})["count"] == 1
        with pytest.raises(EmailKeyError):
            opened.execute("/senders", "GET", {"apikey": "nobody"})
        assert opened.execute("/nonsense", "GET", {}) is None
    finally:
        MMSession.close_session()
        opened._conn.close()


def test_an_idle_connection_is_never_closed(sdk, sandbox, manual_clock):
    from dyn.tm import zones

    connection = sdk._conn.sock
    manual_clock.advance(3_000)
    zones.get_all_zones()
    assert sdk._conn.sock is connection

"""What a newcomer finds: a customer with a web shop's zone and an internal one, and a mail account."""

from __future__ import annotations

from typing import Any

CUSTOMER = "acme"
USER = "ann"
PASSWORD = "sandbox-ann"  # noqa: S105 - a door that is meant to be open
API_KEY = "sandbox-mail-key"

_SHOP = "shop.example"
_LAN = "lan.example"


def _record(fqdn: str, kind: str, ttl: int = 3600, **rdata: Any) -> dict[str, Any]:
    return {"fqdn": fqdn, "type": kind, "ttl": ttl, "rdata": rdata}


def data() -> dict[str, Any]:
    """The demo data, in the form of a data file's section."""
    shop = [
        _record(_SHOP, "A", 300, address="192.0.2.10"),
        _record(_SHOP, "MX", exchange="mx1.shop.example.", preference=10),
        _record(_SHOP, "MX", exchange="mx2.shop.example.", preference=20),
        _record(_SHOP, "TXT", txtdata="v=spf1 mx include:_spf.mail.example -all"),
        _record(_SHOP, "CAA", flags=0, tag="issue", value="ca.example"),
        _record("www.shop.example", "CNAME", 300, cname="shop.example."),
        _record("cdn.shop.example", "CNAME", 60, cname="edge.cdn.example."),
        _record("mx1.shop.example", "A", address="192.0.2.25"),
        _record("mx2.shop.example", "A", address="192.0.2.26"),
        _record("mx1.shop.example", "AAAA", address="2001:db8::25"),
        _record("api.shop.example", "A", 60, address="192.0.2.31"),
        _record("api.shop.example", "A", 60, address="192.0.2.32"),
        _record("api.shop.example", "A", 60, address="192.0.2.33"),
        _record(
            "_sip._tcp.shop.example", "SRV", port=5060, priority=1, target="pbx.shop.example.", weight=10
        ),
        _record("pbx.shop.example", "A", address="192.0.2.60"),
    ]
    lan = [
        _record(f"render{number:02d}.lan.example", "A", 600, address=f"198.51.100.{number}")
        for number in range(1, 13)
    ]
    lan += [
        _record("files.lan.example", "A", address="198.51.100.200"),
        _record("licences.lan.example", "CNAME", cname="files.lan.example."),
        _record("printer.lan.example", "A", address="198.51.100.210"),
        _record(
            "printer.lan.example", "LOC", altitude="35", latitude="52 31 12.0 N", longitude="13 24 18.0 E"
        ),
    ]
    users = {
        USER: {"password": PASSWORD, "first_name": "Ann", "last_name": "Archer", "email": "ann@shop.example"},
        "ops": {
            "password": "sandbox-ops",
            "first_name": "Otis",
            "last_name": "Pritchard",
            "email": "ops@shop.example",
        },
        "reader": {"password": "sandbox-reader", "permissions": ["RecordGet", "ZoneGet", "ZoneGetNodeList"]},
    }
    zones = {
        _SHOP: {"contact": "hostmaster@shop.example", "ttl": 3600, "serial": 41, "records": shop},
        _LAN: {
            "contact": "it@lan.example",
            "ttl": 600,
            "serial": 2026010103,
            "serial_style": "day",
            "records": lan,
        },
    }
    mailbox = {
        "username": "post@shop.example",
        "companyname": "Acme Shop",
        "senders": ["news@shop.example", "orders@shop.example"],
        "recipients": ["kim@customer.example", "lou@customer.example"],
        "suppressions": ["gone@customer.example"],
    }
    return {"customers": {CUSTOMER: {"users": users, "zones": zones}}, "email": {API_KEY: mailbox}}

"""Whatever a client sends, the service answers: never a failure of its own code."""

import pytest

from sessionkit_dyn.record_types import RECORD_TYPES
from sessionkit_dyn.sandbox.api import HANDLERS

ODD = (
    None, True, -1, 10**30, 1.5, "", "x" * 300, "\x00", "a.b",
    [], [None], [[]], [{}], ["a", {"b": []}], {}, {"a": {"b": [1]}},
)  # fmt: skip

NAMES = """
    zone fqdn rname ttl serial_style rdata detail publish freeze notes file master_ip password customer_name
    user_name permission nickname label keys region region_code pool address hosts monitor failover_mode
    failover_data code url rules masters secret algorithm rulesets response_pools nodes node records index
    start_ts end_ts limit offset breakdown zones new_nickname forbid group_name all_users status
    service_class activate block notifiers add_notifier rs_chains record_sets ARecords name zone_name
""".split()  # noqa: SIM905 - sixty quoted words would not read better

PATHS = ("", "shop.example", "shop.example/api.shop.example", "ann/ZoneGet", "%00/..", "%F0%9F%92%A9/1/2/3/4")

#: Calls that succeed, one argument of which is then made odd.
GOOD = {
    "User/zoe": {"password": "secret", "permission": ["ZoneGet"], "forbid": [], "group_name": ["g"]},
    "PermissionGroup/g": {"permission": ["ZoneGet"], "user_name": ["ann"], "zone": ["a"], "all_users": "N"},
    "Notifier": {"label": "n", "recipients": [], "services": []},
    "CustomerIPACL/web": {"netmasks": "192.0.2.0/24", "active": "Y"},
    "GSLB/shop.example/g.shop.example": {"region": [{"region_code": "global", "pool": [{"address": "::1"}]}]},
    "GSLBRegion/shop.example/g.shop.example": {"region_code": "EU", "pool": [{"address": "192.0.2.1"}]},
    "GSLBRegionPoolEntry/shop.example/g.shop.example/global": {"address": "192.0.2.2", "weight": 1},
    "AdvRedirect/shop.example/r.shop.example": {"rules": [{"code": 302}], "active": "Y"},
    "DNSSEC/shop.example": {"keys": [{"type": "KSK"}], "contact_nickname": "ann", "notify_events": "create"},
    "Secondary/sec.example": {"masters": ["192.0.2.1"], "tsig_key_name": "k"},
    "DSF": {
        "label": "d",
        "ttl": 30,
        "nodes": [{"zone": "shop.example"}],
        "rulesets": [{"response_pools": [{"rs_chains": [{"record_sets": [{"records": [{"rdata": {}}]}]}]}]}],
    },
    "ZoneNoteReport": {"zone": "shop.example", "limit": 1, "offset": 0},
    "QPSReport": {"start_ts": 1, "end_ts": 900, "breakdown": "hosts", "hosts": ["a"], "zones": ["a.b"]},
    "CheckPermissionReport": {"permission": ["ZoneGet"], "zone_name": "shop.example"},
    "TXTRecord/shop.example/t.shop.example": {"rdata": {"txtdata": "x"}, "ttl": 60},
    "NSRecord/shop.example/t.shop.example": {"rdata": {"nsdname": "a."}, "service_class": ""},
}  # fmt: skip


def kept_alive(wire, sandbox, method, path, args):
    status, answer = wire(method, f"/{path}", args)
    assert status < 500, (method, path, args, answer)
    assert set(answer) >= {"status", "data", "job_id"}
    assert not any(entry.error for entry in sandbox.requests())


def test_nothing_breaks_any_resource(wire, sandbox):
    alike = {kind.resource for kind in RECORD_TYPES.values()} - {"ARecord", "SOARecord"}
    for resource in sorted(set(HANDLERS) - alike - {"Session", "Password"}):
        for method in sorted(HANDLERS[resource]):
            for number, path in enumerate(PATHS):
                odd = {name: ODD[(place * 7 + number) % len(ODD)] for place, name in enumerate(NAMES)}
                kept_alive(wire, sandbox, method, f"{resource}/{path}", odd)
        sandbox.clear()


@pytest.mark.parametrize("path", GOOD)
def test_one_odd_argument_breaks_nothing(wire, sandbox, path):
    good, resource = GOOD[path], path.split("/")[0]
    wire("POST", "/GSLB/shop.example/g.shop.example/", GOOD["GSLB/shop.example/g.shop.example"])
    methods = sorted(set(HANDLERS[resource]) - {"GET"}, key=["DELETE", "POST", "PUT"].index)
    for name in good:
        for value in ODD:
            for method in methods:
                kept_alive(wire, sandbox, method, path, {**good, name: value})
            if "GET" in HANDLERS[resource]:
                kept_alive(wire, sandbox, "GET", path, {"detail": "Y"})
        sandbox.clear()
    for report in ("UserPermissionReport", "CheckPermissionReport"):
        kept_alive(wire, sandbox, "POST", report, {})
    kept_alive(wire, sandbox, "GET", "NodeList/shop.example", {})

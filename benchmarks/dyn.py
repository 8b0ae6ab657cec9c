"""Dyn beside its vendor's client: a call on a live connection, and 5,000 records from one answer."""

from __future__ import annotations

import http.client
import json
import warnings
from typing import TYPE_CHECKING, Any

import requests
import urllib3

from benchmarks.server import FastServer
from sessionkit_dyn import DynectSession
from sessionkit_dyn.zones import Node

if TYPE_CHECKING:
    from benchmarks.report import Report

CALLS = 300
RECORDS = 5_000
TOKEN = "c2FuZGJveA==" * 14
HEADERS = {
    "Content-Type": "application/json",
    "API-Version": "current",
    "Auth-Token": TOKEN,
    "User-Agent": "bench",
}


def envelope(data: Any) -> str:
    message = {"INFO": "get: Your zone, example.test", "SOURCE": "BLL", "ERR_CD": None, "LVL": "INFO"}
    return json.dumps({"status": "success", "data": data, "job_id": 3_994_455_233, "msgs": [message]})


def row(number: int) -> dict[str, Any]:
    return {
        "zone": "example.test",
        "ttl": 3600,
        "fqdn": f"host{number}.example.test",
        "record_type": "A",
        "rdata": {"address": f"10.0.{number // 256}.{number % 256}"},
        "record_id": 318_905_321 + number,
    }


def run(report: Report) -> None:
    zone = {"zone_type": "Primary", "serial_style": "increment", "serial": 41, "zone": "example.test"}
    records = {"a_records": [row(number) for number in range(RECORDS)], "mx_records": []}
    answers = {
        "/REST/Session/": envelope({"token": TOKEN, "version": "3.7.13"}),
        "/REST/Zone/example.test/": envelope(zone),
        "/REST/AllRecord/example.test/example.test/": envelope(records),
        "/REST/AllRecord/example.test/example.test./": envelope(records),
    }
    with FastServer(answers=answers) as server:
        session = DynectSession.detached("acme", "ann", "benchmark", host=server.url)
        vendor = vendors_session(server.port)
        with session:
            keep_alive(report, server, session, vendor)
            many_records(report, session)
        vendor.close_session()
        vendor._conn.close()


def vendors_session(port: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its code of 2018 does that today's Python warns of
        from dyn.tm.session import DynectSession as Vendors

        return Vendors("acme", "ann", "benchmark", host="127.0.0.1", port=port, ssl=False)


def keep_alive(report: Report, server: FastServer, session: DynectSession, vendor: Any) -> None:
    url = f"{server.url}/REST/Zone/example.test/"
    raw = http.client.HTTPConnection("127.0.0.1", server.port)
    plain, pools = requests.Session(), urllib3.PoolManager()
    plain.headers.update(HEADERS)

    def ours() -> None:
        session.execute("/Zone/example.test/", "GET")

    def by_http_client() -> None:
        raw.request("GET", "/REST/Zone/example.test/", headers=HEADERS)
        json.loads(raw.getresponse().read())

    def by_urllib3() -> None:
        json.loads(pools.request("GET", url, headers=HEADERS).data)

    def by_requests() -> None:
        plain.get(url).json()

    def by_dyn() -> None:
        vendor.execute("/Zone/example.test/", "GET")

    name = "dyn: a call on a live connection"
    report.ratio(name, ours, by_requests, peer_name="requests", budget=">= 2x", number=CALLS)
    report.ratio(name, ours, by_dyn, peer_name="dyn", number=CALLS)
    report.ratio(
        f"{name}, CPU",
        ours,
        by_urllib3,
        peer_name="urllib3",
        budget="<= 1.35x",
        number=CALLS,
        measure="cpu",
    )
    report.ratio(f"{name}, CPU", ours, by_http_client, peer_name="http.client", number=CALLS, measure="cpu")
    report.ratio(f"{name}, CPU", ours, by_dyn, peer_name="dyn", number=CALLS, measure="cpu")
    raw.close()
    plain.close()
    pools.clear()


def many_records(report: Report, session: DynectSession) -> None:
    from dyn.tm.zones import Node as VendorsNode

    ours, theirs = Node("example.test", session=session), VendorsNode("example.test", "example.test.")

    def by_us() -> None:
        assert len(ours.get_all_records()["a_records"]) == RECORDS

    def by_dyn() -> None:
        assert len(theirs.get_all_records()["a_records"]) == RECORDS

    name = f"dyn: {RECORDS:,} records from one answer"
    report.ratio(name, by_us, by_dyn, peer_name="dyn", budget=">= 2x", number=3)
    report.ratio(f"{name}, CPU", by_us, by_dyn, peer_name="dyn", number=3, measure="cpu")

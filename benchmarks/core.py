"""The framework's own costs: a call, many calls, the lookup of the current session, TLS, import."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import requests
import trustme
import urllib3

from benchmarks.server import FastServer
from sessionkit import HeaderAuth, HttpEngine, Secret
from sessionkit.http import Call
from sessionkit.outcome import Exchange

if TYPE_CHECKING:
    from benchmarks.report import Report

CALLS = 400


class Bench(HttpEngine):
    __metakey__ = "benchmarks.core"


def run(report: Report) -> None:
    keep_alive(report)
    fifty_at_once(report)
    lookups(report)
    first_https_call(report)
    imports(report)


def keep_alive(report: Report) -> None:
    auth = HeaderAuth({"X-Api-Key": Secret("benchmark-key")})
    with FastServer() as server, Bench.detached(server.url, auth=auth) as session:
        url = server.url + "/thing"
        headers = {"X-Api-Key": "benchmark-key", "Accept": "application/json", "User-Agent": "bench"}
        plain, pools = requests.Session(), urllib3.PoolManager()
        plain.headers.update(headers)
        raw = http.client.HTTPConnection("127.0.0.1", server.port)

        def ours() -> None:
            session.get("/thing")

        def by_http_client() -> None:
            raw.request("GET", "/thing", headers=headers)
            json.loads(raw.getresponse().read())

        def by_urllib3() -> None:
            json.loads(pools.request("GET", url, headers=headers).data)

        def by_requests() -> None:
            plain.get(url).json()

        name = "a keep-alive call"
        report.ratio(name, ours, by_requests, peer_name="requests", budget=">= 2x", number=CALLS)
        report.ratio(
            f"{name}, CPU",
            ours,
            by_urllib3,
            peer_name="urllib3",
            budget="<= 1.35x",
            number=CALLS,
            measure="cpu",
        )
        report.ratio(
            f"{name}, CPU", ours, by_http_client, peer_name="http.client", number=CALLS, measure="cpu"
        )
        raw.close()
        plain.close()
        pools.clear()


def fifty_at_once(report: Report) -> None:
    """1,000 calls, 50 at once, 20 ms each at the server: no client can do more than 2,500/s.

    From one thread that waits for all answers (`perform_all`), and from fifty that each make their own calls,
    as the peers do. Where the budget of 2,100/s was measured, urllib3 alone made 2,192/s and http.client
    2,301/s. How near a machine comes to that depends on its processor, so the budget is to be no slower than
    urllib3 beside it.
    """
    with FastServer(delay=0.02) as server, Bench.detached(server.url, max_concurrency=50) as session:
        url = server.url + "/thing"
        plain, pools = requests.Session(), urllib3.PoolManager(maxsize=50)
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=50)
        plain.mount("http://", adapter)
        with ThreadPoolExecutor(50) as threads:

            def thousand(call):
                return lambda: list(threads.map(call, range(1000)))

            own = threading.local()

            def ask_http_client(_: int) -> None:
                if not hasattr(own, "connection"):
                    own.connection = http.client.HTTPConnection("127.0.0.1", server.port)
                own.connection.request("GET", "/thing")
                json.loads(own.connection.getresponse().read())

            ours = thousand(lambda _: session.get("/thing"))
            by_http_client = thousand(ask_http_client)
            by_urllib3 = thousand(lambda _: json.loads(pools.request("GET", url).data))
            by_requests = thousand(lambda _: plain.get(url).json())

            def all_of_them() -> None:
                calls = (Call("GET", "/thing") for _ in range(1000))
                assert all(isinstance(each, Exchange) for each in session.perform_all(calls, at_once=50))

            name = "1,000 calls, 50 at once, 20 ms each, by perform_all"
            all_of_them()
            report.rate(name, all_of_them, operations=1000, rounds=7)
            report.ratio(name, all_of_them, by_urllib3, peer_name="urllib3", budget=">= 1x", rounds=7)
            name = "1,000 calls, 50 at once, 20 ms each, by threads"
            ours()
            report.rate(name, ours, operations=1000, rounds=5)
            report.ratio(name, ours, by_urllib3, peer_name="urllib3", budget=">= 1x", rounds=7)
            report.ratio(name, ours, by_http_client, peer_name="http.client", rounds=5)
            report.ratio(name, ours, by_requests, peer_name="requests", rounds=3)
        plain.close()
        pools.clear()


def lookups(report: Report) -> None:
    """Nanoseconds depend on the machine, so they stand beside what Python itself takes for the same."""
    local = threading.local()
    local.session = object()
    with Bench("http://127.0.0.1:1"):
        pass
    Bench("http://127.0.0.1:1")
    report.cost("current session", Bench.current, budget="<= 100ns", number=50_000)
    report.cost("... a threading.local attribute", lambda: local.session, number=50_000)
    Bench.close_session()


def first_https_call(report: Report) -> None:
    """The CPU time of a session's first call, when the process has made HTTPS calls before."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        certificate, trust = Path(folder, "server.pem"), Path(folder, "authority.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        authority.cert_pem.write_to_path(trust)
        with FastServer(certificate=str(certificate)) as server:

            def ours() -> None:
                with Bench.detached(server.url, verify=trust) as session:
                    session.get("/thing")

            def by_requests() -> None:
                with requests.Session() as session:
                    session.get(server.url + "/thing", verify=str(trust)).json()

            name = "first HTTPS call of a session"
            report.ratio(name, ours, by_requests, peer_name="requests", number=10, measure="cpu")


def imports(report: Report) -> None:
    bare = _import_seconds("pass")
    peer = _import_seconds("import requests") - bare
    for code, budget in (
        ("import sessionkit", "<= 5ms"),
        ("from sessionkit import HttpEngine, HeaderAuth", ""),
    ):
        ours = [seconds - bare for seconds in _import_samples(code)]
        report.figures(f"{code}, over bare Python", ours, unit="s")
        report.figures("... less import requests", [s - peer for s in ours], unit="s", budget=budget)


def _import_seconds(code: str) -> float:
    return statistics.median(_import_samples(code))


def _import_samples(code: str) -> list[float]:
    return [_run_seconds(code) for _ in range(9)]


def _run_seconds(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun

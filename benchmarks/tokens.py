"""What a token check costs, and how many fetches a stampede causes.

The peers are the ways of others, reduced to what matters: a lock around every check (botocore,
keystoneauth1), and "expired? then fetch" without one (google-auth, requests-oauthlib, Authlib).
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sessionkit.secrets import Secret, redact
from sessionkit.tokens import FileTokenStore, Token, TokenSource

if TYPE_CHECKING:
    from benchmarks.report import Report

THREADS = 16
PROCESSES = 8
LATENCY = 0.1


class Endpoint:
    """Issues tokens after `LATENCY` seconds, and counts them in a file that processes share."""

    def __init__(self, counter: Path) -> None:
        self.counter = counter

    def __call__(self, _deadline=None):
        with self.counter.open("ab", buffering=0) as file:
            file.write(b".")
        time.sleep(LATENCY)
        return Token(f"token-{time.monotonic_ns()}", time.time() + 3600)

    def issued(self):
        return self.counter.stat().st_size if self.counter.exists() else 0


class Unguarded:
    """Check, then fetch: what most libraries do."""

    def __init__(self, fetch, path=None):
        self.fetch, self.path, self.token = fetch, path, None

    def get(self, refused=None):
        if self.token is None and self.path is not None and self.path.exists():
            self.token = Token(self.path.read_text(), time.time() + 3600)
        if self.token is None or self.token.expired(time.time()) or self.token is refused:
            self.token = self.fetch()
            if self.path is not None:
                self.path.write_text(self.token.value)
        return self.token


class Locked(Unguarded):
    """A lock around every check."""

    def __init__(self, fetch):
        super().__init__(fetch)
        self.lock = threading.Lock()

    def get(self, refused=None):
        with self.lock:
            return super().get(refused)


def run(report: Report) -> None:
    with tempfile.TemporaryDirectory() as directory:
        checks(report, Path(directory))
        stampede_of_threads(report, Path(directory))
        stampede_of_processes(report, Path(directory))
    redaction(report)


def checks(report, directory):
    endpoint = Endpoint(directory / "checks")
    source, locked, unguarded = TokenSource(endpoint, key="k"), Locked(endpoint), Unguarded(endpoint)
    report.cost("token check", source.get, budget="<= 200 ns", number=100_000)
    for name, peer in (
        ("a lock around it", locked.get),
        ("no protection", unguarded.get),
        ("an empty call", nothing),
    ):
        report.ratio("token check", source.get, peer, peer_name=name, number=50_000)


def nothing():
    """An empty call: the least that any check costs."""


def stampede_of_threads(report, directory):
    for name, make in (("ours", lambda fetch: TokenSource(fetch, key="k")), ("check, then fetch", Unguarded)):
        endpoint = Endpoint(directory / f"threads-{name}")
        source = make(endpoint)
        budget = "<= 1" if name == "ours" else None
        together(source.get)
        cold = endpoint.issued()
        report.figures(f"16 threads, cold: {name}", [cold], unit=" fetches", budget=budget)
        together(partial(source.get, refused=source.get()))
        report.figures(
            f"16 threads, revoked: {name}", [endpoint.issued() - cold], unit=" fetches", budget=budget
        )


def together(work):
    barrier = threading.Barrier(THREADS)
    threads = [threading.Thread(target=lambda: (barrier.wait(), work())) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stampede_of_processes(report, directory):
    for name in ("ours", "check, then fetch"):
        endpoint = Endpoint(directory / f"processes-{name}")
        seconds = in_processes(endpoint, directory / f"{name}.json", ours=name == "ours")
        budget = "<= 1" if name == "ours" else None
        what = f"8 processes of 16 threads, empty file: {name}"
        report.figures(what, [endpoint.issued()], unit=" fetches", budget=budget)
        report.figures(what, [seconds], unit="s")


def in_processes(endpoint, path, *, ours):
    context = multiprocessing.get_context("spawn")
    barrier, slowest = context.Barrier(PROCESSES), context.SimpleQueue()
    args = (endpoint, path, ours, barrier, slowest)
    processes = [context.Process(target=worker, args=args) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    seconds = max(slowest.get() for _ in processes)
    for process in processes:
        process.join()
    return seconds


def worker(endpoint, path, ours, barrier, slowest):
    source = TokenSource(endpoint, key="k", store=FileTokenStore(path)) if ours else Unguarded(endpoint, path)
    barrier.wait()
    begin = time.perf_counter()
    together(source.get)
    slowest.put(time.perf_counter() - begin)


def redaction(report):
    secrets = [Secret(f"secret-number-{number}-of-ten") for number in range(10)]
    line = "GET https://api.example.test/v1/cameras?limit=100&skip=0 answered 200 in 24 ms " * 2
    report.cost("160 characters without a secret, 10 known", lambda: redact(line), number=10_000)
    with_one = line + secrets[5].reveal()
    report.cost("160 characters with a secret, 10 known", lambda: redact(with_one), number=2_000)

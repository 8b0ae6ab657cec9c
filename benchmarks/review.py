"""The review session beside the vendor's own client, on one sandbox and the same answers.

Client and peer do the same in turn; compared is the processor time of the client's thread, or for starts and
threads the time that passes.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionkit_review import ReviewSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.report import Report

ROOT = Path(__file__).parent.parent
PEER = ROOT / "benchmarks" / "peers" / "review_ftrack.py"
ENTITIES = 10_000


def run(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder, sandbox() as env:
        rows = Path(folder, "rows.json")
        rows.write_text(answer())
        with peer(env, folder, rows) as ask:
            ours = Ours(env, Path(folder, "schemas"), rows.read_text())
            try:
                compare(report, ours, ask)
            finally:
                ours.session.close()


def compare(report: Report, ours: Ours, ask: Callable[[str], float]) -> None:
    def beside(name: str, what: str, budget: str | None = None, rounds: int = 5) -> list[float]:
        mine, other = interleaved(getattr(ours, what), lambda: ask(what), rounds)
        ratios = [theirs / own for own, theirs in zip(mine, other, strict=True)]
        report.figures(f"{name}, times ftrack_api's speed", ratios, unit="x", budget=budget)
        return mine

    beside(f"decode and merge {ENTITIES:,} entities of 8 attributes", "decode", ">= 20x")
    report.figures("memory of each, bytes (ours)", [ours.bytes_each()], unit=" B", budget="<= 1500")
    report.figures("memory of each, bytes (ftrack_api)", [ask("bytes_each")], unit=" B")
    reads = beside("read an attribute", "read")
    report.figures("read an attribute", reads, unit="s", budget="<= 150 ns")
    commits = beside(f"commit one change with {ENTITIES:,} cached", "commit_one")
    report.figures(f"commit one change with {ENTITIES:,} cached", commits, unit="s", budget="<= 3 ms")
    beside("create and commit 1,000 entities", "creates")
    beside("start a session, cold", "start_cold")
    beside("start a session, schemas cached", "start_warm")
    report.figures(
        "calls to query 200 entities and read one more attribute of each (ours)",
        [ours.calls_of_200()],
        unit="",
    )
    report.figures(
        "calls to query 200 entities and read one more attribute of each (ftrack_api)",
        [ask("calls_of_200")],
        unit="",
    )
    beside("four threads share one session", "four_threads")


class Ours:
    """What the peer does too, method by method."""

    def __init__(self, env: dict[str, str], folder: Path, text: str) -> None:
        self.env, self.folder, self.text = env, folder, text
        self.session = self.open(folder, history=1000)
        self.kept: Any = None

    def open(self, folder: Path, **options: Any) -> ReviewSession:
        return ReviewSession.detached(
            self.env["FTRACK_SERVER"],
            self.env["FTRACK_API_KEY"],
            self.env["FTRACK_API_USER"],
            schema_cache_path=folder,
            plugin_paths=[],
            **options,
        )

    def load(self, text: str | None = None) -> Any:
        return self.session.decode(text or self.text)

    def decode(self) -> float:
        self.session.entities.clear()
        gc.collect()
        begin = time.thread_time()
        self.load()
        return time.thread_time() - begin

    def bytes_each(self) -> float:
        self.session.entities.clear()
        gc.collect()
        tracemalloc.start()
        kept = self.load()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size / len(kept)

    def read(self) -> float:
        entity = self.load()[0]
        begin = time.thread_time()
        for _ in range(20_000):
            entity["name"]
        return (time.thread_time() - begin) / 20_000

    def commit_one(self) -> float:
        self.load()
        task = self.session.query("select description from Task where name is layout").first()
        assert task is not None
        task["description"] = f"{time.time()}"
        begin = time.thread_time()
        self.session.commit()
        return time.thread_time() - begin

    def creates(self) -> float:
        self.session.entities.clear()
        begin = time.thread_time()
        for number in range(1000):
            self.session.create("Scope", {"name": f"scope {number}"})
        self.session.commit()
        return time.thread_time() - begin

    def start_cold(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return self._start(Path(folder))

    def start_warm(self) -> float:
        return self._start(self.folder)

    def _start(self, folder: Path) -> float:
        begin = time.perf_counter()
        session = self.open(folder)
        for name in session.types:  # the peer makes its classes at once
            session.types[name]
        session.close()
        return time.perf_counter() - begin

    def calls_of_200(self) -> float:
        self.session.entities.clear()
        before = len(self.session.history)
        for scope in self.session.query("select id from Scope limit 200").all():
            scope["name"]
        return len(self.session.history) - before

    def four_threads(self) -> float:
        self.session.entities.clear()
        rows = json.loads(self.text)
        parts = [json.dumps(rows[begin : begin + 2000]) for begin in range(0, 8000, 2000)]
        threads = [threading.Thread(target=self.load, args=(part,)) for part in parts]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begin


def interleaved(
    ours: Callable[[], float], other: Callable[[], float], rounds: int
) -> tuple[list[float], list[float]]:
    sides: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 else (1, 0):
            sides[side].append((ours, other)[side]())
    return sides


def answer() -> str:
    """10,000 tasks as the server writes them: 7 values and one of 12 statuses, written out once."""
    seen: set[int] = set()
    rows = []
    for number in range(ENTITIES):
        status: dict[str, Any] = {"__entity_type__": "Status", "id": f"status-{number % 12}"}
        if number % 12 not in seen:
            seen.add(number % 12)
            status["name"] = f"Status {number % 12}"
        rows.append(
            {
                "__entity_type__": "Task",
                "id": f"{number:08}-5f0c-11e4-8d2b-4f399a570000",
                "name": f"task {number}",
                "description": f"The task with the number {number}.",
                "context_type": "task",
                "bid": 28800.0,
                "sort": float(number),
                "end_date": {"__type__": "datetime", "value": "2024-01-02T03:04:05"},
                "status": status,
            }
        )
    return json.dumps(rows)


@contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """The variables of a sandbox in a process of its own."""
    command = [sys.executable, "-m", "sessionkit.cli", "sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["env"]
        finally:
            process.terminate()


@contextmanager
def peer(env: dict[str, str], folder: str, rows: Path) -> Iterator[Callable[[str], float]]:
    """The vendor's client in its own environment; call the result with a command."""
    python = subprocess.run([ROOT / ".ci" / "env", "ftrack"], stdout=subprocess.PIPE, text=True, check=True)
    command = [python.stdout.strip(), str(PEER), folder, str(rows)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(what: str) -> float:
            print(what, file=process.stdin, flush=True)
            return float(json.loads(process.stdout.readline()))  # type: ignore[union-attr]  # checked above

        try:
            assert json.loads(process.stdout.readline()) == "ready"
            yield ask
        finally:
            process.stdin.close()
            process.terminate()

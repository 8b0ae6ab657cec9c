"""The Red Engine session beside the two it follows, and beside APScheduler, each in a process of its own.

Every figure is measured in a fresh process, the schedulers in turn within each round, so that whatever else
the machine does falls on all alike. Ratios are "how many times as good as the peer".
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.report import Report

ROOT = Path(__file__).parent.parent
SCRIPT = Path(__file__).parent / "peers/schedulers.py"
ROUNDS = 5
# Those that are tens of times slower are measured once: it takes them long, and noise decides nothing.
ROUNDS_OF = {"redengine": 1, "rocketry": 1}
# What they need for ten thousand tasks (20 s to make them, 15 s for a cycle) would take the whole hour.
MOST = {"redengine": 1_000, "rocketry": 1_000}


def run(report: Report) -> None:
    for count in (10, 100, 1_000, 10_000):
        _compare(report, "cycle", count, f"an idle cycle of {count:,} tasks", ">= 1x", less_is_better=True)
    _figures(report, "create", 10_000, "make 10,000 tasks", "s", "<= 1 s")
    _compare(report, "create", 1_000, "make 1,000 tasks", None, less_is_better=True)
    _figures(report, "cpu", 1_000, "idle, processor seconds per second", "s", "<= 1 ms")
    _figures(report, "latency", 10_000, "due to start, thread, 10,000 idle tasks", "s", "<= 1 ms")
    _compare(
        report, "latency", 10_000, "due to start, thread", None, less_is_better=True, peers=("apscheduler",)
    )
    for execution, count in (("main", 5_000), ("thread", 5_000), ("process", 2_000), ("async", 5_000)):
        _throughput(report, execution, count)
    _figures(report, "memory", 2_000, "memory per task", " B", None)
    _compare(report, "memory", 500, "memory per task", ">= 1x", less_is_better=True)
    _compare(report, "import", 0, "import and an empty session", None, less_is_better=True)


def _compare(
    report: Report,
    metric: str,
    count: int,
    name: str,
    budget: str | None,
    *,
    less_is_better: bool,
    peers: tuple[str, ...] = ("apscheduler", "redengine", "rocketry"),
) -> None:
    for peer in peers:
        if count > MOST.get(peer, count):
            continue
        ratios = []
        for _ in range(ROUNDS_OF.get(peer, ROUNDS)):
            mine, theirs = _measured("ours", metric, count), _measured(peer, metric, count)
            ratios.append(theirs / mine if less_is_better else mine / theirs)
        wanted = budget if peer == "apscheduler" else None
        report.figures(f"{name}, {peer}", ratios, unit="x", budget=wanted)


def _figures(report: Report, metric: str, count: int, name: str, unit: str, budget: str | None) -> None:
    report.figures(name, [_measured("ours", metric, count) for _ in range(ROUNDS)], unit=unit, budget=budget)


def _throughput(report: Report, execution: str, count: int) -> None:
    """No-op runs per second; for "main" and "async" APScheduler's threads stand in."""
    for peer, budget in (("apscheduler", ">= 1x"), ("redengine", None), ("rocketry", None)):
        if peer == "redengine" and execution == "async":
            continue
        ratios = []
        for _ in range(ROUNDS_OF.get(peer, ROUNDS)):
            mine = _measured("ours", f"runs-{execution}", count)
            ratios.append(mine / _measured(peer, f"runs-{execution}", count))
        report.figures(f"no-op runs, {execution}, {peer}", ratios, unit="x", budget=budget)


def _measured(kind: str, metric: str, count: int) -> float:
    command = [_python(kind), "-W", "ignore", SCRIPT, kind, metric, str(count)]
    output = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=300,
        env=_environment() if kind == "ours" else None,
    )
    return float(output.stdout.split()[-2])


@cache
def _environment() -> dict[str, str]:
    """Ours is compiled once, as what was installed is: importing it is not compiling it."""
    compiled = tempfile.mkdtemp(prefix="sessionkit-benchmark-")
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)
    path = f"{ROOT}{os.pathsep}{ROOT / 'backends'}"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**inherited, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": compiled}
    subprocess.run(
        [_python("ours"), SCRIPT, "ours", "import"], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    return environment


@cache
def _python(kind: str) -> str:
    if kind == "ours":
        return sys.executable
    made = subprocess.run([ROOT / ".ci/env", kind], check=True, capture_output=True, text=True)
    return made.stdout.strip()
